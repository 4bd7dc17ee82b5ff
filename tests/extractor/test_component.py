import warnings

import numpy as np
import pytest
import spacy
import srsly
import torch
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import raise_error

from spacy_docre import DocreError, Relation, get_clusters
from spacy_docre.extractor import component
from spacy_docre.extractor.decoding import split_by_doc
from spacy_docre.models.relation_model import relation_head
from spacy_docre.training.optimizer import create_adamw

from ..methods import add_extractor, overfitted, with_shared_tok2vec
from ..util import birth_doc, birth_examples, make_doc


@pytest.fixture(scope="module")
def trained():
    return overfitted()


def triples(doc):
    return [relation.triple for relation in doc._.relations]


def test_default_settings_train():
    nlp = spacy.blank("xx")
    nlp.add_pipe("doc_relation_extractor")
    examples = birth_examples(nlp.vocab, 2)
    optimizer = nlp.initialize(lambda: examples)
    losses = nlp.update(examples, sgd=optimizer)
    assert losses["doc_relation_extractor"] > 0


def test_factory_declares_what_it_reads_and_writes():
    meta = spacy.blank("xx").get_factory_meta("doc_relation_extractor")
    assert meta.assigns == ["doc._.relations"]
    assert meta.requires == ["doc.spans"]
    assert meta.default_score_weights["rel_f"] == 1.0
    nlp = spacy.blank("xx")
    nlp.add_pipe("doc_relation_extractor")
    assert nlp.analyze_pipes()["problems"]["doc_relation_extractor"] == ["doc.spans"]


def test_uninitialised_component_says_so():
    nlp = spacy.blank("xx")
    add_extractor(nlp, "atlop", "cnn")
    with pytest.raises(DocreError, match="D012"):
        nlp(birth_doc(nlp.vocab, 0))


def test_labels_come_from_the_data():
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, "atlop", "cnn")
    assert extractor.add_label("aunt") == 1
    assert extractor.add_label("aunt") == 0
    with pytest.raises(ValueError, match="E187"):
        extractor.add_label(3)
    nlp.initialize(lambda: birth_examples(nlp.vocab))
    assert extractor.labels == ("aunt", "born", "died")
    assert extractor.label_data == ["aunt", "born", "died"]
    assert extractor.cfg["entity_types"] == ["GPE", "PERSON"]
    assert extractor.add_label("born") == 0
    assert extractor.add_label("uncle") == 1


def test_labels_come_from_a_file(tmp_path):
    srsly.write_json(tmp_path / "labels.json", ["died", "born", "buried"])
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, "atlop", "cnn")
    nlp.config["initialize"]["components"]["doc_relation_extractor"] = {
        "labels": {"@readers": "spacy.read_labels.v1", "path": str(tmp_path / "labels.json")}
    }
    nlp.initialize(lambda: birth_examples(nlp.vocab))
    assert extractor.labels == ("died", "born", "buried")


def test_data_without_relations_cannot_initialise():
    nlp = spacy.blank("xx")
    add_extractor(nlp, "atlop", "cnn")
    doc = make_doc(nlp.vocab, ["a", "b"], [[(0, 1)], [(1, 2)]])
    with pytest.raises(DocreError, match="D005"):
        nlp.initialize(lambda: [Example(doc, doc)])


def test_label_that_initialisation_did_not_see():
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, "atlop", "cnn")
    nlp.initialize(lambda: birth_examples(nlp.vocab))
    doc = make_doc(nlp.vocab, ["a", "b"], [[(0, 1)], [(1, 2)]], relations=[(0, "aunt", 1)])
    with pytest.raises(DocreError, match="'aunt'"):
        extractor.update([Example(doc.copy(), doc)])


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("max_labels", 0),
        ("max_pairs", 1),
        ("max_mentions", 0),
        ("max_wordpieces", -1),
        ("max_batch_items", -1),
        ("threshold", 1.5),
    ],
)
def test_settings_are_checked(setting, value):
    with pytest.raises(DocreError, match=setting):
        add_extractor(spacy.blank("xx"), "atlop", "cnn", **{setting: value})


def test_pipe_equals_call_and_keeps_the_order(trained):
    docs = [birth_doc(trained.vocab, n) for n in range(7)]
    docs.insert(3, make_doc(trained.vocab, [], []))
    called = [triples(trained(doc.copy())) for doc in docs]
    assert [triples(doc) for doc in trained.pipe(docs, batch_size=3)] == called
    assert called[0] == triples(docs[0])
    assert called[3] == []


def test_batches_are_bounded(trained, monkeypatch):
    extractor = trained.get_pipe("doc_relation_extractor")
    docs = [birth_doc(trained.vocab, n) for n in range(6)]
    expected = extractor.predict(docs)
    sizes = []
    monkeypatch.setitem(extractor.cfg, "max_batch_items", 2 * len(docs[0]))

    def split(clusters, *scored):
        sizes.append(clusters.n_docs)
        return split_by_doc(clusters, *scored)

    monkeypatch.setattr(component, "split_by_doc", split)
    for a, b in zip(extractor.predict(docs), expected, strict=True):
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-6)
    assert sizes == [2, 2, 2]


def test_two_processes_give_the_same_relations(trained):
    docs = [birth_doc(trained.vocab, n) for n in range(6)]
    expected = [doc._.relations for doc in trained.pipe([doc.copy() for doc in docs])]
    result = list(trained.pipe(docs, n_process=2, batch_size=2))
    assert [triples(doc) for doc in result] == [[r.triple for r in rels] for rels in expected]
    for doc, relations in zip(result, expected, strict=True):
        assert [r.score for r in doc._.relations] == pytest.approx([r.score for r in relations])
        assert doc._.relations[0].head.text in doc.text


def test_scores_are_probabilities_and_sorted(trained):
    relations = trained(birth_doc(trained.vocab, 0))._.relations
    scores = [relation.score for relation in relations]
    assert len(relations) == 4
    assert scores == sorted(scores, reverse=True)
    assert all(0.5 < score <= 1 for score in scores)


def test_threshold_decides(trained, monkeypatch):
    extractor = trained.get_pipe("doc_relation_extractor")
    monkeypatch.setitem(extractor.cfg, "threshold", 1.0)
    assert trained(birth_doc(trained.vocab, 0))._.relations == ()
    monkeypatch.setitem(extractor.cfg, "threshold", 0.0)
    assert len(trained(birth_doc(trained.vocab, 0))._.relations) == 5 * 4 * 2


def test_other_prefix_and_attribute_reach_component_and_scorer():
    nlp = spacy.blank("xx")
    add_extractor(nlp, "atlop", "cnn", prefix="things", attr="facts")
    docs = [birth_doc(nlp.vocab, n) for n in range(4)]
    examples = []
    for doc in docs:
        reference = Doc(nlp.vocab, words=[token.text for token in doc])
        for number, cluster in enumerate(get_clusters(doc), start=1):
            reference.spans[f"things_{number}"] = [
                reference[span.start : span.end] for span in cluster.mentions
            ]
        reference._.facts = [
            Relation(*(key.replace("entity_clusters", "things") for key in relation.triple))
            for relation in doc._.relations
        ]
        examples.append(Example(reference.copy(), reference))
        examples[-1].predicted.user_data.clear()
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(60):
        nlp.update(examples, sgd=optimizer)
    assert nlp.evaluate(examples)["rel_f"] == 1.0
    doc = nlp(examples[0].predicted)
    assert doc._.relations == ()
    assert doc._.facts[0].head.key.startswith("things_")
    Doc.remove_extension("facts")


def test_gold_clusters_are_used_in_training_only(trained):
    reference = birth_doc(trained.vocab, 0)
    predicted = Doc(trained.vocab, words=[token.text for token in reference])
    extractor = trained.get_pipe("doc_relation_extractor")
    extractor.update([Example(predicted, reference)])
    assert len(get_clusters(predicted)) == 5
    predicted = Doc(trained.vocab, words=[token.text for token in reference])
    assert trained.evaluate([Example(predicted, reference)])["rel_r"] == 0.0


def test_texts_must_be_equal(trained):
    reference = birth_doc(trained.vocab, 0)
    other = Doc(trained.vocab, words=["Another", "text"])
    with pytest.raises(DocreError, match="D007"):
        trained.get_pipe("doc_relation_extractor").update([Example(other, reference)])


def test_update_without_pairs_changes_nothing(trained):
    extractor = trained.get_pipe("doc_relation_extractor")
    before = extractor.model.to_bytes()
    doc = make_doc(trained.vocab, ["a"], [[(0, 1)]], relations=[])
    optimizer = trained.create_optimizer()
    losses = extractor.update([Example(doc.copy(), doc)], sgd=optimizer)
    assert losses == {"doc_relation_extractor": 0.0}
    assert extractor.model.to_bytes() == before


def test_shared_tok2vec_is_trained_through_a_listener():
    nlp = with_shared_tok2vec()
    examples = birth_examples(nlp.vocab)
    optimizer = nlp.initialize(lambda: examples)
    before = nlp.get_pipe("tok2vec").model.to_bytes()
    for _ in range(80):
        nlp.update(examples, sgd=optimizer)
    assert nlp.get_pipe("tok2vec").model.to_bytes() != before
    assert nlp.evaluate(examples)["rel_f"] == 1.0


def test_gradient_accumulation_equals_a_larger_batch(trained):
    """The loss is a mean over the pairs of a batch: with parts of the same size, the gradients of
    the parts add up to a multiple of the whole's."""
    extractor = trained.get_pipe("doc_relation_extractor")
    examples = birth_examples(trained.vocab, 4)
    head = extractor.model.get_ref("head").shims[0].require_built()

    def gradient(parts):
        head.zero_grad()
        for part in parts:
            extractor.update(part)
        return head.bilinear.weight.grad.clone()

    whole, parts = gradient([examples]), gradient([examples[:2], examples[2:]])
    np.testing.assert_allclose(parts / 2, whole, atol=1e-5)
    head.zero_grad()


def test_accumulated_half_batches_take_the_step_of_the_whole(trained):
    """The gradients of accumulated batches are added, not averaged; neither the clipping by the
    norm nor AdamW's step depends on that factor."""

    def step(parts):
        nlp = spacy.util.load_model_from_config(trained.config).from_bytes(saved)
        extractor = nlp.get_pipe("doc_relation_extractor")
        for part in parts:
            nlp.update(part, sgd=False)
        extractor.finish_update(create_adamw(0.01, max_norm=1e-3, eps=1e-12))
        return extractor.model.get_ref("head").shims[0]._model.bilinear.weight.detach()

    saved = trained.to_bytes()
    examples = [Example(birth_doc(trained.vocab, n), birth_doc(trained.vocab, n)) for n in range(4)]
    before = step([])
    whole, parts = step([examples]) - before, step([examples[:2], examples[2:]]) - before
    assert np.abs(whole.numpy()).max() > 1e-3
    np.testing.assert_allclose(parts, whole, atol=1e-4)


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_error_handler_gets_the_failing_documents_alone(trained, batch_size):
    failed = []

    def fail(docs):
        if any("boom" in doc.text for doc in docs):
            raise ValueError("boom")
        return original(docs)

    extractor = trained.get_pipe("doc_relation_extractor")
    original = extractor.predict
    extractor.predict = fail
    try:
        extractor.set_error_handler(lambda name, proc, docs, error: failed.extend(docs))
        bad = make_doc(trained.vocab, ["boom"], [])
        good = [birth_doc(trained.vocab, n) for n in range(3)]
        annotated = list(extractor.pipe([good[0], bad, *good[1:]], batch_size=batch_size))
        assert all(a is b for a, b in zip(annotated, good, strict=True))
        assert failed == [bad]
    finally:
        del extractor.predict
        extractor.set_error_handler(raise_error)


def test_errors_are_raised_by_default(trained, monkeypatch):
    extractor = trained.get_pipe("doc_relation_extractor")
    monkeypatch.setattr(extractor, "predict", lambda docs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(extractor.pipe([birth_doc(trained.vocab, n) for n in range(3)], batch_size=2))


def test_batch_that_fails_only_as_a_whole_warns(trained, monkeypatch):
    def out_of_memory(docs):
        if len(docs) > 1:
            raise RuntimeError("out of memory")
        return original(docs)

    extractor = trained.get_pipe("doc_relation_extractor")
    original = extractor.predict
    monkeypatch.setattr(extractor, "predict", out_of_memory)
    docs = [birth_doc(trained.vocab, n) for n in range(3)]
    with pytest.warns(UserWarning, match="DW23.*out of memory"):
        annotated = list(extractor.pipe(docs, batch_size=3))
    assert [triples(doc) for doc in annotated] == [triples(trained(doc.copy())) for doc in docs]


def test_no_warning_in_ordinary_use(trained):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained(birth_doc(trained.vocab, 0))


@pytest.mark.parametrize("head", ["bilinear", "context_aware", "glre", "rsman_context", "rsman"])
def test_cross_entropy_starts_at_the_log_odds_of_the_types(head):
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, head, "cnn")
    examples = birth_examples(nlp.vocab, 3)
    # Of a pair whose relations are not known nothing is counted.
    examples.append(Example(nlp.make_doc("Ada lives"), nlp.make_doc("Ada lives")))
    examples[0].reference._.relations = examples[0].reference._.relations[:1]
    nlp.initialize(lambda: examples)
    module = relation_head(extractor.model.get_ref("head"))
    bias = module.output_bias.detach().tolist()
    if head == "rsman":
        assert module.has_threshold
        assert bias == [0.0] * 3
        return
    # Three documents of five entities: 60 pairs, 5 of which are births, 4 deaths.
    shares = [5.5 / 61, 4.5 / 61]
    assert bias == pytest.approx([np.log(p / (1 - p)) for p in shares], abs=1e-5)
    # What is trained already stays.
    with torch.no_grad():
        module.output_bias.fill_(3.0)
    extractor.initialize(lambda: examples)
    assert module.output_bias.tolist() == [3.0, 3.0]
