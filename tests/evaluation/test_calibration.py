"""Reliability by hand, and calibration: fitted, applied, saved."""

import numpy as np
import pytest
import spacy
import srsly
from hypothesis import given
from hypothesis import strategies as st
from spacy.training import Example

from spacy_docre import DocreError
from spacy_docre.evaluation.calibration import Reliability, fit_calibration
from spacy_docre.evaluation.run import annotate_examples
from spacy_docre.extractor.calibration import Calibration, with_calibration, without_calibration
from spacy_docre.extractor.decoding import PairScores
from spacy_docre.extractor.thresholds import pair_outcomes

from ..methods import add_extractor
from ..util import birth_doc, birth_examples, make_doc

NAME = "doc_relation_extractor"
# The constraint is there for scores to be merged, not because the corpus has it.
pytestmark = pytest.mark.filterwarnings("ignore:.*DW15")


def logistic(x):
    return 1 / (1 + np.exp(-x))


def test_reliability_by_hand():
    scores = np.array([0.0, 0.05, 1 / 15, 0.95, 0.99, 1.0], dtype=np.float64)
    correct = np.array([False, False, True, True, False, True])
    whole = Reliability()
    whole.add(scores, correct)
    found = whole.to_dict()
    low, high = found["bins"]
    assert (low["count"], high["count"], found["count"]) == (3, 3, 6)
    assert low["score"] == pytest.approx((0 + 0.05 + 1 / 15) / 3)
    assert (low["correct"], high["correct"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    gaps = [abs(b["score"] - b["correct"]) for b in (low, high)]
    assert found["ece"] == pytest.approx(sum(gaps) / 2)
    squares = [0, 0.05**2, (1 - 1 / 15) ** 2, 0.05**2, 0.99**2, 0]
    assert found["brier"] == pytest.approx(np.mean(squares))


def test_reliability_is_the_same_in_parts():
    rng = np.random.default_rng(0)
    scores, correct = rng.random((40, 3)).astype(np.float32), rng.random((40, 3)) < 0.5
    whole, parts = Reliability(), Reliability()
    whole.add(scores, correct)
    for rows in np.array_split(np.arange(40), 7):
        parts.add(scores[rows], correct[rows])
    assert parts.to_dict()["ece"] == pytest.approx(whole.to_dict()["ece"])
    assert parts.to_dict()["count"] == 120


def test_nothing_to_calibrate():
    assert Reliability().to_dict() == {"ece": None, "brier": None, "count": 0, "bins": []}


@given(st.floats(0.05, 20), st.floats(-5, 5), st.lists(st.floats(0, 1), min_size=2, max_size=9))
def test_calibration_is_rising_and_keeps_certainties(temperature, bias, scores):
    calibration = Calibration(temperature, bias)
    values = calibration.apply(np.sort(np.array([0.0, *scores, 1.0])))
    assert (np.diff(values) >= 0).all()
    assert (values[0], values[-1]) == (0, 1)
    assert calibration.apply(np.zeros((2, 0), dtype=np.float32)).dtype == np.float32


def test_calibration_by_hand_and_back():
    calibration = Calibration(2.0, -0.5)
    assert calibration.apply_to_number(logistic(3.0)) == pytest.approx(logistic(3.0 / 2 - 0.5))
    for score in (0.01, 0.5, 0.8):
        there = calibration.apply_to_number(score)
        assert calibration.invert_number(there) == pytest.approx(score)


def test_fit_finds_what_distorted_the_scores():
    rng = np.random.default_rng(0)
    true_logits = rng.normal(-1, 2, size=60_000)
    correct = rng.random(60_000) < logistic(true_logits)
    scores = logistic(3.0 * (true_logits + 0.7)).astype(np.float32)
    fitted = fit_calibration(scores, correct)
    assert fitted.temperature == pytest.approx(3.0, rel=0.05)
    assert fitted.bias == pytest.approx(-0.7, abs=0.05)
    before, after = Reliability(), Reliability()
    before.add(scores, correct)
    after.add(fitted.apply(scores), correct)
    assert after.to_dict()["ece"] < 0.02 < before.to_dict()["ece"]
    assert fit_calibration(scores, correct, bias=False).bias == 0


def test_fit_is_the_best_of_its_neighbours():
    rng = np.random.default_rng(1)
    scores = rng.uniform(0.01, 0.99, 500).astype(np.float32)
    correct = rng.random(500) < scores**2
    n_right, n_wrong = correct.sum(), (~correct).sum()
    targets = np.where(correct, (n_right + 1) / (n_right + 2), 1 / (n_wrong + 2))

    def loss(temperature, bias):
        p = Calibration(temperature, bias).apply(scores.astype(np.float64))
        return -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).mean()

    best = fit_calibration(scores, correct)
    for factor, shift in [(1.02, 0), (0.98, 0), (1, 0.02), (1, -0.02)]:
        assert loss(best.temperature, best.bias) < loss(
            best.temperature * factor, best.bias + shift
        )


def test_separable_scores_and_zeros_stay_finite():
    scores = np.array([0.0, 0.0, 0.1, 0.2, 0.9, 1.0], dtype=np.float32)
    fitted = fit_calibration(scores, scores > 0.5)
    assert np.isfinite([fitted.temperature, fitted.bias]).all()
    assert fitted == fit_calibration(scores[2:], scores[2:] > 0.5), "what is forbidden says nothing"


def test_hopeless_scores_are_refused():
    scores = np.array([0.1, 0.2, 0.8, 0.9], dtype=np.float32)
    with pytest.raises(DocreError, match="D087"):
        fit_calibration(scores, scores < 0.5)
    for correct in (np.zeros(4, bool), np.ones(4, bool)):
        with pytest.raises(DocreError, match="D086"):
            fit_calibration(scores, correct)


def test_outcomes_of_pairs():
    vocab = spacy.blank("xx").vocab
    gold = make_doc(
        vocab, ["a", "b", "c"], [[(0, 1)], [(1, 2)], [(2, 3)]], relations=[(0, "x", 1), (2, "u", 0)]
    )
    keys = [f"entity_clusters_{i}" for i in (1, 2)]
    scores = np.array([[0.9, 0.1], [0.2, 0.3]], dtype=np.float32)
    pairs = PairScores(keys, np.array([0, 1]), np.array([1, 0]), scores)
    unannotated = Example(gold.copy(), make_doc(vocab, ["a"], [[(0, 1)]]))
    found = list(
        pair_outcomes(
            [(unannotated, pairs), (Example(gold.copy(), gold), pairs)],
            ["x", "y"],
            prefix="entity_clusters",
            attr="relations",
        )
    )
    assert len(found) == 1, "what nobody annotated is not wrong"
    assert found[0][1].tolist() == [[True, False], [False, False]]


def test_outcomes_without_excluded_pairs():
    vocab = spacy.blank("xx").vocab
    gold = make_doc(vocab, ["a", "b"], [[(0, 1)], [(1, 2)]], relations=[(0, "x", 1)])
    keys = tuple(gold.spans)
    gold.user_data["excluded_pairs"] = [[keys[1], keys[0]]]
    scores = np.array([[0.9], [0.8]], dtype=np.float32)
    pairs = PairScores(keys, np.array([0, 1]), np.array([1, 0]), scores)
    ((kept, correct),) = pair_outcomes(
        [(Example(gold.copy(), gold), pairs)], ["x"], prefix="entity_clusters", attr="relations"
    )
    assert (kept.tolist(), correct.tolist()) == (scores[:1].tolist(), [[True]])


def calibrated(nlp, temperature=2.5, bias=-1.0, **settings):
    extractor = nlp.get_pipe(NAME)
    extractor.cfg |= settings
    extractor.cfg |= with_calibration(extractor.cfg, Calibration(temperature, bias))
    return extractor


@pytest.fixture
def nlp():
    spacy.util.fix_random_seed(2)
    nlp = spacy.blank("xx")
    add_extractor(nlp, "atlop", "cnn", constraints={"symmetric": ["born"]})
    examples = birth_examples(nlp.vocab)
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(12):
        nlp.update(examples, sgd=optimizer)
    return nlp


def relations(nlp):
    return [nlp(birth_doc(nlp.vocab, n))._.relations for n in range(3)]


def scores_of(docs):
    return np.array([relation.score for doc in docs for relation in doc])


@pytest.mark.parametrize("own", [{}, {"died": 0.2}])
def test_the_relations_stay_and_their_scores_change(nlp, own, tmp_path):
    nlp.get_pipe(NAME).cfg |= {"threshold": 0.1, "thresholds": own}
    before = relations(nlp)
    extractor = calibrated(nlp)
    after = relations(nlp)
    assert [[r.triple for r in doc] for doc in after] == [[r.triple for r in d] for d in before]
    assert [[r["evidence"] for r in doc] for doc in after] == [
        [r["evidence"] for r in doc] for doc in before
    ]
    assert len(scores_of(before))
    expected = Calibration(2.5, -1.0).apply(scores_of(before))
    np.testing.assert_allclose(scores_of(after), expected, rtol=1e-4)
    assert extractor.cfg["threshold"] == pytest.approx(Calibration(2.5, -1.0).apply_to_number(0.1))
    back = without_calibration(extractor.cfg)
    assert back["calibration"] is None
    assert back["threshold"] == pytest.approx(0.1)
    assert back["thresholds"] == pytest.approx(own)
    nlp.to_disk(tmp_path / "model")
    loaded = spacy.load(tmp_path / "model")
    np.testing.assert_allclose(scores_of(relations(loaded)), scores_of(after), rtol=1e-4)


def test_pipelines_from_before_load_unchanged(nlp, tmp_path):
    nlp.get_pipe(NAME).cfg["threshold"] = 0.1
    nlp.to_disk(tmp_path / "model")
    path = tmp_path / "model" / NAME / "cfg"
    cfg = srsly.read_json(path)
    del cfg["thresholds"], cfg["calibration"]
    srsly.write_json(path, cfg)
    config = spacy.util.load_config(tmp_path / "model" / "config.cfg")
    for setting in ("thresholds", "calibration"):
        del config["components"][NAME][setting]
    config.to_disk(tmp_path / "model" / "config.cfg")
    loaded = spacy.load(tmp_path / "model")
    expected = scores_of(relations(nlp))
    assert len(expected)
    np.testing.assert_allclose(scores_of(relations(loaded)), expected, rtol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"calibration": {"temperature": 0.0, "bias": 0.0}},
        {"calibration": {"temperature": 1.0}},
        {"thresholds": {"born": 1.5}},
    ],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(DocreError, match="D020"):
        add_extractor(spacy.blank("xx"), "atlop", "cnn", **settings)


def test_thresholds_of_unknown_types_are_refused(nlp):
    nlp.get_pipe(NAME).cfg["thresholds"] = {"bron": 0.4}
    with pytest.raises(DocreError, match="bron"):
        nlp(birth_doc(nlp.vocab, 0))


def test_a_type_has_its_own_threshold(nlp):
    extractor = nlp.get_pipe(NAME)
    extractor.cfg |= {"threshold": 1.0, "thresholds": {"died": 0.0}}
    (eg, pairs), *_ = annotate_examples(nlp, birth_examples(nlp.vocab, 1))
    found = {r.label for r in eg.predicted._.relations}
    assert found == {"died"}
    assert len(eg.predicted._.relations) == len(pairs.pair_head)
