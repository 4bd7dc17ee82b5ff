import random

import numpy as np
import pytest
from spacy.tokens import Doc, Span, SpanGroup
from spacy.vocab import Vocab

from spacy_docre import DocreError, EntityCluster, get_clusters, set_clusters
from spacy_docre.data.clusters import copy_clusters
from spacy_docre.models.batch import ClusterBatch

from ..util import make_doc, random_doc


def test_clusters_come_in_the_order_of_their_numbers():
    doc = make_doc(Vocab(), ["w"] * 12, [[(i, i + 1)] for i in range(11)])
    doc.spans["entity_clusters_extra"] = [doc[0:1]]
    doc.spans["entity_clusters"] = [doc[0:1]]
    doc.spans["other_1"] = [doc[0:1]]
    assert [c.key for c in get_clusters(doc)] == [f"entity_clusters_{i + 1}" for i in range(11)]
    assert [c.key for c in get_clusters(doc, "other")] == ["other_1"]


@pytest.mark.parametrize("suffix", ["9" * 5000, "9" * 19, "²", "-1", "1.5", "", "1\n"])
def test_suffixes_that_are_no_number_of_a_cluster_are_left_alone(suffix):
    doc = make_doc(Vocab(), ["a", "b"], [[(0, 1)], [(1, 2)]])
    doc.spans[f"entity_clusters_{suffix}"] = [doc[0:1]]
    assert [c.key for c in get_clusters(doc)] == ["entity_clusters_1", "entity_clusters_2"]
    set_clusters(doc, [])
    assert list(doc.spans) == [f"entity_clusters_{suffix}"]


def test_setting_clusters_replaces_the_former_ones():
    doc = make_doc(Vocab(), ["a", "b"], [[(0, 1)], [(1, 2)]])
    set_clusters(doc, [[doc[1:2]]])
    assert [(c.key, c.text) for c in get_clusters(doc)] == [("entity_clusters_1", "b")]


def test_type_is_that_of_most_mentions_and_text_the_longest():
    doc = Doc(Vocab(), words=["he", "New", "York", "NY"])
    labels = [(0, 1, "A"), (1, 3, "B"), (3, 4, "B")]
    group = SpanGroup(doc, spans=[Span(doc, s, e, label=label) for s, e, label in labels])
    cluster = EntityCluster("x_1", group)
    assert cluster.label == "B"
    assert cluster.text == "New York"
    assert cluster.names == ["he", "New York", "NY"]
    group.attrs.update(name="City of New York", names=["He", "N. Y.", "NY"])
    assert cluster.text == "City of New York"
    assert cluster.names == ["He", "N. Y.", "NY"]


@pytest.mark.parametrize(
    ("words", "spaces", "expected"),
    [
        (["New", "York-based", "Acme", "Inc."], [1, 1, 1, 0], ["New York-based", "Acme Inc."]),
        (["New", "York", "-", "based", "Acme Inc."], [1, 0, 0, 1, 0], ["New York", "Acme Inc."]),
        (["New York-based Acme Inc."], [0], ["New York-based Acme Inc."] * 2),
    ],
)
def test_copied_mentions_are_widened_to_whole_tokens(words, spaces, expected):
    vocab = Vocab()
    source = Doc(vocab, words=["New", "York", "-based", "Acme", "Inc."], spaces=[1, 0, 1, 1, 0])
    set_clusters(source, [[Span(source, 0, 2, label="GPE")], [Span(source, 3, 5, label="ORG")]])
    source.spans["entity_clusters_1"].attrs["name"] = "NY"
    target = Doc(vocab, words=words, spaces=[bool(s) for s in spaces])
    copy_clusters(source, target)
    copied = get_clusters(target)
    assert [c.mentions[0].text for c in copied] == expected
    assert [c.label for c in copied] == ["GPE", "ORG"]
    assert copied[0].text == "NY"


@pytest.mark.parametrize("seed", range(5))
def test_index_arrays_equal_a_loop(seed):
    vocab, rng = Vocab(), random.Random(seed)
    docs = [random_doc(vocab, rng, n, k) for n, k in ((9, 3), (0, 0), (12, 1), (20, 5))]
    docs[0].spans["entity_clusters_2"] = []
    batch = ClusterBatch.from_docs(docs, entity_types=["OTHER", "THING"])
    mentions, entities, pairs, sentences, sentence_doc = [], [], [], [], []
    for d, doc in enumerate(docs):
        clusters = [c for c in get_clusters(doc) if c.mentions]
        numbers = range(len(entities), len(entities) + len(clusters))
        pairs += [(h, t) for h in numbers for t in numbers if h != t]
        sentence = {token.i: n + len(sentence_doc) for n, s in enumerate(doc.sents) for token in s}
        sentences += sentence.values()
        sentence_doc += [d for _ in doc.sents]
        for slot, cluster in enumerate(clusters):
            for span in cluster.mentions:
                mentions.append((len(entities), span.start, span.end, sentence[span.start]))
            entities.append((d, slot, 2))
    for name, column in zip(
        ("mention_entity", "mention_start", "mention_end", "mention_sentence"),
        np.array(mentions).T,
        strict=True,
    ):
        np.testing.assert_array_equal(getattr(batch, name), column)
    for name, column in zip(
        ("entity_doc", "entity_slot", "entity_type"), np.array(entities).T, strict=True
    ):
        np.testing.assert_array_equal(getattr(batch, name), column)
    assert list(zip(batch.pair_head, batch.pair_tail, strict=True)) == pairs
    assert batch.max_entities == 5
    of_doc = [[m for m in range(len(mentions)) if batch.mention_doc[m] == d] for d in range(4)]
    assert batch.mention_slot.tolist() == [i for own in of_doc for i in range(len(own))]
    assert batch.max_mentions == max(map(len, of_doc))
    assert batch.token_sentence.tolist() == sentences
    assert batch.sentence_doc.tolist() == sentence_doc
    assert batch.doc_length.tolist() == [9, 0, 12, 20]


def test_documents_without_clusters_give_empty_arrays():
    batch = ClusterBatch.from_docs([make_doc(Vocab(), [], []), make_doc(Vocab(), ["a"], [])])
    assert batch.keys == []
    assert batch.n_docs == 2
    assert batch.max_entities == 0
    assert batch.pair_head.shape == batch.pair_doc.shape == batch.mention_doc.shape == (0,)


def test_documents_without_sentences_are_one_sentence():
    doc = Doc(Vocab(), words=["a", "b"])
    set_clusters(doc, [[doc[0:1]], [doc[1:2]]])
    assert ClusterBatch.from_docs([doc]).mention_sentence.tolist() == [0, 0]


@pytest.mark.parametrize("place", [0, 1, 3])
def test_mentions_without_tokens_are_an_error_that_says_where(place):
    vocab = Vocab()
    doc = make_doc(vocab, ["Ada", "likes", "Oslo"], [[(0, 1)], [(2, 3), (place, place)]])
    batch = [make_doc(vocab, ["a", "b"], [[(0, 1)], [(1, 2)]]), doc]
    message = rf"'Ada likes Oslo'.*entity_clusters_2.* {place}-{place}, .* 3 of its document"
    with pytest.raises(DocreError, match=message):
        ClusterBatch.from_docs(batch)
