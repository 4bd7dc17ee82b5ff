"""Documents in which nothing can be found: what a user has to be told, once."""

import warnings

import pytest
from spacy.tokens import Span

from spacy_docre.extractor.notices import MANY_DOCS

from ..methods import overfitted
from ..util import birth_doc, make_doc

NAME = "doc_relation_extractor"


@pytest.fixture(scope="module")
def trained():
    return overfitted()


@pytest.fixture
def nlp(trained):
    trained.get_pipe(NAME).notices.__init__(trained.get_pipe(NAME))
    return trained


def told(nlp, docs):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(nlp.pipe(docs))
    return [str(w.message) for w in caught if "DW" in str(w.message)]


def with_entity(nlp):
    doc = nlp.make_doc("Ada was born in Oslo.")
    doc.ents = [Span(doc, 0, 1, label="PERSON")]
    return doc


def test_nothing_is_said_where_clusters_are(nlp):
    docs = [birth_doc(nlp.vocab, 1), nlp.make_doc("Nobody is named."), nlp.make_doc("")]
    assert told(nlp, docs) == []
    assert told(nlp, [nlp.make_doc("Nobody is named.")]) == []


def test_entities_without_clusters(nlp):
    (message,) = told(nlp, [with_entity(nlp) for _ in range(3)])
    assert "DW63" in message
    assert "'entity_clusters'" in message
    assert told(nlp, [with_entity(nlp)]) == [], "one warning a cause"


def test_clusters_of_another_prefix(nlp):
    doc = make_doc(nlp.vocab, ["Ada", "sleeps"], [[(0, 1)]], prefix="coref_clusters")
    (message,) = told(nlp, [doc])
    assert "DW62" in message
    assert "'coref_clusters'" in message


def test_many_documents_without_anything(nlp):
    docs = [nlp.make_doc("Nobody is named.") for _ in range(MANY_DOCS - 1)]
    assert told(nlp, docs) == []
    (message,) = told(nlp, docs[:1])
    assert "DW64" in message
    assert f"{MANY_DOCS} documents" in message


def test_types_that_training_did_not_have(nlp):
    words = ["Ada", "met", "Bela"]
    docs = [
        make_doc(nlp.vocab, words, [[(0, 1)], [(2, 3)]], types=["PER", "PERSON"]) for _ in range(2)
    ]
    (message,) = told(nlp, docs)
    assert "DW65" in message
    assert "'PER'" in message
    assert "'GPE', 'PERSON'" in message
