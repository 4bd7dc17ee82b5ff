"""Confidence intervals and significance against slow loops and known cases."""

import itertools

import numpy as np
import pytest
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_docre.scoring.clusters import score_clusters
from spacy_docre.scoring.judgement import judge_relations
from spacy_docre.scoring.metrics import tally_relations
from spacy_docre.scoring.scorer import score_judgement, score_relations
from spacy_docre.scoring.significance import (
    bootstrap_intervals,
    bootstrap_sums,
    cluster_intervals,
    compare,
)

from ..util import make_doc, random_examples

VOCAB = Vocab()
WORDS = ["a"] * 8
CLUSTERS = [[(i, i + 1)] for i in range(8)]
PAIRS = list(itertools.permutations(range(8), 2))


def system(correct, wrong):
    """A system that finds so many of ten relations, and sets so many wrong ones, by document."""
    examples = []
    for n_correct, n_wrong in zip(correct, wrong, strict=True):
        gold = [(h, "x", t) for h, t in PAIRS[:10]]
        predicted = gold[:n_correct] + [(h, "x", t) for h, t in PAIRS[20 : 20 + n_wrong]]
        docs = (make_doc(VOCAB, WORDS, CLUSTERS, relations=r) for r in (predicted, gold))
        examples.append(Example(*docs))
    return examples


def judged(correct, wrong):
    return judge_relations(system(correct, wrong))


def test_a_sample_is_documents_drawn_with_replacement():
    examples = random_examples(VOCAB, 3, n=6)
    judgement = judge_relations(examples)
    sums = next(iter(bootstrap_sums(tally_relations(judgement), n=40, seed=5)))
    draws = np.random.default_rng(5).multinomial(6, [1 / 6] * 6, size=40)
    for i, draw in enumerate(draws):
        sample = [eg for eg, n in zip(examples, draw, strict=True) for _ in range(n)]
        again = judge_relations(sample)
        assert again.n_docs == 6
        np.testing.assert_allclose(sums["rel"][i], tally_relations(again)["rel"].sum(axis=0))


def test_intervals_are_percentiles_of_the_samples_scores():
    examples = system([9, 2, 5, 7, 1, 8, 10, 3], [1, 0, 4, 2, 6, 0, 3, 1])
    judgement = judge_relations(examples)
    intervals = bootstrap_intervals(judgement, n=200, seed=1, subsets=True)
    draws = np.random.default_rng(1)
    values = []
    for size in (64, 64, 64, 8):
        for draw in draws.multinomial(8, [1 / 8] * 8, size=size):
            sample = [eg for eg, n in zip(examples, draw, strict=True) for _ in range(n)]
            values.append(score_relations(sample)["rel_f"])
    assert intervals["rel_f"] == pytest.approx(np.quantile(values, [0.025, 0.975]).tolist())
    low, high = intervals["rel_f"]
    assert low < score_judgement(judgement)["rel_f"] < high
    assert intervals == bootstrap_intervals(judgement, n=200, seed=1, subsets=True)
    assert intervals != bootstrap_intervals(judgement, n=200, seed=2, subsets=True)
    assert intervals["rel_subsets"]["single"] == intervals["rel_f"], "all entities have one mention"


def test_intervals_of_clusters_are_those_of_the_same_samples():
    examples = system([9, 2, 5, 7, 1, 8], [1, 0, 4, 2, 6, 0])
    intervals = cluster_intervals(examples, n=100, seed=1)
    assert intervals.keys() == score_clusters(examples).keys()
    # All clusters are equal here, so that the strict and the aligned metric are one.
    aligned = bootstrap_intervals(judge_relations(examples), n=100, seed=1)
    for letter in "prf":
        assert intervals[f"rel_strict_{letter}"] == pytest.approx(aligned[f"rel_{letter}"])
    assert cluster_intervals([], n=10) == {}


def test_every_metric_has_its_interval():
    judgement = judge_relations(system([5, 6], [1, 2]), train_facts={"a": set(), "b": set()})
    intervals = bootstrap_intervals(judgement, n=10, train_counts={}, subsets=True)
    scores = score_judgement(judgement, train_counts={}, subsets=True)
    assert set(scores) - set(intervals) == {"rel_per_type"}
    assert set(intervals["rel_ign_per_source"]) == {"a", "b"}
    assert set(intervals["rel_subsets"]) == set(scores["rel_subsets"])


def test_documents_that_agree_leave_no_doubt():
    intervals = bootstrap_intervals(judged([5] * 6, [2] * 6), n=50)
    assert intervals["rel_f"][0] == pytest.approx(intervals["rel_f"][1])


def test_nothing_annotated_no_interval():
    assert bootstrap_intervals(judge_relations([]), n=10) == {}


def test_randomisation_counts_all_exchanges():
    # With four documents all sixteen exchanges can be listed; their share is what random ones
    # come near to.
    sides = [([9, 8, 4, 7], [0, 1, 2, 1]), ([7, 8, 5, 3], [2, 1, 1, 3])]
    first, second = (judged(*side) for side in sides)

    def f1(rows):
        correct = sum(c for c, _ in rows)
        return 2 * correct / (sum(c + w for c, w in rows) + 40)

    rows = [list(zip(*side, strict=True)) for side in sides]
    observed = abs(f1(rows[0]) - f1(rows[1]))
    exchanges = itertools.product(range(2), repeat=4)
    large = [
        abs(
            f1([rows[s][i] for i, s in enumerate(swap)])
            - f1([rows[1 - s][i] for i, s in enumerate(swap)])
        )
        >= observed - 1e-12
        for swap in exchanges
    ]
    found = compare(first, second, n=20000, seed=0)["rel_f"]
    assert found.a == pytest.approx(f1(rows[0]))
    assert found.difference == pytest.approx(f1(rows[0]) - f1(rows[1]))
    assert found.p == pytest.approx(np.mean(large), abs=0.015)
    assert found.low < found.difference < found.high


def test_equal_systems_do_not_differ():
    found = compare(judged([5, 6, 7], [1, 0, 2]), judged([5, 6, 7], [1, 0, 2]), n=100)["rel_f"]
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_a_system_that_is_better_everywhere_differs():
    better, worse = judged([9] * 20, [1] * 20), judged([5] * 20, [3] * 20)
    found = compare(better, worse, n=2000)["rel_f"]
    assert found.p < 0.01
    assert found.low > 0
    mirrored = compare(worse, better, n=2000)["rel_f"]
    assert mirrored.difference == pytest.approx(-found.difference)
    assert mirrored.p == pytest.approx(found.p, abs=0.001)


def test_systems_with_other_types_can_be_compared():
    gold = [(0, "x", 1), (0, "y", 2)]
    sides = []
    for predicted in ([(0, "z", 1)], [(0, "y", 2), (0, "x", 1)]):
        docs = (make_doc(VOCAB, WORDS, CLUSTERS, relations=r) for r in (predicted, gold))
        sides.append(judge_relations([Example(*docs)]))
    found = compare(*sides, n=10)
    assert found["rel_macro_f"].a == 0
    assert found["rel_macro_f"].b == 1
