import json
import pickle

import pytest
import srsly
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from spacy_docre import DocreError, Relation, has_relations, install_extension
from spacy_docre.data.relation import set_relations

from ..util import birth_doc, make_doc


@pytest.fixture
def doc():
    doc = birth_doc(Vocab(), 0)
    doc._.relations = [
        Relation("entity_clusters_1", "born", "entity_clusters_2", 0.75, [(0, 6), (6, 12)])
    ]
    return doc


@pytest.fixture
def attr():
    """A name for an extension that the test may register."""
    yield "other_relations"
    Doc.remove_extension("other_relations") if Doc.has_extension("other_relations") else None


def test_attributes_look_spans_up(doc):
    (relation,) = doc._.relations
    assert relation.head.text == "Ada"
    assert relation.head.label == "PERSON"
    assert [span.start for span in relation.head.mentions] == [0, 7]
    assert relation.label == "born"
    assert relation.tail.text == "Oslo"
    assert relation.score == 0.75
    assert [span.text for span in relation.evidence] == [
        "Ada was born in Oslo .",
        "Later Ada died in Bern .",
    ]
    assert relation.triple == ("entity_clusters_1", "born", "entity_clusters_2")


def through_docbin(doc):
    doc_bin = DocBin(store_user_data=True, docs=[doc])
    return next(DocBin().from_bytes(doc_bin.to_bytes()).get_docs(Vocab()))


def through_json(doc):
    text = json.dumps(doc.to_json(underscore=["relations"]))
    return Doc(Vocab()).from_json(json.loads(text))


def through_srsly(doc):
    text = srsly.json_dumps(doc.to_json(underscore=["relations"]))
    return Doc(Vocab()).from_json(srsly.json_loads(text))


@pytest.mark.parametrize(
    "carry",
    [
        through_docbin,
        through_json,
        through_srsly,
        lambda doc: Doc(Vocab()).from_bytes(doc.to_bytes()),
        lambda doc: pickle.loads(pickle.dumps(doc)),
        lambda doc: doc.copy(),
    ],
    ids=["DocBin", "json", "srsly", "bytes", "pickle", "copy"],
)
def test_relations_survive(doc, carry):
    (relation,) = carry(doc)._.relations
    assert relation == doc._.relations[0]
    assert relation.head.text == "Ada"
    assert relation.evidence[1].text == "Later Ada died in Bern ."
    assert relation.evidence_sentences[1].text == "Later Ada died in Bern ."


def test_pickled_relation_leaves_its_document_behind(doc):
    relation = pickle.loads(pickle.dumps(doc._.relations[0]))
    assert relation == doc._.relations[0]
    assert relation.doc is None
    with pytest.raises(DocreError, match="D003"):
        relation.head  # noqa: B018


def test_missing_cluster_is_named(doc):
    del doc.spans["entity_clusters_2"]
    with pytest.raises(DocreError, match="entity_clusters_2"):
        doc._.relations[0].tail  # noqa: B018


def test_no_annotation_is_not_an_annotation_without_relations():
    doc = make_doc(Vocab(), ["a"], [])
    assert doc._.relations == ()
    assert not has_relations(doc)
    doc._.relations = []
    assert doc._.relations == ()
    assert has_relations(doc)


def test_mappings_are_taken_as_relations(doc):
    doc._.relations = [{"head": "a", "label": "b", "tail": "c"}]
    assert doc._.relations[0] == Relation("a", "b", "c", 1.0)


@pytest.mark.parametrize(
    "value",
    [("a", "b", "c"), {"head": "a", "label": "b"}, {"head": 1, "label": "b", "tail": "c"}, None],
)
def test_other_values_are_refused(doc, value):
    with pytest.raises(DocreError, match="D002"):
        doc._.relations = [value]


def test_attribute_can_have_another_name(attr):
    install_extension(attr)
    install_extension(attr)
    doc = make_doc(Vocab(), ["a", "b"], [[(0, 1)], [(1, 2)]])
    doc._.other_relations = [Relation("entity_clusters_1", "x", "entity_clusters_2")]
    assert doc._.other_relations[0].tail.text == "b"
    assert not has_relations(doc)


@pytest.mark.parametrize("foreign", [{"default": []}, {"getter": len}, {"default": None}])
def test_foreign_extension_is_not_replaced(attr, foreign):
    Doc.set_extension(attr, **foreign)
    with pytest.raises(DocreError, match="D001"):
        install_extension(attr)
    assert Doc.get_extension(attr)[0] == foreign.get("default")


def test_nothing_is_written_to_a_foreign_extension(attr):
    """Another package can take the attribute when the component is there already."""
    install_extension(attr)
    doc = make_doc(Vocab(), ["a", "b"], [[(0, 1)], [(1, 2)]])
    Doc.set_extension(attr, default="theirs", force=True)
    with pytest.raises(DocreError, match=rf"D001.*{attr}"):
        set_relations(doc, [], attr=attr)
    assert doc._.get(attr) == "theirs"


def test_evidence_sentences_without_marked_sentences():
    doc = Doc(Vocab(), words=["Ada", "came", ".", "She", "left", "."])
    assert Relation("a", "r", "b", evidence=[(3, 4), (0, 1)], doc=doc).evidence_sentences[
        0
    ].text == (doc.text.strip())
    assert Relation("a", "r", "b", doc=doc).evidence_sentences == []
