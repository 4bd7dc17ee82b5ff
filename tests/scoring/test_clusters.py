"""Metrics of mentions and clusters against cases computed by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_docre.data.clusters import copy_clusters
from spacy_docre.errors import DocreError
from spacy_docre.scoring import clusters as cluster_scores
from spacy_docre.scoring.clusters import has_names_only, score_clusters

from ..util import make_doc

VOCAB = Vocab()
WORDS = ["Ann", "Lee", "met", "Bo", "in", "Rome", ".", "She", "left", "Rome", "for", "Bonn", "."]
# Ann Lee, She | Bo | Rome, Rome | Bonn
GOLD = [[(0, 2), (7, 8)], [(3, 4)], [(5, 6), (9, 10)], [(11, 12)]]
TYPES = ["PER", "PER", "LOC", "LOC"]
GOLD_RELATIONS = [(0, "in", 2), (1, "in", 2), (0, "to", 3)]
# Ann Lee | Bo, She | Rome, Rome | met
PREDICTED = [[(0, 2)], [(3, 4), (7, 8)], [(5, 6), (9, 10)], [(2, 3)]]
PREDICTED_TYPES = ["PER", "PER", "ORG", "LOC"]
PREDICTED_RELATIONS = [(0, "in", 2), (1, "in", 2), (3, "in", 2)]


def f1(precision, recall):
    return 2 * precision * recall / (precision + recall)


def reference(relations=GOLD_RELATIONS):
    return make_doc(VOCAB, WORDS, GOLD, types=TYPES, relations=relations, sent_starts=(0, 7))


def prediction(clusters=PREDICTED, types=PREDICTED_TYPES, relations=PREDICTED_RELATIONS):
    return make_doc(VOCAB, WORDS, clusters, types=types, relations=relations)


def check(scores, name, precision, recall):
    assert scores[f"{name}_p"] == pytest.approx(precision)
    assert scores[f"{name}_r"] == pytest.approx(recall)
    both = precision + recall
    assert scores[f"{name}_f"] == pytest.approx(f1(precision, recall) if both else 0.0)


@pytest.fixture(scope="module")
def scores():
    return score_clusters([Example(prediction(), reference())])


def test_mentions(scores):
    # Five of six on both sides: "met" is wrong, "Bonn" missing.
    check(scores, "mention", 5 / 6, 5 / 6)
    # The two "Rome" have the wrong type as well.
    check(scores, "mention_typed", 3 / 6, 3 / 6)


def test_strict_clusters(scores):
    check(scores, "cluster_strict", 1 / 4, 1 / 4)
    check(scores, "entity_strict", 0, 0)


def test_soft_clusters_are_ceaf_e(scores):
    # phi_4: {Ann Lee} with {Ann Lee, She} 2/3; {Bo, She} with {Bo} 2/3, which is the better sum
    # than with {Ann Lee, She} 2/4; Rome 1; "met" none.
    total = 2 / 3 + 2 / 3 + 1
    check(scores, "cluster_soft", total / 4, total / 4)


def test_soft_entities_are_dwies(scores):
    # Of each cluster the share of its mentions that have its type on the other side.
    check(scores, "entity_soft", (1 + 1 + 0 + 0) / 4, (1 + 1 + 0 + 0) / 4)


def test_strict_relations(scores):
    check(scores, "rel_strict", 0, 0)
    exact = prediction(GOLD, TYPES, [(0, "in", 2), (1, "to", 2)])
    check(score_clusters([Example(exact, reference())]), "rel_strict", 1 / 2, 1 / 3)


def test_soft_relations_are_dwies(scores):
    # Gold pairs of mentions: in: {AnnLee, She, Bo} x {Rome, Rome}; to: {AnnLee, She} x {Bonn}.
    # Predicted: AnnLee in Rome 2 of 2, Bo and She in Rome 4 of 4, met in Rome none of 2.
    # Gold that is predicted: Ann's 4 of 4 (by two relations), Bo's 2 of 2, Ann to Bonn 0 of 2.
    check(scores, "rel_soft", 2 / 3, 2 / 3)
    half = prediction([[(0, 2), (2, 3)], [(5, 6)]], ["PER", "LOC"], [(0, "in", 1)])
    # AnnLee in Rome is gold, met in Rome is not; of Ann's four pairs one is predicted.
    check(score_clusters([Example(half, reference())]), "rel_soft", 1 / 2, (1 / 4) / 3)


def test_gold_clusters_score_one_whatever_their_tokens():
    words = ["Ann Lee", *WORDS[2:]]
    predicted = Doc(VOCAB, words=words)
    gold = reference()
    copy_clusters(gold, predicted)
    predicted._.relations = gold._.relations
    scores = score_clusters([Example(predicted, gold)])
    assert set(scores.values()) == {1.0}


def test_documents_add_up():
    nothing = prediction([], [], [])
    right = prediction(GOLD, TYPES, GOLD_RELATIONS)
    scores = score_clusters([Example(nothing, reference()), Example(right, reference())])
    for name in ("mention", "cluster_strict", "cluster_soft", "entity_soft", "rel_soft"):
        check(scores, name, 1.0, 0.5)


def test_what_nobody_annotated_is_no_error():
    empty = make_doc(VOCAB, [], [])
    assert set(score_clusters([Example(empty, empty.copy())]).values()) == {None}
    unannotated = make_doc(VOCAB, WORDS, [])
    assert set(score_clusters([Example(prediction(), unannotated)]).values()) == {None}
    scores = score_clusters([Example(prediction(), make_doc(VOCAB, WORDS, GOLD))])
    assert scores["mention_f"] is not None
    assert scores["rel_strict_f"] is None
    none_in_it = make_doc(VOCAB, WORDS, [], relations=[])
    check(score_clusters([Example(prediction(), none_in_it)]), "mention", 0, 0)


def test_entities_without_mentions_and_identical_ones():
    clusters = [[(0, 2)], [(0, 2)], [], [(3, 4), (3, 4)]]
    types = ["PER"] * 4
    gold = make_doc(VOCAB, WORDS, clusters, types=types, relations=[(0, "a", 3), (2, "a", 3)])
    scores = score_clusters([Example(gold.copy(), gold)])
    assert scores["cluster_soft_f"] == scores["cluster_strict_f"] == 1.0
    one = make_doc(VOCAB, WORDS, [[(0, 2)], [(3, 4)]], types=["PER"] * 2, relations=[(0, "a", 1)])
    scores = score_clusters([Example(one, gold)])
    check(scores, "cluster_strict", 1.0, 2 / 3)
    check(scores, "cluster_soft", 1.0, 2 / 3)
    check(scores, "rel_strict", 1.0, 1 / 2)
    check(scores, "rel_soft", 1.0, 1.0)


def named(doc, ents):
    doc.ents = [Span(doc, start, end, label="X") for start, end in ents]
    return doc


def test_pronouns_do_not_count_where_the_gold_standard_has_none():
    gold = make_doc(VOCAB, WORDS, [[(0, 2)], [(3, 4)]], types=["PER"] * 2, relations=[(0, "a", 1)])
    named(gold, [(0, 2), (3, 4)])
    clusters = [[(0, 2), (7, 8)], [(3, 4)], [(8, 9)], [(5, 6)]]
    own = make_doc(VOCAB, WORDS, clusters, types=["PER"] * 4, relations=[(0, "a", 1)])
    named(own, [(0, 2), (3, 4), (5, 6)])
    check(score_clusters([Example(own, gold)]), "cluster_strict", 1 / 4, 1 / 2)
    scores = score_clusters([Example(own, gold)], names_only=True)
    # "She" and "left" are no names; "Rome" is one and counts.
    check(scores, "mention", 2 / 3, 1.0)
    check(scores, "cluster_strict", 2 / 3, 1.0)
    check(scores, "rel_strict", 1.0, 1.0)
    assert score_clusters([Example(gold.copy(), gold)], names_only=True)["mention_f"] == 1.0


def test_a_corpus_of_names_only_is_recognised():
    names = named(reference(), [(0, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12)])
    assert has_names_only([names])
    assert not has_names_only([names, reference()]), "a document whose entities are not marked"
    assert not has_names_only([named(reference(), [(0, 2), (3, 4), (5, 6), (9, 10), (11, 12)])])


def test_relation_without_cluster_is_named():
    gold = reference()
    del gold.spans["entity_clusters_3"]
    with pytest.raises(DocreError, match=r"D046.*Ann Lee met.*entity_clusters_3"):
        score_clusters([Example(prediction(), gold)])


CLUSTERINGS = st.lists(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 2)), min_size=1, max_size=4), max_size=5
)


@given(CLUSTERINGS, CLUSTERINGS)
def test_swapping_the_sides_swaps_precision_and_recall(left, right):
    docs = []
    for clusters in (left, right):
        spans = [[(start, start + length) for start, length in c] for c in clusters]
        relations = [(h, "r", h - 1) for h in range(1, len(clusters))]
        docs.append(make_doc(VOCAB, WORDS, spans, relations=relations))
    scores = score_clusters([Example(docs[0], docs[1])])
    swapped = score_clusters([Example(docs[1], docs[0])])
    for name, value in scores.items():
        other = {"p": "r", "r": "p", "f": "f"}[name[-1]]
        assert value == pytest.approx(swapped[name[:-1] + other]), name
        assert 0 <= value <= 1 + 1e-12
    assert scores["cluster_strict_f"] <= scores["cluster_soft_f"] + 1e-12
    same = score_clusters([Example(docs[0].copy(), docs[0])])
    assert {v for n, v in same.items() if n.startswith("cluster")} == {1.0 if left else 0.0}


def test_the_cost_grows_with_the_corpus_alone(monkeypatch):
    """Clusters are matched with those of their own document; `benchmarks/exponents.py` has the
    time."""
    sizes = []
    monkeypatch.setattr(
        cluster_scores, "best_matching", lambda weights: sizes.append(len(weights)) or []
    )
    example = Example(prediction(), reference())
    score_clusters([example])
    score_clusters([example] * 9)
    assert sizes == [sizes[0]] * 10
