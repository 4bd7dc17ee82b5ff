"""Tuning: probes on frozen encodings, and whole trainings that stop and go on."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
import spacy
import torch
from spacy.tokens import DocBin

from spacy_docre.data.relation import set_relations
from spacy_docre.errors import DocreError
from spacy_docre.experiments.frozen import FrozenMethod, HeadTraining
from spacy_docre.experiments.tuning import Probes, Rates, tuning_table

from ..commands import run
from ..util import birth_examples

CONFIGS = Path(__file__).parent.parent.parent / "configs"
ENCODER = "components.doc_relation_extractor.model.encoder"


@pytest.fixture
def overrides(tiny_bert):
    return {"paths.encoder": str(tiny_bert), f"{ENCODER}.window": 64, f"{ENCODER}.stride": 8}


@pytest.fixture
def frozen(corpus, overrides):
    sizes = {"n_train": 8, "n_dev": 6}
    file = CONFIGS / "bilinear.cfg"
    return FrozenMethod.read(file, corpus, corpus, **sizes, overrides=overrides, encoded={})


def train(method, rate=3e-3, steps=60, eval_every=20):
    return HeadTraining(method, rate=rate, steps=steps, eval_every=eval_every, seed=1)


def test_frozen_documents_are_batches_with_their_gold_standard(frozen):
    assert [batch.encoding.index.n_docs for batch in frozen.train] == [4, 4]
    assert [batch.encoding.index.n_docs for batch in frozen.dev] == [4, 2]
    for batch in (*frozen.train, *frozen.dev):
        assert not any(tensor.requires_grad for tensor in batch.encoding.tensors)
        assert batch.targets.labels.sum() == batch.n_gold


def test_encodings_are_made_once_for_methods_with_the_same_encoder(corpus, overrides):
    encoded = {}
    read = {"n_train": 8, "n_dev": 6, "overrides": overrides, "encoded": encoded}
    first = FrozenMethod.read(CONFIGS / "bilinear.cfg", corpus, corpus, **read)
    second = FrozenMethod.read(CONFIGS / "atlop.cfg", corpus, corpus, **read)
    for a, b in zip(first.train, second.train, strict=True):
        assert a.encoding is b.encoding
    assert len(encoded) == 2


def test_a_head_learns_on_frozen_encodings(frozen):
    evaluations = train(frozen).run(60)
    assert [evaluation["step"] for evaluation in evaluations] == [20, 40, 60]
    losses = [evaluation["loss"] for evaluation in evaluations]
    assert all(a > b for a, b in pairwise(losses))
    assert evaluations[-1]["f1_tuned"] > 0.5
    assert all(evaluation["f1"] <= evaluation["f1_tuned"] for evaluation in evaluations)


def test_a_training_that_stops_goes_on_as_if_it_had_not(frozen):
    whole, parts = train(frozen), train(frozen)
    whole.run(60)
    torch.manual_seed(99)
    for until in (25, 60):
        parts.run(until)
    for a, b in zip(whole.head.parameters(), parts.head.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.fixture
def probes(corpus, overrides, tmp_path):
    return Probes(
        config=CONFIGS / "bilinear.cfg",
        train=Path(corpus),
        dev=Path(corpus),
        file=tmp_path / "bilinear.json",
        n_train=8,
        n_dev=4,
        steps=8,
        eval_every=4,
        seed=1,
        overrides=overrides,
    )


def test_probes_are_written_down_and_read_again(probes):
    trials = [Rates(0.0, rate) for rate in (1e-4, 1e-3, 1e-2)]
    results = probes.run(trials)
    assert [(result["head_rate"], result["encoder_rate"]) for result in results] == [
        *((1e-4, 0.0), (1e-3, 0.0), (1e-2, 0.0))
    ]
    assert max(result["steps"] for result in results) == 8
    content = probes.file.read_text()
    again = Probes(**{name: getattr(probes, name) for name in Probes.__dataclass_fields__})
    # Nothing is trained: the method's config need not even be read.
    again.__dict__["_method"] = None
    assert again.run(trials) == results
    assert probes.file.read_text() == content
    other = Probes(**{**{n: getattr(probes, n) for n in Probes.__dataclass_fields__}, "seed": 2})
    with pytest.raises(DocreError, match=r"D172.*seed"):
        other.run(trials)


def test_table_of_probes_and_of_trainings():
    probe = {"encoder_rate": 0.0, "dropout": None, "f1": 0.1, "n_types": 3}
    trials = [
        {**probe, "head_rate": 1e-4, "steps": 25, "f1_tuned": 0.4},
        {**probe, "head_rate": 1e-3, "steps": 100, "f1_tuned": 0.3, "key_share": 0.5},
    ]
    assert tuning_table({"kmgre": trials}).splitlines() == [
        "| Method | Head rate | Steps | F1 | F1, best threshold"
        " | Share of mention pairs kept | Types predicted |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| `kmgre` | 0.0001 | 25 | 10.00 | 40.00 |  | 3 |",
        "| `kmgre` | 0.001 | 100 | 10.00 | **30.00** | 0.500 | 3 |",
    ]
    training = {"encoder_rate": 3e-5, "head_rate": 1e-3, "dropout": 0.2, "steps": 9, "f1": 0.5}
    assert tuning_table({"rsman": [training]}).splitlines() == [
        "| Method | Encoder rate | Head rate | Dropout | Steps | F1 |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| `rsman` | 3e-05 | 0.001 | 0.2 | 9 | **50.00** |",
    ]


@pytest.mark.slow
def test_command_tries_the_grid_and_resumes(corpus, tiny_bert, tmp_path):
    def tune():
        return run(
            *("tune", "--methods", "bilinear", "--encoder", tiny_bert, "--configs", CONFIGS),
            *("--train", corpus, "--dev", corpus, "--output", tmp_path),
            *("--encoder-rates", "1e-4", "--head-rates", "1e-4 1e-2", "--dropouts", "0.1"),
            *("--training.max_steps", "8", "--training.eval_frequency", "2"),
            *(f"--{ENCODER}.window", "64", f"--{ENCODER}.stride", "8"),
        )

    table = tune()
    results = json.loads((tmp_path / "table.json").read_text())["bilinear"]
    assert max(result["steps"] for result in results) == 8
    folders = {path.parent.name for path in tmp_path.glob("*/bilinear-66")}
    assert folders == {"0.0001_0.0001_0.1", "0.0001_0.01_0.1"}
    assert tune() == table
    assert json.loads((tmp_path / "table.json").read_text())["bilinear"] == results


def test_gold_relations_of_unknown_types_count_as_missed(corpus, overrides, tmp_path):
    vocab = spacy.blank("xx").vocab
    docs = [eg.reference for eg in birth_examples(vocab, 3)]
    n_gold = sum(len(doc._.relations) for doc in docs)
    for doc in docs:
        kept = [relation for relation in doc._.relations if relation.label == "born"]
        set_relations(doc, kept)
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "train.spacy")
    read = {"n_train": 3, "n_dev": 3, "overrides": overrides, "encoded": {}}
    file = CONFIGS / "bilinear.cfg"
    method = FrozenMethod.read(file, tmp_path / "train.spacy", corpus, **read)
    (batch,) = method.dev
    assert batch.targets.labels.shape[1] == 1
    assert batch.n_gold == n_gold > batch.targets.labels.sum()
