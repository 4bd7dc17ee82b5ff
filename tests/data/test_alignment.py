from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_docre.data.alignment import best_matching, cluster_overlap

WEIGHTS = st.dictionaries(
    st.tuples(st.integers(0, 3), st.integers(0, 3)), st.integers(1, 20), max_size=16
)


MENTION = st.tuples(st.integers(0, 40), st.integers(0, 20)).map(lambda m: (m[0], sum(m)))
CLUSTERS = st.lists(st.lists(MENTION, max_size=4), max_size=4)


@given(CLUSTERS, CLUSTERS)
def test_the_overlap_equals_a_loop_over_all_pairs(predicted, gold):
    expected = Counter()
    for i, cluster in enumerate(predicted):
        for j, other in enumerate(gold):
            for start, end in cluster:
                for start2, end2 in other:
                    shared = set(range(start, end)) & set(range(start2, end2))
                    if shared:
                        both = {*range(start, end), *range(start2, end2)}
                        expected[i, j] += len(shared) / len(both)
    assert cluster_overlap(predicted, gold) == pytest.approx(dict(expected))


def best_total(weights):
    """The largest sum of weights, by trying all."""
    return max(
        sum(weights.get((i, j), 0) for i, j in enumerate(columns))
        for columns in permutations(range(4))
    )


@given(WEIGHTS)
def test_the_matching_is_one_to_one_and_the_best(weights):
    matches = best_matching(weights)
    assert len({i for i, _ in matches}) == len({j for _, j in matches}) == len(matches)
    assert sum(weights[pair] for pair in matches) == best_total(weights)


def test_the_best_pair_is_not_always_matched():
    assert best_matching({(0, 0): 3.0, (0, 1): 2.0, (1, 0): 2.0}) == [(0, 1), (1, 0)]


def test_equal_numbers_are_preferred():
    weights = {(i, j): 1.0 for i in range(4) for j in range(4)}
    assert best_matching(weights) == [(i, i) for i in range(4)]
    assert best_matching({}) == []
