"""Judged relations, their tallies and subsets, against slow and obvious counting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_docre import Relation, set_clusters
from spacy_docre.data.clusters import copy_clusters
from spacy_docre.scoring.judgement import count_types, judge_relations
from spacy_docre.scoring.metrics import tally_relations
from spacy_docre.scoring.scorer import make_relation_scorer, score_relations
from spacy_docre.scoring.subsets import frequent_types, relation_subsets
from spacy_docre.scoring.tallies import PREDICTED, TYPES, macro_f1, precision_recall_f1

from ..util import make_doc, random_examples

VOCAB = Vocab()
# Sentences of three tokens. Entities: 0 in sentences 0 and 2, 1 in 0, 2 in 1, 3 in 4, 4 in 0, 1
# and 4 (three mentions).
WORDS = ["a"] * 15
CLUSTERS = [[(0, 1), (6, 7)], [(1, 2)], [(3, 4)], [(12, 13)], [(2, 3), (4, 5), (13, 14)]]


def example(gold, predicted):
    docs = [
        make_doc(VOCAB, WORDS, CLUSTERS, relations=relations, sent_starts=range(0, 15, 3))
        for relations in (predicted, gold)
    ]
    return Example(*docs)


def triples(doc):
    return {relation.triple for relation in doc._.relations}


def test_excluded_pairs_are_neither_right_nor_wrong():
    eg = example([(0, "x", 3)], [(0, "x", 3), (2, "x", 3), (3, "x", 2)])
    keys = list(eg.reference.spans)
    eg.reference.user_data["excluded_pairs"] = [[keys[2], keys[3]], [keys[0], keys[3]]]
    scores = score_relations([eg])
    assert (scores["rel_p"], scores["rel_r"]) == (1 / 2, 1.0)


def test_features_by_hand():
    judged = judge_relations([example([(0, "x", 3), (1, "y", 0)], [(0, "x", 3), (2, "y", 3)])])
    rows = dict(
        zip(
            zip(judged.correct.tolist(), judged.predicted.tolist(), strict=True),
            zip(judged.distance.tolist(), map(tuple, judged.mentions.tolist()), strict=True),
            strict=True,
        )
    )
    assert rows == {
        (True, True): (2, (2, 1)),  # sentences {0, 2} and {4}
        (False, False): (0, (1, 2)),  # missed: sentences {0} and {0, 2}
        (False, True): (3, (1, 1)),  # wrong: sentences 1 and 4
    }
    assert [judged.labels[i] for i in judged.label] == ["x", "y", "y"]
    np.testing.assert_array_equal(np.isnan(judged.score), ~judged.predicted)


def test_the_papers_subsets_of_mention_counts_differ():
    gold = [(1, "x", 2), (0, "x", 1), (0, "x", 4), (1, "x", 4)]
    judged = judge_relations([example(gold, [])])
    subsets = relation_subsets(judged)
    mentions = [tuple(pair) for pair in judged.mentions.tolist()]
    members = {
        name: {pair for pair, inside in zip(mentions, where, strict=True) if inside}
        for name, where in subsets.items()
    }
    assert members["single"] == {(1, 1)}
    assert members["rsman_m1"] == members["kmgre_m1"] == {(2, 1), (2, 3), (1, 3)}
    assert members["rsman_m2"] == {(2, 3), (1, 3)}, "either has more than two"
    assert members["kmgre_m2"] == {(2, 3)}, "both have more than one"
    assert members["mentions_1_2"] == {(1, 1), (2, 1)}
    assert members["mentions_2_3"] == {(2, 3), (1, 3)}


def test_a_wrong_relation_counts_in_the_subset_of_its_own_entities():
    scores = score_relations([example([(0, "x", 3)], [(1, "x", 2)])], subsets=True)["rel_subsets"]
    assert scores["distance_1"] == {
        "p": 0.0, "r": 0.0, "f": 0.0, "correct": 0, "predicted": 1, "gold": 0,
    }  # fmt: skip
    assert scores["distance_2"]["gold"] == 1
    assert scores["distance_2"]["predicted"] == 0


def test_entities_that_only_the_pipeline_found_have_its_mentions():
    reference = example([(0, "x", 3)], []).reference
    predicted = Doc(VOCAB, words=WORDS)
    set_clusters(predicted, [[predicted[0:1], predicted[6:7]], [predicted[10:11], predicted[5:6]]])
    keys = list(predicted.spans)
    predicted._.relations = [Relation(keys[0], "x", keys[1])]
    judged = judge_relations([Example(predicted, reference)])
    (row,) = np.flatnonzero(judged.predicted)
    assert judged.distance[row] == 1, "sentences {0, 2} and {1, 3} of the gold document"
    assert judged.mentions[row].tolist() == [2, 2]


def test_entities_without_mentions_are_at_no_distance():
    doc = make_doc(VOCAB, WORDS, [[(0, 1)], []], relations=[(0, "x", 1)])
    judged = judge_relations([Example(Doc(VOCAB, words=WORDS), doc)])
    subsets = relation_subsets(judged)
    assert judged.distance.tolist() == [-1]
    assert not any(subsets[f"distance_{i}"].any() for i in ("0", "1", "2", "3_up"))
    assert tally_relations(judged)["rel_inter"][0].tolist() == [0, 0, 1, 0]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_tallies_are_what_sets_say(seed):
    examples = random_examples(VOCAB, seed)
    judged = judge_relations(examples)
    tallies = tally_relations(judged, relation_subsets(judged, {"x": 3, "y": 1}))
    for number, eg in enumerate(examples):
        gold, predicted = triples(eg.reference), triples(eg.predicted)
        sents = {
            key: [span.sent.start for span in eg.reference.spans[key]] for key in eg.reference.spans
        }
        starts = sorted(sent.start for sent in eg.reference.sents) if len(eg.reference) else []
        places = {key: [starts.index(start) for start in own] for key, own in sents.items()}

        def distance(t, places=places):
            return min((abs(a - b) for a in places[t[0]] for b in places[t[2]]), default=-1)

        def sizes(t, places=places):
            return len(places[t[0]]), len(places[t[2]])

        tests = {
            "rel": lambda t: True,
            "rel_intra": lambda t: distance(t) == 0,
            "rel_inter": lambda t: distance(t) != 0,
            "rsman_m2": lambda t: any(n > 2 for n in sizes(t)),
            "kmgre_m2": lambda t: all(n > 1 for n in sizes(t)),
            "distance_1": lambda t: distance(t) == 1,
            "distance_3_up": lambda t: distance(t) >= 3,
            "mentions_2_3": lambda t: 2 <= sum(sizes(t)) / 2 < 3,
            "frequent": lambda t: t[1] in "xy",
            "long_tail": lambda t: t[1] == "z",
        }
        for name, test in tests.items():
            sets = [{t for t in s if test(t)} for s in (gold & predicted, predicted, gold)]
            assert tallies[name][number].tolist() == [*map(len, sets), 0], name
        pairs = [{(h, t) for h, _, t in s} for s in (predicted, gold)]
        assert tallies["rel_pair"][number].tolist() == [
            len(pairs[0] & pairs[1]), len(pairs[0]), len(pairs[1]), 0
        ]  # fmt: skip
        for i, label in enumerate(judged.labels):
            of_type = [{t for t in s if t[1] == label} for s in (gold & predicted, predicted, gold)]
            assert tallies[TYPES.name][number, i].tolist() == [*map(len, of_type), 0]


def test_macro_f1_counts_types_that_occur():
    types = np.array([[1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0], [1, 2, 1, 0]], dtype=float)
    assert macro_f1(types) == pytest.approx((1 + 0 + 2 / 3) / 3)
    assert macro_f1(types, np.array([True, False, True, True])) == pytest.approx((1 + 2 / 3) / 2)
    assert macro_f1(types[2:3]) == 0


def test_macro_f1_of_rare_types():
    gold, predicted = [(0, "often", 1), (0, "rare", 2)], [(0, "rare", 2), (0, "new", 3)]
    counts = {"often": 400, "rare": 150}
    scores = score_relations([example(gold, predicted)], train_counts=counts)
    assert scores["rel_macro_500_f"] == pytest.approx(1 / 3)
    assert scores["rel_macro_200_f"] == pytest.approx(1 / 2), "rare and new"
    assert scores["rel_macro_100_f"] == 0, "new alone"


def test_frequent_types_are_the_ten_first_of_the_training_data():
    counts = {f"t{i:02}": 20 - i for i in range(12)} | {"a": 11, "b": 11}
    assert frequent_types(counts) == {f"t{i:02}" for i in range(9)} | {"a"}
    doc = make_doc(VOCAB, WORDS, CLUSTERS, relations=[(0, "x", 1), (0, "x", 1), (1, "x", 0)])
    assert count_types([doc, doc]) == {"x": 4}


def test_precision_without_known_relations():
    tally = np.array([[4, 6, 8, 2], [0, 0, 0, 0], [3, 3, 6, 3]], dtype=float)
    p, r = (4 - 2) / (6 - 2), 4 / 8
    np.testing.assert_allclose(
        precision_recall_f1(tally), [[p, r, 2 * p * r / (p + r)], [0, 0, 0], [0, 0.5, 0]]
    )


def test_no_documents_no_scores():
    for examples in ([], [Example(Doc(VOCAB), Doc(VOCAB))]):
        scores = score_relations(examples, subsets=True, train_counts={}, train_facts={"t": set()})
        assert set(scores.values()) == {None}
    assert judge_relations([]).n_docs == 0


def test_the_scorer_can_score_subsets():
    examples = [example([(0, "x", 3)], [(0, "x", 3)])]
    assert "rel_subsets" not in make_relation_scorer()(examples)
    assert make_relation_scorer(subsets=True)(examples)["rel_subsets"]["distance_2"]["f"] == 1.0


def test_cost_grows_with_relations_alone():
    # A thousand documents without relations cost no rows.
    doc = make_doc(VOCAB, WORDS, CLUSTERS, relations=[])
    predicted = Doc(VOCAB, words=WORDS)
    copy_clusters(doc, predicted)
    judged = judge_relations([Example(predicted, doc)] * 1000)
    assert judged.n_docs == 1000
    assert len(judged.doc) == 0
    assert tally_relations(judged)["rel"][:, PREDICTED].tolist() == [0] * 1000
