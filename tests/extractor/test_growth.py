"""Relation types that come after the model was built."""

import random
import warnings

import numpy as np
import pytest
import spacy
import torch
from spacy.training import Example

from spacy_docre import DocreError
from spacy_docre.models.growth import take_over
from spacy_docre.models.relation_model import relation_head
from spacy_docre.training.optimizer import create_adamw

from ..methods import HEADS, add_extractor, initialised
from ..util import birth_doc, birth_examples, make_doc, random_doc

WORDS = ["Ada", "met", "Oslo"]


def new_examples(vocab, label="met"):
    doc = make_doc(
        vocab, WORDS, [[(0, 1)], [(2, 3)]], types=["PERSON", "GPE"], relations=[(0, label, 1)]
    )
    return [Example(doc.copy(), doc)]


def loaded(nlp):
    copy = spacy.util.load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())
    return copy, copy.get_pipe("doc_relation_extractor")


def some_docs(vocab):
    return [birth_doc(vocab, 0), random_doc(vocab, random.Random(3), 50, 4)]


def assert_old_scores(before, after, n_labels):
    for a, b in zip(before, after, strict=True):
        assert b.scores.shape == (len(a.scores), n_labels)
        np.testing.assert_allclose(b.scores[:, :2], a.scores, atol=1e-6)


@pytest.mark.parametrize("head", HEADS)
def test_known_types_keep_their_scores(head, tmp_path):
    nlp, extractor = loaded(initialised(head, "cnn"))
    docs = some_docs(nlp.vocab)
    before = extractor.predict(docs)
    assert extractor.add_label("met") == 1
    assert extractor.add_label("met") == 0
    assert extractor.labels == ("born", "died", "met")
    after = extractor.predict(docs)
    assert_old_scores(before, after, 3)
    nlp.to_disk(tmp_path)
    saved = spacy.load(tmp_path).get_pipe("doc_relation_extractor")
    for a, b in zip(after, saved.predict(docs), strict=True):
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-6)


@pytest.mark.parametrize("head", HEADS)
def test_a_loaded_pipeline_learns_new_types(head):
    nlp, extractor = loaded(initialised(head, "cnn"))
    optimizer = nlp.resume_training(sgd=create_adamw(1e-3))
    nlp.update(birth_examples(nlp.vocab, 2), sgd=optimizer)
    # Old weights and those of new types get their gradients in the very step.
    with pytest.warns(UserWarning, match="DW66.*'met'"):
        nlp.update(new_examples(nlp.vocab), sgd=optimizer)
    nlp.update(birth_examples(nlp.vocab, 2) + new_examples(nlp.vocab), sgd=optimizer)
    assert extractor.labels == ("born", "died", "met")
    assert all(s.shape[1] == 3 for s in (p.scores for p in extractor.predict(some_docs(nlp.vocab))))


def test_gradients_of_the_step_so_far_stay():
    nlp, extractor = loaded(initialised("atlop", "cnn"))
    extractor.update(birth_examples(nlp.vocab, 2))
    layer = extractor.model.get_ref("head")
    old = relation_head(layer)
    before, moments = old.bilinear.weight.grad.clone(), layer.shims[0].id
    extractor.add_label("met")
    grown = relation_head(layer)
    assert layer.shims[0].id != moments
    assert torch.equal(grown.bilinear.weight.grad[:3], before)
    assert not grown.bilinear.weight.grad[3].any()
    assert grown.head_projection.weight is old.head_projection.weight


def test_initialisation_with_more_labels_keeps_what_is_trained():
    nlp, extractor = loaded(initialised("bilinear", "cnn"))
    docs = some_docs(nlp.vocab)
    before, counts = extractor.predict(docs), extractor.cfg["observed"]["types"]
    with pytest.warns(UserWarning, match="DW66"):
        nlp.initialize(lambda: new_examples(nlp.vocab))
    assert_old_scores(before, extractor.predict(docs), 3)
    assert extractor.cfg["entity_types"] == ["GPE", "PERSON"]
    assert extractor.cfg["observed"]["types"] == [*counts, ["met", "PERSON", "GPE", 1]]
    # Two pairs, one of which has the type, and half a pair more of each outcome.
    bias = relation_head(extractor.model.get_ref("head")).output_bias[2].item()
    assert bias == pytest.approx(np.log(0.5 / 0.5), abs=1e-6)


def test_constraints_and_thresholds_of_known_types_stay():
    nlp, extractor = loaded(initialised("atlop", "cnn"))
    constraints = {"types": {"born": [["PERSON"], ["GPE"]]}, "symmetric": ["died"]}
    extractor.configure(constraints=constraints, thresholds={"born": 0.9})
    docs = some_docs(nlp.vocab)
    before = extractor.predict(docs)
    extractor.add_label("met")
    assert_old_scores(before, extractor.predict(docs), 3)
    extractor.configure(thresholds={"born": 0.9, "met": 0.7})
    assert len(extractor.predict(docs)) == 2


def test_threshold_class_stays_first():
    new, old = torch.nn.Linear(4, 1 + 5), torch.nn.Linear(4, 1 + 2)
    fresh = new.weight.detach().clone()
    take_over(new, old, 2, 5)
    assert torch.equal(new.weight[:3], old.weight)
    assert torch.equal(new.weight[3:], fresh[3:])


def test_types_that_stand_twice_and_types_that_are_read():
    new, old = torch.nn.Linear(4 + 3, 2 * 3), torch.nn.Linear(4 + 2, 2 * 2)
    fresh = new.weight.detach().clone()
    take_over(new, old, 2, 3)
    assert torch.equal(new.weight[[0, 1, 3, 4]][:, :6], old.weight)
    assert not new.weight[:, 6].any()
    assert torch.equal(new.weight[[2, 5]][:, :6], fresh[[2, 5]][:, :6])


def test_axis_of_something_else_is_refused():
    with pytest.raises(DocreError, match=r"D173.*'weight'"):
        take_over(torch.nn.Linear(4, 8), torch.nn.Linear(4, 3), 2, 4)


def test_model_that_cannot_grow_says_so():
    _, extractor = loaded(initialised("atlop", "cnn"))
    del extractor.model.attrs["resize_output"]
    with pytest.raises(DocreError, match="D008"):
        extractor.add_label("met")
    assert extractor.labels == ("born", "died")


@pytest.mark.parametrize("label", ["Na", "NA", "n/a", "no_relation", "None", "Other"])
def test_names_of_no_relation_are_named(label):
    nlp = spacy.blank("xx")
    add_extractor(nlp, "atlop", "cnn")
    with pytest.warns(UserWarning, match=f"DW67.*'{label}'"):
        nlp.initialize(lambda: new_examples(nlp.vocab, label))


def test_ordinary_types_are_not():
    nlp = spacy.blank("xx")
    add_extractor(nlp, "atlop", "cnn")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp.initialize(lambda: new_examples(nlp.vocab, "other_name"))
