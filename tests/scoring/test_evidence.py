"""Evidence F1 by hand, and by an independent script after DocRED's `evaluation.py`."""

import json

import pytest
import spacy
import srsly
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab
from typer.testing import CliRunner

from spacy_docre import Relation
from spacy_docre.cli import app
from spacy_docre.data.clusters import copy_clusters
from spacy_docre.scoring.scorer import score_relations

from ..methods import add_extractor
from ..reference.official import official_scores
from ..util import birth_docs_as_docred, birth_examples, make_doc, rest_slow

VOCAB = Vocab()
WORDS = ["Ann", "met", "Bo", ".", "Ann", "left", ".", "Bo", "wept", "."]
SENTENCES = [(0, 4), (4, 7), (7, 10)]


def document(relations, sent_starts=(0, 4, 7)):
    doc = make_doc(VOCAB, WORDS, [[(0, 1), (4, 5)], [(2, 3), (7, 8)]], sent_starts=sent_starts)
    if relations is not None:
        doc._.relations = [
            Relation(f"entity_clusters_{h}", label, f"entity_clusters_{t}", evidence=spans)
            for h, label, t, spans in relations
        ]
    return doc


def evidence_scores(examples):
    scores = score_relations(examples)
    return [scores[f"rel_evidence_{name}"] for name in "prf"]


def test_evidence_by_hand():
    first, second, third = SENTENCES
    gold = document([(1, "met", 2, [first, third]), (2, "met", 1, [first]), (1, "left", 2, [])])
    predicted = document(
        [
            (1, "met", 2, [first, second]),  # one of the two is gold
            (2, "left", 1, [first]),  # a wrong relation: its evidence counts as predicted
            (1, "left", 2, [second]),  # a gold relation of which no evidence is known
        ]
    )
    example = Example(predicted, gold)
    # Of (1, met, 2) alone: one of two sentences on both sides.
    assert score_relations([example])["rel_evidence_correct_f"] == pytest.approx(1 / 2)
    p, r, f = evidence_scores([example])
    assert (p, r) == (pytest.approx(1 / 4), pytest.approx(1 / 3))
    assert f == pytest.approx(2 * p * r / (p + r))


def test_mentions_count_by_their_sentences():
    gold = document([(1, "met", 2, [SENTENCES[0]])])
    mentions = document([(1, "met", 2, [(0, 1), (2, 3), (7, 8)])])
    assert evidence_scores([Example(mentions, gold)])[:2] == [pytest.approx(1 / 2), 1.0]


def test_other_tokens_and_sentences():
    gold = document([(1, "met", 2, [SENTENCES[0], SENTENCES[2]])])
    words = ["Ann met", "Bo", ".", "Ann", "left", ".", "Bo wept ."]
    predicted = Doc(VOCAB, words=words)
    copy_clusters(gold, predicted)
    triple = ("entity_clusters_1", "met", "entity_clusters_2")
    predicted._.relations = [Relation(*triple, evidence=[(0, 2), (6, 7)])]
    assert evidence_scores([Example(predicted, gold)])[:2] == [1.0, 1.0]
    # A sentence of the pipeline's own may span several of the gold standard.
    predicted._.relations = [Relation(*triple, evidence=[(0, 7)])]
    assert evidence_scores([Example(predicted, gold)])[:2] == [pytest.approx(2 / 3), 1.0]


def test_no_gold_evidence_no_score():
    without = Example(document([(1, "met", 2, [(0, 4)])]), document([(1, "met", 2, [])]))
    assert evidence_scores([without]) == [None, None, None]
    scores = score_relations([without])
    assert scores["rel_evidence_correct_f"] is None
    assert scores["rel_f"] == 1.0
    assert evidence_scores([Example(document(None), document(None))]) == [None, None, None]


def test_a_method_without_evidence_scores_zero():
    gold, predicted = document([(1, "met", 2, [(0, 4)])]), document([(1, "met", 2, [])])
    assert evidence_scores([Example(predicted, gold)]) == [0.0, 0.0, 0.0]


def test_a_document_without_sentences_is_one():
    gold = Doc(VOCAB, words=WORDS)
    copy_clusters(document([]), gold)
    triple = ("entity_clusters_1", "met", "entity_clusters_2")
    gold._.relations = [Relation(*triple, evidence=[(0, 10)])]
    assert evidence_scores([Example(document([(1, "met", 2, [(8, 9)])]), gold)]) == [1.0] * 3


@pytest.mark.parametrize("head", rest_slow(["atlop", "rsman", "kmgre"], lambda h: h == "atlop"))
def test_evaluate_agrees_with_the_official_metric(head, tmp_path):
    spacy.util.fix_random_seed(1)
    nlp = spacy.blank("xx")
    add_extractor(nlp, head, "cnn", threshold=0.4)
    examples = birth_examples(nlp.vocab)
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(12):
        nlp.update(examples, sgd=optimizer)
    nlp.to_disk(tmp_path / "model")
    rows = birth_docs_as_docred(range(3, 9))
    for row in rows:
        for number, fact in enumerate(row["labels"]):
            sentences = [{m["sent_id"] for m in row["vertexSet"][fact[end]]} for end in ("h", "t")]
            fact["evidence"] = sorted(set.union(*sentences)) if number else []
    srsly.write_json(tmp_path / "dev.json", rows)
    srsly.write_json(tmp_path / "rel_info.json", {"P1": "born", "P2": "died"})
    dev, names = tmp_path / "dev.spacy", ("--rel-info", tmp_path / "rel_info.json")
    for arguments in (
        ("convert", "docred", tmp_path / "dev.json", dev, *names),
        ("evaluate", tmp_path / "model", dev, "-o", tmp_path / "metrics.json"),
        ("predict", tmp_path / "model", dev, tmp_path / "out.json", "-f", "docred", *names),
    ):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output
    metrics, out = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("metrics", "out"))
    expected = official_scores(out, rows)["evidence_f1"]
    assert 0 < expected < 1, "the half-trained model makes the test meaningful"
    assert metrics["rel_evidence_f"] == pytest.approx(expected, abs=1e-9)
