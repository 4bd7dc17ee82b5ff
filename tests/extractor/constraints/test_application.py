import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from spacy.vocab import Vocab

from spacy_docre.extractor.constraints import Constraints
from spacy_docre.extractor.constraints.building import build_constraints
from spacy_docre.extractor.decoding import score_batch, select
from spacy_docre.models.batch import ClusterBatch
from spacy_docre.models.encoding import HeadOutput
from spacy_docre.models.torch_head import RelationHead

from ...util import make_doc, random_batch

LABELS = ["a", "b", "c", "d"]
TYPES = ["LOC", "PER"]
VOCAB = Vocab()

TYPE_LISTS = st.lists(st.sampled_from([*TYPES, "*"]), max_size=2)
SETTINGS = st.fixed_dictionaries(
    {
        "types": st.none()
        | st.dictionaries(st.just("a"), st.tuples(TYPE_LISTS, TYPE_LISTS).map(list)),
        "symmetric": st.sampled_from([None, ["c"], ["c", "d"]]),
        "inverse": st.sampled_from([None, {"a": "b"}]),
    }
)


def build(settings) -> Constraints:
    constraints = build_constraints(
        settings, labels=LABELS, entity_types=TYPES, observed=None, name="rel"
    )
    if constraints is None:
        n_types = len(TYPES) + 1
        free = np.ones((len(LABELS), n_types, n_types), dtype=bool)
        return Constraints(free, np.full(len(LABELS), -1))
    return constraints


def obvious_scores(settings, scores, clusters):
    """The rule as it is documented, one relation at a time."""
    names = ["(unknown)", *TYPES]
    inverse = {label: label for label in settings["symmetric"] or []}
    for label, other in (settings["inverse"] or {}).items():
        inverse |= {label: other, other: label}

    def fits(entity, types):
        name = names[clusters.entity_type[entity]]
        return name == "(unknown)" or not types or "*" in types or name in types

    def is_allowed(head, label, tail):
        for given_label, (heads, tails) in (settings["types"] or {}).items():
            if label == given_label and not (fits(head, heads) and fits(tail, tails)):
                return False
            if inverse.get(label) == given_label and not (fits(tail, heads) and fits(head, tails)):
                return False
        return True

    raw = {}
    for pair, (head, tail) in enumerate(zip(clusters.pair_head, clusters.pair_tail, strict=True)):
        for i, label in enumerate(LABELS):
            raw[head, label, tail] = scores[pair, i]
    result = np.zeros_like(scores)
    for pair, (head, tail) in enumerate(zip(clusters.pair_head, clusters.pair_tail, strict=True)):
        for i, label in enumerate(LABELS):
            score = raw[head, label, tail]
            if label in inverse and (tail, inverse[label], head) in raw:
                score = (score + raw[tail, inverse[label], head]) / 2
            result[pair, i] = score if is_allowed(head, label, tail) else 0
    return result


def random_case(seed, entities, *, dropped=0.0):
    rng = np.random.default_rng(seed)
    clusters = random_batch(rng, entities, n_types=len(TYPES) + 1)
    kept = rng.random(len(clusters.pair_head)) >= dropped
    clusters = replace(
        clusters, pair_head=clusters.pair_head[kept], pair_tail=clusters.pair_tail[kept]
    )
    scores = rng.random((len(clusters.pair_head), len(LABELS))).astype(np.float32)
    return clusters, scores


@given(
    SETTINGS,
    st.lists(st.integers(0, 4), min_size=1, max_size=3),
    st.integers(0, 999),
    st.sampled_from([0, 0.4]),
)
def test_scores_equal_those_of_loops(settings, entities, seed, dropped):
    if settings["types"] and settings["symmetric"] and "a" in settings["symmetric"]:
        return
    clusters, scores = random_case(seed, entities, dropped=dropped)
    before = scores.copy()
    result = build(settings).apply(scores, clusters)
    np.testing.assert_array_equal(result, obvious_scores(settings, scores, clusters))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(scores, before, err_msg="the model's scores are left alone")


@given(SETTINGS, st.integers(0, 999))
def test_both_directions_get_the_same_score(settings, seed):
    clusters, scores = random_case(seed, [4, 2])
    constraints = build(settings)
    result = constraints.apply(scores, clusters)
    row = {pair: i for i, pair in enumerate(zip(clusters.pair_head, clusters.pair_tail))}  # noqa: B905
    for (head, tail), i in row.items():
        for label, other in enumerate(constraints.inverse):
            if other >= 0:
                assert result[i, label] == result[row[tail, head], other]
    twice = constraints.apply(result, clusters)
    np.testing.assert_array_equal(twice, result, err_msg="constrained scores satisfy them")


@pytest.mark.parametrize("entities", [[], [0], [1], [1, 0, 1]])
def test_no_pair(entities):
    clusters, scores = random_case(0, entities or [0])
    constraints = build({"types": {"a": [["PER"], []]}, "symmetric": ["c"], "inverse": {"a": "b"}})
    assert constraints.apply(scores, clusters).shape == (0, len(LABELS))
    none = np.zeros(0, dtype=np.int64)
    pairs, labels = constraints.sources(scores, clusters, none, none, threshold=0.5)
    assert len(pairs) == len(labels) == 0


def person_and_place(n_unknown=0):
    words = ["Ada", "Oslo", "x"]
    clusters = [[(0, 1)], [(1, 2)], *[[(2, 3)]] * n_unknown]
    types = ["PER", "LOC", *["PERSON"] * n_unknown]
    doc = make_doc(VOCAB, words, clusters, types=types)
    return doc, ClusterBatch.from_docs([doc], entity_types=TYPES)


def test_forbidden_relation_uses_up_no_place():
    _, clusters = person_and_place()
    scores = np.array([[0.9, 0.8, 0.7, 0.1], [0.1, 0.1, 0.1, 0.1]], dtype=np.float32)
    constraints = build({"types": {"a": [["LOC"], ["PER"]]}, "symmetric": None, "inverse": None})
    pairs, labels = select(constraints.apply(scores, clusters), threshold=0.5, max_labels=2)
    assert list(zip(pairs.tolist(), labels.tolist(), strict=True)) == [(0, 1), (0, 2)]
    pairs, _ = select(constraints.apply(scores, clusters), threshold=0.0, max_labels=4)
    assert len(pairs) == 7, "whatever the threshold"


def test_entities_of_unknown_types_are_free_and_warned_of():
    doc, clusters = person_and_place(n_unknown=1)
    constraints = build({"types": {"a": [["PER"], ["LOC"]]}, "symmetric": None, "inverse": None})
    kept = constraints.apply(np.ones((6, 4), dtype=np.float32), clusters)[:, 0]
    pairs = zip(clusters.pair_head.tolist(), clusters.pair_tail.tolist(), strict=True)
    allowed = {pair for pair, score in zip(pairs, kept, strict=True) if score}
    assert allowed == {(0, 1), (0, 2), (2, 1)}
    with pytest.warns(UserWarning, match="the type 'PERSON' did not occur"):
        constraints.warn_of_unknown_types([doc], clusters, name="rel")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        no_types = build({"types": None, "symmetric": ["a"], "inverse": None})
        no_types.warn_of_unknown_types([doc], clusters, name="rel")
        known_doc, known = person_and_place()
        constraints.warn_of_unknown_types([known_doc], known, name="rel")


class PointingHead(RelationHead):
    """A head whose evidence tells which pair and type it was asked for."""

    def evidence(self, output, clusters, pairs, labels):
        return {(p, r): [10 * p + r] for p, r in zip(pairs.tolist(), labels.tolist(), strict=True)}


def output_with(scores):
    """A model's output that has these scores."""
    return HeadOutput(torch.logit(torch.tensor(scores)), torch.zeros(len(scores)))


def test_evidence_of_an_added_relation_is_that_of_the_opposite_one():
    _, clusters = person_and_place()
    constraints = build({"types": None, "symmetric": ["c"], "inverse": {"a": "b"}})
    output = output_with([[0.9, 0.1, 0.9, 0.1], [0.1, 0.3, 0.6, 0.8]])
    scores, evidence = score_batch(
        PointingHead(), output, clusters, constraints, threshold=0.5, max_labels=4
    )
    assert scores[0].tolist() == pytest.approx([0.6, 0.1, 0.75, 0.1])
    assert scores[1].tolist() == pytest.approx([0.1, 0.6, 0.75, 0.8])
    # Set by the model itself: (0, a), (0, c), (1, c) and (1, d). Only (1, b) is added.
    assert evidence == {(0, 0): [0], (0, 2): [2], (1, 1): [0], (1, 2): [12], (1, 3): [13]}
    _, unconstrained = score_batch(
        PointingHead(), output, clusters, None, threshold=0.5, max_labels=4
    )
    assert unconstrained == {(0, 0): [0], (0, 2): [2], (1, 2): [12], (1, 3): [13]}


def test_relation_without_evidence_stays_without():
    _, clusters = person_and_place()
    constraints = build({"types": None, "symmetric": ["c"], "inverse": None})
    output = output_with([[0.9] * 4, [0.2] * 4])
    _, evidence = score_batch(
        RelationHead(), output, clusters, constraints, threshold=0.5, max_labels=4
    )
    assert evidence == {}
