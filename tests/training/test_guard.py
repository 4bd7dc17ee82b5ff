"""Losses and gradients that are not finite."""

import io
import itertools
import random
import warnings
from dataclasses import replace

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from thinc.api import Adam, Config

from spacy_docre import DocreError
from spacy_docre.training import guard as nonfinite
from spacy_docre.training.checkpoint import read_history
from spacy_docre.training.guard import left_out_key
from spacy_docre.training.loop import train
from spacy_docre.training.optimizer import create_adamw

from ..methods import HEADS, add_extractor, with_shared_tok2vec, with_shared_transformer
from ..util import birth_doc, birth_examples, rest_slow

COMBINATIONS = [(head, "cnn") for head in HEADS]
COMBINATIONS += [("atlop", "bilstm"), ("atlop", "transformer"), ("kmgre", "twin")]
NAME = "doc_relation_extractor"
POISON = "Life 2"


def make_examples(vocab, n=4):
    examples = birth_examples(vocab, n)
    for i, eg in enumerate(examples):
        eg.reference.user_data["title"] = f"Life {i}"
    return examples


def poison(extractor, what, title=POISON):
    """Make the encoding of a document, or the gradient of it, not a number."""
    encoder = extractor.model.get_ref("encoder")
    forward = encoder._func
    text = birth_doc(extractor.vocab, int(title.split()[1])).text

    def poisoned(model, inputs, is_train):
        encoding, backprop = forward(model, inputs, is_train)
        rows = [i for i, doc in enumerate(inputs[0]) if doc.text == text]

        def backprop_poisoned(gradients):
            tokens, *others = gradients
            if rows and tokens is not None:
                tokens = tokens.clone()
                tokens[rows] = float("inf")
            mention = others[0]
            if rows and mention is not None:
                mention = mention.clone()
                mention[np.isin(inputs[1].mention_doc, rows)] = float("nan")
            backprop((tokens, mention, *others[1:]))

        if what == "gradient":
            return encoding, backprop_poisoned
        tokens, mention = encoding.tokens.clone(), encoding.mention.clone()
        tokens[rows] = float("nan")
        mention[np.isin(inputs[1].mention_doc, rows)] = float("nan")
        return replace(encoding, tokens=tokens, mention=mention), backprop

    encoder._func = poisoned


def make(head, encoder, tiny_bert=None, **settings):
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, head, encoder, tiny_bert, **settings)
    examples = make_examples(nlp.vocab)
    nlp.initialize(lambda: examples)
    return nlp, extractor, examples


def moments(optimizer):
    return {
        (kind, key): array.copy()
        for kind in ("mom1", "mom2")
        for key, array in getattr(optimizer, kind).items()
    }


def assert_no_gradients(model):
    for node in model.walk():
        assert not any(node.has_grad(name) for name in node.param_names)
        for shim in node.shims:
            if shim._model is not None:
                assert all(p.grad is None for p in shim._model.parameters())


@pytest.mark.parametrize("what", ["loss", "gradient"])
@pytest.mark.parametrize(
    ("head", "encoder"), rest_slow(COMBINATIONS, lambda pair: pair[0] in ("atlop", "kmgre"))
)
def test_error_names_the_document_and_nothing_is_learned(head, encoder, what, tiny_bert):
    _, extractor, examples = make(head, encoder, tiny_bert)
    poison(extractor, what)
    before = extractor.model.to_bytes()
    with pytest.raises(DocreError) as error:
        extractor.update(examples, sgd=create_adamw(0.01))
    assert "D100" in str(error.value)
    assert f"'{POISON}'" in str(error.value)
    assert "Life 1" not in str(error.value)
    assert what in str(error.value)
    assert extractor.model.to_bytes() == before
    assert_no_gradients(extractor.model)


@pytest.mark.parametrize(
    ("make_optimizer", "what"),
    rest_slow(
        itertools.product([create_adamw, Adam], ["loss", "gradient"]),
        lambda pair: pair in ((create_adamw, "gradient"), (Adam, "loss")),
    ),
)
@pytest.mark.parametrize(("head", "encoder"), [("atlop", "transformer"), ("kmgre", "twin")])
def test_step_is_left_out(head, encoder, what, make_optimizer, tiny_bert):
    _, extractor, examples = make(head, encoder, tiny_bert, on_nonfinite="skip")
    poison(extractor, what)
    optimizer = make_optimizer(0.01)
    good = [examples[0], examples[1]]
    losses = extractor.update(good, sgd=optimizer)
    before, moments_before = extractor.model.to_bytes(), moments(optimizer)
    updates = dict(optimizer.nr_update)
    with pytest.warns(UserWarning, match=rf"(?s)DW40.*{POISON}.*so far: 1\."):
        extractor.update(examples, sgd=optimizer, losses=losses)
    assert extractor.model.to_bytes() == before
    assert_no_gradients(extractor.model)
    assert dict(optimizer.nr_update) == updates
    after = moments(optimizer)
    assert all((after[key] == array).all() for key, array in moments_before.items())
    assert losses[left_out_key(NAME)] == 1
    assert np.isfinite(losses[NAME])
    extractor.update(good, sgd=optimizer, losses=losses)
    assert extractor.model.to_bytes() != before
    assert losses[left_out_key(NAME)] == 1


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_all_batches_of_an_accumulated_step_are_left_out(what):
    nlp, extractor, examples = make("atlop", "cnn", on_nonfinite="skip")
    poison(extractor, what)
    before, losses = extractor.model.to_bytes(), {}
    for half in (examples[:2], examples[2:]):
        nlp.update(half, sgd=False, losses=losses)
    with pytest.warns(UserWarning, match=POISON):
        extractor.finish_update(create_adamw(0.01))
    assert extractor.model.to_bytes() == before
    assert losses[left_out_key(NAME)] == 1
    assert_no_gradients(extractor.model)


def step(nlp, examples, optimizer):
    """Learn as spaCy's training loop does."""
    losses = {}
    nlp.update(examples, sgd=False, losses=losses)
    for _, pipe in nlp.pipeline:
        pipe.finish_update(optimizer)
    return losses


@pytest.mark.parametrize("what", ["loss", "gradient"])
@pytest.mark.parametrize("shared", ["tok2vec", "transformer"])
def test_shared_encoder_learns_from_the_others_only(shared, what, tiny_bert):
    """What the relation extractor would teach is left out, with finite weights everywhere."""
    nlp = with_shared_transformer(tiny_bert) if shared == "transformer" else with_shared_tok2vec()
    extractor = nlp.get_pipe(NAME)
    extractor.cfg["on_nonfinite"] = "skip"
    examples = make_examples(nlp.vocab)
    optimizer = nlp.initialize(lambda: examples)
    poison(extractor, what)
    own = extractor.model.to_bytes()
    other = nlp.get_pipe(shared).model.to_bytes()
    with pytest.warns(UserWarning, match="DW40"):
        losses = step(nlp, examples, optimizer)
    assert losses[left_out_key(NAME)] == 1
    assert extractor.model.to_bytes() == own
    if "ner" in nlp.pipe_names:
        assert nlp.get_pipe(shared).model.to_bytes() != other
    for node in nlp.get_pipe(shared).model.walk():
        for name in node.param_names:
            assert np.isfinite(node.get_param(name)).all()
        for shim in node.shims:
            assert all(p.isfinite().all() for p in shim._model.parameters())
    extractor.cfg["on_nonfinite"] = "raise"
    with pytest.raises(DocreError, match=r"Life 2" if what == "loss" else r"Life 0.*Life 3"):
        step(nlp, examples, optimizer)


def test_search_for_the_document_draws_no_random_numbers():
    def numbers():
        return random.random(), np.random.random(), torch.rand(1).item()

    _, extractor, examples = make("atlop", "cnn", on_nonfinite="skip")
    poison(extractor, "gradient")
    found = []
    for count in (0, 1):
        extractor.guard.count = count
        spacy.util.fix_random_seed(1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            extractor.update(examples, drop=0.5, sgd=create_adamw(0.01))
        found.append(numbers())
    assert found[0] == found[1]


def test_warnings_become_rare_and_the_training_ends(monkeypatch):
    monkeypatch.setattr(nonfinite, "MAX_IN_A_ROW", 12)
    _, extractor, examples = make("atlop", "cnn", on_nonfinite="skip")
    poison(extractor, "loss")
    optimizer, losses = create_adamw(0.01), {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(11):
            extractor.update(examples, sgd=optimizer, losses=losses)
        messages = [str(w.message) for w in caught if "DW40" in str(w.message)]
    assert len(messages) == 2
    assert "so far: 1." in messages[0]
    assert "so far: 10." in messages[1]
    assert losses[left_out_key(NAME)] == 11
    with pytest.raises(DocreError, match=r"(?s)D101.*12 steps in a row"):
        extractor.update(examples, sgd=optimizer, losses=losses)


def test_a_good_step_in_between_starts_the_row_anew(monkeypatch):
    monkeypatch.setattr(nonfinite, "MAX_IN_A_ROW", 2)
    _, extractor, examples = make("atlop", "cnn", on_nonfinite="skip")
    poison(extractor, "loss")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(3):
            extractor.update(examples, sgd=create_adamw(0.01))
            extractor.update(examples[:2], sgd=create_adamw(0.01))
    assert extractor.guard.count == 3


def test_weights_that_are_not_finite_are_said_to_be_the_cause():
    _, extractor, examples = make("atlop", "cnn")
    with torch.no_grad():
        extractor.model.get_ref("head").shims[0]._model.bilinear.weight[0] = float("nan")
    with pytest.raises(DocreError, match="as its weights are not"):
        extractor.update(examples)


def test_setting_is_checked_and_saved(tmp_path):
    nlp = spacy.blank("xx")
    with pytest.raises(ValueError, match="on_nonfinite"):
        nlp.add_pipe(NAME, config={"on_nonfinite": "ignore"})
    nlp, _, _ = make("atlop", "cnn", on_nonfinite="skip")
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path).get_pipe(NAME).cfg["on_nonfinite"] == "skip"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "births.spacy"
    docs = [birth_doc(spacy.blank("xx").vocab, n) for n in range(8)]
    for n, doc in enumerate(docs):
        doc.user_data["title"] = f"Life {n}"
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    nlp = spacy.blank("xx")
    add_extractor(nlp, "atlop", "cnn", on_nonfinite="skip")
    reader = {"@readers": "spacy-docre.GoldClusterCorpus.v1", "path": str(path)}
    config = nlp.config.copy()
    config["corpora"] = {"train": reader, "dev": reader}
    config["training"] |= {
        "max_steps": 9,
        "eval_frequency": 3,
        "accumulate_gradient": 2,
        "batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": 4},
        "seed": 1,
    }
    return Config(config)


def poisoned_pipeline(config):
    nlp = init_nlp(config.copy())
    poison(nlp.get_pipe(NAME), "gradient")
    return nlp


def test_log_says_how_many_and_goes_on_after_a_resume(config, tmp_path, monkeypatch):
    log = io.StringIO()
    with pytest.warns(UserWarning, match="DW40"):
        train(poisoned_pipeline(config), tmp_path / "whole", stdout=log)
    # Each epoch has two steps, one of which has the document.
    assert "5 steps left out so far" in log.getvalue()
    assert "5 steps were left out" in log.getvalue()

    nlp = poisoned_pipeline(config)
    update, calls = type(nlp).update, []

    def dying(self, *args, **kwargs):
        calls.append(1)
        if len(calls) > 14:
            raise KeyboardInterrupt
        return update(self, *args, **kwargs)

    with monkeypatch.context() as patched, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patched.setattr(type(nlp), "update", dying)
        with pytest.raises(KeyboardInterrupt):
            train(nlp, tmp_path / "cut", stdout=io.StringIO(), checkpoint_every=1)
    steps = read_history(tmp_path / "cut").steps
    assert 0 < steps < 10
    resumed = poisoned_pipeline(config)
    again = io.StringIO()
    train(resumed, tmp_path / "cut", resume=True, stdout=again)
    assert resumed.get_pipe(NAME).guard.count == 5
    assert "5 steps were left out" in again.getvalue()
    model = f"model-last/{NAME}/model"
    assert (tmp_path / "cut" / model).read_bytes() == (tmp_path / "whole" / model).read_bytes()


def test_error_in_training_can_be_answered_by_skipping(config, tmp_path):
    strict = config.copy()
    strict["components"][NAME]["on_nonfinite"] = "raise"
    with pytest.raises(DocreError, match=POISON):
        train(poisoned_pipeline(strict), tmp_path / "run", checkpoint_every=1, stdout=io.StringIO())
    log = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(poisoned_pipeline(config), tmp_path / "run", resume=True, stdout=log)
    assert "5 steps were left out" in log.getvalue()


def test_spacys_own_loop(config, tmp_path):
    with pytest.warns(UserWarning, match="DW40"):
        spacy_train(poisoned_pipeline(config), tmp_path, stdout=io.StringIO())
    strict = config.copy()
    strict["components"][NAME]["on_nonfinite"] = "raise"
    with pytest.raises(DocreError, match=POISON):
        spacy_train(poisoned_pipeline(strict), tmp_path, stdout=io.StringIO())
