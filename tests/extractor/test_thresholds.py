"""Thresholds against trying all of them, and against what the component then sets."""

import itertools

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_docre.evaluation.run import annotate_examples
from spacy_docre.extractor.decoding import select
from spacy_docre.extractor.thresholds import (
    Candidates,
    Thresholds,
    best_threshold,
    best_thresholds_by_label,
    collect_candidates,
    held_out_f1,
    threshold_of_precision,
)
from spacy_docre.scoring.scorer import score_relations

from ..methods import add_extractor
from ..util import birth_examples


def candidates(rows, missed=()):
    """From (score, type, correct, document), and types of gold relations that are no candidates."""
    score, label, correct, doc = zip(*rows, strict=True) if rows else ((), (), (), ())
    gold = [(d, n) for _, n, c, d in rows if c] + [(0, n) for n in missed]
    gold_doc, gold_label = np.array(gold, dtype=np.int64).reshape(-1, 2).T
    return Candidates(
        np.array(score, dtype=np.float32),
        np.array(label, dtype=np.int64),
        np.array(correct, dtype=bool),
        np.array(doc, dtype=np.int64),
        gold_doc,
        gold_label,
    )


ROWS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.50000006, 0.7, 1.0]) | st.floats(0, 1, width=32),
        st.integers(0, 2),
        st.booleans(),
        st.integers(0, 3),
    ),
    max_size=10,
)


def tried(rows):
    """One threshold for each that makes a difference."""
    return sorted({0.0, *(float(np.float32(score)) for score, *_ in rows)})


@settings(max_examples=60, deadline=None)
@given(ROWS, st.lists(st.integers(-1, 2), max_size=3))
def test_one_threshold_is_the_best_of_all(rows, missed):
    found = candidates(rows, missed)
    best = best_threshold(found)
    assert 0 <= best.common <= 1
    every = [found.f1(Thresholds(value, {})) for value in tried(rows)]
    assert found.f1(best) == pytest.approx(max(every))


@settings(max_examples=20, deadline=None)
@given(ROWS.map(lambda rows: rows[:5]), st.lists(st.integers(-1, 2), max_size=3))
def test_thresholds_of_types_are_the_best_of_all(rows, missed):
    found = candidates(rows, missed)
    best = best_thresholds_by_label(found, min_gold=1)
    with_gold = sorted({n for _, n, c, _ in rows if c} | {n for n in missed if n >= 0})
    assert sorted(best.own) == with_gold
    every = (
        found.f1(Thresholds(common, dict(zip(with_gold, own, strict=True))))
        for common in tried(rows)
        for own in itertools.product(tried(rows), repeat=len(with_gold))
    )
    assert found.f1(best) == pytest.approx(max(every))


def test_f1_by_hand():
    found = candidates([(0.9, 0, True, 0), (0.6, 0, False, 0), (0.4, 0, True, 0)], missed=[0])
    assert found.f1(Thresholds(0.5, {})) == pytest.approx(2 * 1 / (2 + 3))
    best = best_threshold(found)
    assert found.f1(best) == pytest.approx(2 * 2 / (3 + 3))
    assert best.common == 0.2, "the roundest number in the middle of what it may be"


def test_a_precision_gets_the_most_relations():
    rows = [(0.9, 0, True, 0), (0.8, 0, False, 0), (0.6, 0, True, 0), (0.4, 0, False, 0)]
    given = candidates(rows)
    # Two of three are right, although the first two are one of two.
    assert threshold_of_precision(given, 2 / 3) == Thresholds(0.5, {})
    assert threshold_of_precision(given, 0.8) == Thresholds(0.85, {})
    assert threshold_of_precision(candidates(rows[1:2]), 0.1) is None
    assert threshold_of_precision(candidates([]), 0.5) is None


def test_thresholds_are_round_numbers_as_far_as_they_can():
    close = np.float32(0.5), np.nextafter(np.float32(0.5), np.float32(1))
    found = candidates([(float(close[1]), 0, True, 0), (float(close[0]), 0, False, 0)])
    best = best_threshold(found)
    assert found.f1(best) == 1.0
    assert best_threshold(candidates([(0.8123, 0, True, 0), (0.8111, 0, False, 0)])).common == 0.812


def test_rare_types_share_a_threshold():
    rows = [(0.3, 0, True, 0), (0.35, 0, True, 1), (0.2, 0, False, 0)]
    rows += [(0.8, 1, True, 0), (0.7, 1, False, 1), (0.6, 2, True, 0), (0.5, 2, False, 1)]
    best = best_thresholds_by_label(candidates(rows), min_gold=2)
    assert set(best.own) == {0}
    assert best.own[0] == 0.25
    assert best.common == 0.55, "chosen for types 1 and 2 together"
    alone = best_thresholds_by_label(candidates(rows), min_gold=1)
    assert candidates(rows).f1(alone) == 1.0


def test_held_out_f1_is_that_of_the_other_half():
    # What is right in even documents is wrong in odd ones.
    rows = [(0.9, 0, True, 0), (0.4, 0, True, 0), (0.9, 0, True, 1), (0.4, 0, False, 1)]
    found = candidates(rows)
    assert held_out_f1(found, best_threshold) == pytest.approx(2 * 2 / (3 + 3))


def test_nothing_to_choose_by():
    empty = candidates([])
    assert empty.f1(best_threshold(empty)) == 0
    assert best_thresholds_by_label(empty, 1).own == {}
    assert held_out_f1(empty, best_threshold) == 0


@pytest.fixture(scope="module")
def pipeline():
    spacy.util.fix_random_seed(1)
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, "atlop", "cnn", max_labels=1)
    examples = birth_examples(nlp.vocab)
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(8):
        nlp.update(examples, sgd=optimizer)
    scored = list(annotate_examples(nlp, birth_examples(nlp.vocab)))
    found = collect_candidates(
        scored, extractor.labels, max_labels=1, prefix="entity_clusters", attr="relations"
    )
    return extractor, scored, found


@pytest.mark.parametrize("fit", [best_threshold, lambda c: best_thresholds_by_label(c, 1)])
def test_the_component_reaches_the_f1_that_was_promised(pipeline, fit):
    extractor, scored, found = pipeline
    best = fit(found)
    former = dict(extractor.cfg)
    extractor.cfg["threshold"] = best.common
    extractor.cfg["thresholds"] = {extractor.labels[i]: value for i, value in best.own.items()}
    extractor.set_annotations([eg.predicted for eg, _ in scored], [pairs for _, pairs in scored])
    extractor.cfg |= former
    f1 = score_relations([eg for eg, _ in scored])["rel_f"]
    assert f1 == pytest.approx(found.f1(best), abs=1e-9)
    assert f1 >= found.f1(Thresholds(0.5, {}))


def test_select_takes_a_threshold_for_each_type():
    scores = np.array([[0.6, 0.3], [0.4, 0.1]], dtype=np.float32)
    chosen = select(scores, threshold=np.array([0.5, 0.2], dtype=np.float32), max_labels=2)
    assert list(zip(*(a.tolist() for a in chosen), strict=True)) == [(0, 0), (0, 1)]
