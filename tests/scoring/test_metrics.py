"""A metric is one entry, which reaches whatever shows metrics."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.training import Example
from spacy.vocab import Vocab

import spacy_docre.factories  # noqa: F401
from spacy_docre import score_relations
from spacy_docre.cli.reports import print_evaluation
from spacy_docre.evaluation.model_card import complete_meta
from spacy_docre.scoring.judgement import judge_relations
from spacy_docre.scoring.metrics import METRICS, Metric, metric_titles, score_weights
from spacy_docre.scoring.significance import bootstrap_intervals, compare
from spacy_docre.scoring.tallies import CORRECT, GOLD, Tally, tally_where

from ..methods import trained_on_births
from ..util import make_doc

ROOT = Path(__file__).parent.parent.parent
VOCAB = Vocab()


def example(gold, predicted):
    docs = [
        make_doc(VOCAB, ["a", "b", "c"], [[(0, 1)], [(1, 2)], [(2, 3)]], relations=relations)
        for relations in (predicted, gold)
    ]
    return Example(*docs)


@pytest.fixture
def sure():
    """How many gold relations are found with a score above 0.9."""
    metric = Metric(
        key="rel_sure_r",
        title="Recall of sure relations",
        tally=Tally("rel_sure", lambda judged, _: tally_where(judged, ~(judged.score <= 0.9))),
        reduce=lambda tally: tally[..., CORRECT] / np.maximum(tally[..., GOLD], 1),
        source="Nobody 2026",
        listed=True,
        weight=0.25,
    )
    METRICS.append(metric)
    yield metric
    METRICS.remove(metric)


def test_a_metric_is_one_entry(sure, capsys):
    examples = [
        example([(0, "r", 1), (0, "r", 2)], [(0, "r", 1)]),
        example([(1, "r", 2)], [(1, "r", 2)]),
    ]
    judged = judge_relations(examples)
    scores = score_relations(examples)
    assert scores["rel_sure_r"] == pytest.approx(2 / 3)
    low, high = bootstrap_intervals(judged, n=50)["rel_sure_r"]
    assert 0.5 <= low <= scores["rel_sure_r"] <= high <= 1
    assert compare(judged, judged, n=5)["rel_sure_r"].difference == 0
    print_evaluation(scores)
    assert re.search(r"Recall of sure relations +66\.67", capsys.readouterr().out)
    assert score_weights()["rel_sure_r"] == 0.25
    card = complete_meta(trained_on_births(1), metrics={"dev": scores})
    assert "| Recall of sure relations | 66.67 |" in card["notes"]
    assert card["performance"]["rel_sure_r"] == scores["rel_sure_r"]


def test_the_pages_list_it(sure, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "gen"))
    import metric_keys

    assert "| `rel_sure_r` | Recall of sure relations | Nobody 2026 |" in metric_keys.page()
    for name in ("metric_keys", "text"):
        sys.modules.pop(name)


def test_keys_and_tallies_are_unique():
    assert len(metric_titles()) == len(METRICS)
    tallies = {metric.tally for metric in METRICS}
    assert len({tally.name for tally in tallies}) == len(tallies)


def test_score_weights_of_the_component():
    weights = spacy.blank("xx").get_factory_meta("doc_relation_extractor").default_score_weights
    assert weights == {**score_weights(), "rel_per_type": None}
    assert {key for key, weight in weights.items() if weight} == {"rel_f"}
    listed = {"rel_p", "rel_r", "rel_intra_f", "rel_inter_f", "rel_pair_f", "rel_evidence_f"}
    assert weights.keys() == {"rel_f", "rel_per_type"} | listed
