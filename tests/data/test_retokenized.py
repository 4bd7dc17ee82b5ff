"""Tokens merged or split after clusters and relations were set: spans keep their characters."""

import pytest
import spacy
from spacy.tokens import Doc, DocBin

from spacy_docre import Relation, get_clusters
from spacy_docre.corpora.jsonl import to_jsonl
from spacy_docre.data.clusters import renew_clusters

from ..util import birth_doc, make_doc

WORDS = ["In", "Oslo", "Ada", "Mary", "Okafor", "was", "born", "."]
WORDS += ["Later", "Ada", "moved", "to", "New", "York", "City", "."]
MENTIONS = [[(2, 5), (9, 10)], [(1, 2)], [(12, 15)]]
TEXTS = [["Ada Mary Okafor", "Ada"], ["Oslo"], ["New York City"]]


@pytest.fixture
def doc():
    doc = make_doc(spacy.blank("xx").vocab, WORDS, MENTIONS, relations=[], sent_starts=(0, 8))
    doc._.relations = [
        Relation("entity_clusters_1", "born", "entity_clusters_2", 0.9, [(0, 8), (9, 10)]),
        Relation("entity_clusters_1", "lives", "entity_clusters_3", 0.8, [(12, 15)]),
    ]
    return doc


def merge(doc, *spans):
    with doc.retokenize() as retokenizer:
        for start, end in spans:
            retokenizer.merge(doc[start:end])


def split(doc, token, first):
    with doc.retokenize() as retokenizer:
        text = doc[token].text
        retokenizer.split(doc[token], [text[:first], text[first:]], [(doc[token], 0)] * 2)


CHANGES = {
    "merged": lambda doc: merge(doc, (2, 5), (12, 15)),
    "last ones merged": lambda doc: merge(doc, (12, 16)),
    "split": lambda doc: split(doc, 1, 2),
}
WIDENED = {"last ones merged": "New York City ."}


@pytest.mark.parametrize("change", CHANGES)
def test_mentions_and_evidence_follow_their_characters(change, doc):
    before = doc._.relations
    CHANGES[change](doc)
    city = WIDENED.get(change, "New York City")
    texts = [*TEXTS[:2], [city]]
    assert [[m.text for m in c.mentions] for c in get_clusters(doc)] == texts
    assert [c.text for c in get_clusters(doc)] == ["Ada Mary Okafor", "Oslo", city]
    evidence = [["In Oslo Ada Mary Okafor was born .", "Ada"], [city]]
    for relations in (before, doc._.relations):
        assert [[span.text for span in r.evidence] for r in relations] == evidence
    rows = [[[doc[s:e].text for s, e in r["evidence"]]] for r in doc._.relations]
    assert rows == [[texts] for texts in evidence]


@pytest.mark.parametrize("change", ["merged", "last ones merged"])
def test_what_is_saved_after_a_change(change, doc):
    CHANGES[change](doc)
    expected = [[m.text for m in c.mentions] for c in get_clusters(doc)]
    evidence = [[span.text for span in r.evidence] for r in doc._.relations]
    renew_clusters(doc)
    by_bytes = Doc(doc.vocab).from_bytes(doc.to_bytes())
    by_bin = next(DocBin(docs=[doc], store_user_data=True).get_docs(doc.vocab))
    for saved in (by_bytes, by_bin):
        assert [[m.text for m in c.mentions] for c in get_clusters(saved)] == expected
        assert [[span.text for span in r.evidence] for r in saved._.relations] == evidence


def test_rows_of_jsonl_have_the_mentions(doc):
    merge(doc, (2, 5), (12, 15))
    row = to_jsonl(doc)
    mentions = [
        [doc.text[m["start"] : m["end"]] for m in entity["mentions"]] for entity in row["clusters"]
    ]
    assert mentions == TEXTS


def test_nothing_changes_where_nothing_was_merged(doc):
    assert [[(m.start, m.end) for m in c.mentions] for c in get_clusters(doc)] == MENTIONS
    assert [r["evidence"] for r in doc._.relations] == [[[0, 8], [9, 10]], [[12, 15]]]


@pytest.mark.parametrize("stored", [3, "ab", [[1]], [["a", "b"]], [[[0, 10**30]]]])
def test_damaged_positions_are_ignored(stored, doc):
    doc.user_data["relations_evidence_characters"] = stored
    assert [r["evidence"] for r in doc._.relations][1] == [[12, 15]]


def test_merging_before_relations_are_set():
    """As when the extractor stands behind `merge_entities`."""
    doc = birth_doc(spacy.blank("xx").vocab, 0)
    merge(doc, (0, 2))
    doc._.relations = [Relation("entity_clusters_1", "born", "entity_clusters_2", 1.0, [(0, 3)])]
    assert doc._.relations[0].evidence[0].text == "Ada was born in"
    assert [m.text for m in doc._.relations[0].head.mentions] == ["Ada was", "Ada"]
