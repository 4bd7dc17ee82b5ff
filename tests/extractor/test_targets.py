import numpy as np
import pytest
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_docre import DocreError, Relation
from spacy_docre.data.clusters import copy_clusters
from spacy_docre.extractor.targets import gold_labels
from spacy_docre.models.batch import ClusterBatch, DocPart

from ..util import make_doc

VOCAB = Vocab()
WORDS = ["Ann", "saw", "Bo", "and", "Cy"]
CLUSTERS = [[(0, 1)], [(2, 3)], [(4, 5)]]
LABELS = ["likes", "saw"]


def look_up(examples, with_evidence=False, **settings):
    clusters = ClusterBatch.from_docs([eg.predicted for eg in examples], **settings)
    gold = gold_labels(
        examples,
        clusters,
        LABELS,
        name="rel",
        prefix="entity_clusters",
        attr="relations",
        with_evidence=with_evidence,
    )
    assert with_evidence or not gold.evidence.size
    return clusters, *(gold if with_evidence else gold[:2])


def found(clusters, gold):
    return {
        (int(clusters.pair_head[p]), LABELS[r], int(clusters.pair_tail[p]))
        for p, r in zip(*gold.nonzero(), strict=True)
    }


def example(relations, predicted_clusters=CLUSTERS):
    return Example(
        make_doc(VOCAB, WORDS, predicted_clusters),
        make_doc(VOCAB, WORDS, CLUSTERS, relations=relations),
    )


def test_labels_of_several_documents():
    relations = [(0, "saw", 1), (0, "likes", 1), (2, "saw", 0), (0, "saw", 1)]
    clusters, gold, mask = look_up([example([]), example(relations)])
    assert found(clusters, gold) == {(3, "saw", 4), (3, "likes", 4), (5, "saw", 3)}
    assert mask.all()


def test_excluded_pairs_are_unknown():
    eg = example([(0, "saw", 1)])
    keys = list(eg.reference.spans)
    eg.reference.user_data["excluded_pairs"] = [
        [keys[0], keys[2]],
        [keys[2], keys[1]],
        [keys[0], keys[1]],  # has a relation
        [keys[0], "entity_clusters_9"],
    ]
    clusters, gold, mask = look_up([example([]), eg])
    unknown = {(int(clusters.pair_head[p]), int(clusters.pair_tail[p])) for p in np.where(~mask)[0]}
    assert unknown == {(3, 5), (5, 4)}
    assert found(clusters, gold) == {(3, "saw", 4)}


@pytest.mark.parametrize("stored", [5, "ab", [["a"]], [[1, 2]], [["a", 2]], [[["a"], ["b"]]]])
def test_excluded_pairs_that_are_none(stored):
    eg = example([])
    eg.reference.user_data["excluded_pairs"] = stored
    with pytest.raises(DocreError, match="D118"):
        look_up([eg])


def test_missing_annotation_is_not_a_negative():
    _, gold, mask = look_up([example(None), example([(0, "saw", 1)])])
    assert mask.tolist() == [False] * 6 + [True] * 6
    assert gold.sum() == 1


def test_clusters_that_correspond_to_no_gold_cluster_are_masked():
    eg = example([(0, "saw", 1), (1, "saw", 2)], [[(0, 1)], [(2, 3)], [(3, 4)]])
    clusters, gold, mask = look_up([eg])
    assert found(clusters, gold) == {(0, "saw", 1)}
    known = {
        (int(h), int(t))
        for h, t, m in zip(clusters.pair_head, clusters.pair_tail, mask, strict=True)
        if m
    }
    assert known == {(0, 1), (1, 0)}


def test_clusters_in_another_order_are_aligned():
    eg = example([(0, "saw", 1)], [[(4, 5)], [(2, 3)], [(0, 1)]])
    clusters, gold, _ = look_up([eg])
    assert found(clusters, gold) == {(2, "saw", 1)}


def test_predicted_document_may_be_tokenised_differently():
    gold_doc = make_doc(VOCAB, WORDS, CLUSTERS, relations=[(0, "saw", 2)])
    predicted = Doc(VOCAB, words=["Ann", "saw", "Bo and", "Cy"])
    copy_clusters(gold_doc, predicted)
    clusters, gold, mask = look_up([Example(predicted, gold_doc)])
    assert found(clusters, gold) == {(0, "saw", 2)}
    assert mask.all()


def test_entities_that_are_not_read_are_left_out():
    eg = example([(0, "saw", 2), (0, "saw", 1)])
    whole = DocPart.whole(eg.predicted)
    part = DocPart(3, whole.keys[:2], whole.labels[:2], whole.mentions[:2])
    clusters, gold, _ = look_up([eg], parts=[part])
    assert found(clusters, gold) == {(0, "saw", 1)}


def test_relation_of_an_entity_with_itself_is_no_target():
    clusters, gold, _ = look_up([example([(0, "saw", 0)])])
    assert found(clusters, gold) == set()


def test_unknown_label_is_an_error_that_names_the_document():
    with pytest.raises(DocreError, match=r"'hates'.*Ann saw Bo"):
        look_up([example([(0, "hates", 1)])])


def test_relation_of_a_missing_cluster_is_an_error():
    eg = example([])
    eg.reference._.relations = [Relation("entity_clusters_1", "saw", "entity_clusters_9")]
    with pytest.raises(DocreError, match="entity_clusters_9"):
        look_up([eg])


def test_evidence_is_by_the_sentences_of_the_predicted_document():
    # "Ann saw Bo. Cy saw Ann. Bo ran."; the prediction has the last two sentences in one, and other
    # tokens.
    def doc(words, clusters, sent_starts, relations=None):
        made = make_doc(VOCAB, words, clusters, sent_starts=sent_starts)
        if relations is not None:
            made._.relations = relations
        return made

    relations = [
        Relation("entity_clusters_1", "saw", "entity_clusters_2", evidence=[(0, 3)]),
        Relation("entity_clusters_1", "likes", "entity_clusters_2", evidence=[(0, 1), (6, 8)]),
        Relation("entity_clusters_3", "saw", "entity_clusters_1", evidence=[(3, 6)]),
        Relation("entity_clusters_3", "likes", "entity_clusters_2"),
    ]
    words = ["Ann", "saw", "Bo", "Cy", "saw", "Ann", "Bo", "ran"]
    clusters = [[(0, 1), (5, 6)], [(2, 3), (6, 7)], [(3, 4)]]
    predicted = doc(words, clusters, (0, 3))
    eg = Example(predicted, doc(words, clusters, (0, 3, 6), relations))
    other = Example(doc(words, clusters, (0,)), doc(words, clusters, (0,), relations[:1]))
    clusters, labels, _, evidence = look_up([other, eg], with_evidence=True)
    first = {i: int(np.searchsorted(clusters.entity_doc, i)) for i in range(2)}

    def pair(doc, head, tail):
        start = first[doc]
        return clusters.find_pairs(np.array([start + head]), np.array([start + tail]))[0]

    assert sorted(map(tuple, evidence.T.tolist())) == sorted(
        [
            (pair(0, 0, 1), 0),
            (pair(1, 0, 1), 1),
            (pair(1, 0, 1), 1),
            (pair(1, 0, 1), 2),
            (pair(1, 2, 0), 2),
        ]
    )
    assert labels.sum() == 5
