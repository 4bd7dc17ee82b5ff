import numpy as np
import pytest

from spacy_docre.extractor.decoding import PairScores, decode, split_by_doc

from ..util import random_batch

KEYS = ["c_1", "c_2", "c_3"]


def pairs(scores):
    scores = np.array(scores, dtype=np.float32)
    heads, tails = np.array([0, 0, 1])[: len(scores)], np.array([1, 2, 2])[: len(scores)]
    return PairScores(KEYS, heads, tails, scores)


def triples(relations):
    return [relation.triple for relation in relations]


def test_relations_above_the_threshold_best_first():
    relations = decode(
        pairs([[0.6, 0.5], [0.2, 0.9], [0.51, 0.1]]), ["x", "y"], threshold=0.5, max_labels=2
    )
    assert triples(relations) == [("c_1", "y", "c_3"), ("c_1", "x", "c_2"), ("c_2", "x", "c_3")]
    assert [r.score for r in relations] == pytest.approx([0.9, 0.6, 0.51])


@pytest.mark.parametrize(("max_labels", "expected"), [(1, "z"), (2, "yz"), (3, "xyz")])
def test_a_pair_has_at_most_so_many_types(max_labels, expected):
    relations = decode(
        pairs([[0.6, 0.8, 0.9]]), ["x", "y", "z"], threshold=0.5, max_labels=max_labels
    )
    assert sorted(r.label for r in relations) == list(expected)


def test_no_pairs_no_relations():
    assert decode(PairScores.empty(2), ["x", "y"], threshold=0.5, max_labels=1) == []


def test_batch_is_divided_among_its_documents():
    clusters = random_batch(np.random.default_rng(0), [2, 0, 3, 1])
    scores = np.arange(len(clusters.pair_head) * 2, dtype=np.float32).reshape(-1, 2)
    evidence = {(4, 1): [(3, 5), (0, 1)]}  # the third document's third pair
    parts = list(split_by_doc(clusters, scores, evidence))
    assert [len(part.keys) for part in parts] == [2, 0, 3, 1]
    assert [len(part.scores) for part in parts] == [2, 0, 6, 0]
    np.testing.assert_array_equal(np.concatenate([part.scores for part in parts]), scores)
    assert [part.evidence for part in parts] == [{}, {}, {(2, 1): [(3, 5), (0, 1)]}, {}]
    assert parts[2].pair_head.tolist() == [0, 0, 1, 1, 2, 2]
    assert parts[2].pair_tail.tolist() == [1, 2, 0, 2, 0, 1]


def test_relations_carry_their_evidence():
    scored = pairs([[0.6, 0.9]])
    scored.evidence[0, 1] = [(4, 6), (1, 2)]
    relations = decode(scored, ["x", "y"], threshold=0.5, max_labels=2)
    assert [relation["evidence"] for relation in relations] == [[[4, 6], [1, 2]], []]
