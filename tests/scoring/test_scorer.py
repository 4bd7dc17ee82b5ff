"""Metrics against cases computed by hand."""

import pytest
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_docre import Relation, set_clusters
from spacy_docre.data.alignment import align_clusters, cluster_overlap
from spacy_docre.data.clusters import copy_clusters
from spacy_docre.scoring.judgement import collect_facts
from spacy_docre.scoring.scorer import score_relations

from ..util import make_doc

VOCAB = Vocab()
WORDS = ["Ann", "Lee", "met", "Bo", "in", "Rome", ".", "Ann", "left", "Rome", "for", "Bonn", "."]
CLUSTERS = [[(0, 2), (7, 8)], [(3, 4)], [(5, 6), (9, 10)], [(11, 12)]]


def reference(relations):
    return make_doc(VOCAB, WORDS, CLUSTERS, relations=relations, sent_starts=(0, 7))


def example(gold, predicted):
    return Example(reference(predicted), reference(gold))


def test_micro_scores_over_the_union():
    gold = [(0, "met", 1), (0, "in", 2), (1, "in", 2), (1, "to", 3)]
    predicted = [(0, "met", 1), (0, "in", 2), (0, "in", 3), (0, "met", 1)]
    scores = score_relations([example(gold, predicted), example([(0, "to", 3)], [])])
    assert scores["rel_p"] == pytest.approx(2 / 3), "a relation that is listed twice counts once"
    assert scores["rel_r"] == pytest.approx(2 / 5)
    assert scores["rel_f"] == pytest.approx(0.5)
    assert scores["rel_per_type"]["met"] == {"p": 1.0, "r": 1.0, "f": 1.0, "gold": 1}
    assert scores["rel_per_type"]["in"] == {"p": 0.5, "r": 0.5, "f": 0.5, "gold": 2}
    assert scores["rel_per_type"]["to"] == {"p": 0.0, "r": 0.0, "f": 0.0, "gold": 2}
    assert scores["rel_macro_f"] == pytest.approx(0.5)
    # Related pairs: gold 0-1, 0-2, 1-2, 1-3 and 0-3; predicted 0-1, 0-2, 0-3 in the first.
    assert scores["rel_pair_f"] == pytest.approx(2 * (2 / 3) * (2 / 5) / (2 / 3 + 2 / 5))


def test_intra_and_inter_sentence_relations():
    gold = [(0, "a", 3), (1, "a", 3), (1, "b", 3)]
    predicted = [(0, "a", 3), (1, "a", 3)]
    scores = score_relations([example(gold, predicted)])
    assert scores["rel_intra_f"] == 1.0
    assert scores["rel_inter_f"] == pytest.approx(2 * 1.0 * 0.5 / 1.5)


def test_documents_without_annotation_are_left_out():
    unannotated = Example(
        reference([(0, "a", 1)]), make_doc(VOCAB, WORDS, CLUSTERS, sent_starts=(0, 7))
    )
    scores = score_relations([unannotated, example([(0, "a", 1)], [(0, "a", 1)])])
    assert scores["rel_f"] == 1.0
    assert set(score_relations([unannotated]).values()) == {None}


def test_ign_f1_as_the_official_script_computes_it():
    train = make_doc(
        VOCAB,
        ["Ann", "knows", "Bo", "and", "Rome"],
        [[(0, 1)], [(2, 3)], [(4, 5)]],
        relations=[(0, "met", 1), (0, "in", 2)],
    )
    facts = collect_facts([train])
    assert facts == {("Ann", "Bo", "met"), ("Ann", "Rome", "in")}
    gold = [(0, "met", 1), (0, "in", 2), (1, "in", 2)]
    predicted = [(0, "met", 1), (1, "in", 2), (0, "in", 3)]
    scores = score_relations([example(gold, predicted)], train_facts=facts)
    # "Ann" is a name of "Ann Lee": one of the two correct relations is known from training.
    precision, recall = (2 - 1) / (3 - 1), 2 / 3
    assert scores["rel_ign_f"] == pytest.approx(2 * precision * recall / (precision + recall))


def test_ign_f1_by_several_training_corpora():
    facts = {
        "annotated": {("Ann", "Bo", "met")},
        "distant": {("Ann Lee", "Rome", "in"), ("Ann", "Bo", "met"), ("Ann", "Bonn", "in")},
        "nothing": set(),
    }
    gold = [(0, "met", 1), (0, "in", 2), (1, "in", 2)]
    predicted = [(0, "met", 1), (0, "in", 2), (0, "in", 3)]
    scores = score_relations([example(gold, predicted)], train_facts=facts)
    recall = 2 / 3

    def ign_f1(n_known):
        precision = (2 - n_known) / (3 - n_known)
        return 2 * precision * recall / (precision + recall) if precision else 0

    # The wrong relation is a fact of the distant corpus, but only correct ones are taken off.
    assert scores["rel_ign_per_source"] == {
        "annotated": pytest.approx(ign_f1(1)),
        "distant": 0,
        "nothing": pytest.approx(scores["rel_f"]),
    }
    assert scores["rel_ign_f"] == scores["rel_ign_per_source"]["annotated"]


@pytest.mark.parametrize(
    ("fact", "is_known"),
    [
        (("Ann Lee", "Rome", "in"), True),
        (("Ann", "Rome", "in"), True),  # another name of the head
        (("Ann", "Rome", "to"), False),  # another type
        (("Rome", "Ann", "in"), False),  # the other direction
        (("Lee", "Rome", "in"), False),  # a part of a name
        (("ann", "Rome", "in"), False),  # another spelling
    ],
)
def test_a_fact_is_known_by_any_name_of_its_entities(fact, is_known):
    relations = [(0, "in", 2), (1, "to", 3)]
    eg = example(relations, [*relations, (3, "in", 2)])
    ign_f1 = score_relations([eg], train_facts={fact})["rel_ign_f"]
    precision = 1 / 2 if is_known else 2 / 3
    assert ign_f1 == pytest.approx(2 * precision / (precision + 1))


def test_of_a_prediction_that_is_listed_twice_the_first_counts():
    gold, predicted = reference([]), reference([])
    triple = ("entity_clusters_1", "met", "entity_clusters_2")
    gold._.relations = [Relation(*triple, evidence=[(0, 7)])]
    predicted._.relations = [
        Relation(*triple, 0.9, [(0, 7)]),
        Relation(*triple, 0.8, [(7, 13)]),
    ]
    scores = score_relations([Example(predicted, gold)])
    assert (scores["rel_p"], scores["rel_evidence_p"]) == (1.0, 1.0)


def test_names_of_the_source_count_for_ign_f1():
    train = make_doc(VOCAB, ["A", "-", "B", "C"], [[(0, 3)], [(3, 4)]], relations=[(0, "r", 1)])
    train.spans["entity_clusters_1"].attrs["names"] = ["A-B"]
    assert collect_facts([train]) == {("A-B", "C", "r")}


def test_predicted_clusters_are_aligned_with_gold_ones():
    predicted = Doc(VOCAB, words=[token.text for token in reference([])])
    clusters = [[(11, 12)], [(0, 2)], [(3, 4), (5, 6)], [(2, 3)]]
    set_clusters(predicted, [[predicted[s:e] for s, e in mentions] for mentions in clusters])
    eg = Example(predicted, reference([(0, "to", 3), (0, "met", 1)]))
    keys = [f"entity_clusters_{i}" for i in range(1, 5)]
    assert align_clusters(eg, "entity_clusters") == {
        keys[0]: keys[3],
        keys[1]: keys[0],
        keys[2]: keys[1],
    }
    predicted._.relations = [
        Relation(keys[1], "to", keys[0]),
        Relation(keys[1], "met", keys[3]),
    ]
    scores = score_relations([eg])
    assert scores["rel_p"] == 0.5, "a relation of a cluster that is not gold is wrong"
    assert scores["rel_r"] == 0.5, "a gold relation that was no candidate is missed"


def test_tokenisation_of_the_predicted_document_does_not_matter():
    gold = reference([(0, "in", 2)])
    words = ["Ann Lee", "met", "Bo", "in", "Rome .", "Ann", "left", "Rome", "for", "Bonn", "."]
    predicted = Doc(VOCAB, words=words)
    assert predicted.text == gold.text
    copy_clusters(gold, predicted)
    predicted._.relations = [Relation("entity_clusters_1", "in", "entity_clusters_3")]
    assert score_relations([Example(predicted, gold)])["rel_f"] == 1.0


def test_overlap_is_the_sum_of_shared_parts():
    overlap = cluster_overlap([[(0, 4), (10, 12)], []], [[(0, 4)], [(2, 6), (11, 12)], [(20, 21)]])
    assert overlap == {(0, 0): 1.0, (0, 1): 2 / 6 + 1 / 2}
    assert cluster_overlap([], []) == cluster_overlap([[(0, 1)]], []) == {}
