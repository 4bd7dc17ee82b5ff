"""From records to rows, whatever breaks in between."""

import json

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc

from spacy_docre import DocreError, get_clusters
from spacy_docre.annotation import Annotation, Failure, Record, annotate, annotate_rows
from spacy_docre.data.relation import get_relations

from ..annotating import BREAK, make_pipeline, make_records, make_texts
from ..util import birth_doc, make_doc


@pytest.fixture(scope="module")
def nlp():
    nlp = make_pipeline()
    nlp.get_pipe("doc_relation_extractor").cfg["threshold"] = 0.4
    return nlp


@pytest.fixture(scope="module")
def breaking():
    return make_pipeline(breaking=True)


def as_record(doc: Doc, **fields) -> Record:
    return Record("x.spacy", 1, "x", doc.text, doc=doc.to_bytes(), **fields)


def test_rows_are_plain_and_say_what_the_document_says(nlp):
    record = Record("a.txt", 1, "the id", "Ada went to Oslo. She saw Riga.", "Title", {"k": [1]})
    (row,) = annotate_rows(nlp, [record])
    assert row == json.loads(json.dumps(row))
    assert list(row)[:4] == ["id", "source", "title", "text"]
    assert (row["id"], row["source"], row["title"]) == ("the id", "a.txt", "Title")
    assert row["meta"] == {"k": [1]}
    names = [(c["name"], c["type"]) for c in row["clusters"]]
    assert names == [("Ada", "PERSON"), ("Oslo", "GPE"), ("Riga", "GPE")]
    assert [m["text"] for m in row["clusters"][0]["mentions"]] == ["Ada", "She"]
    assert row["relations"]
    scores = [relation["score"] for relation in row["relations"]]
    assert scores == sorted(scores, reverse=True)
    assert all(score == round(score, 4) for score in scores)


def test_rows_do_not_depend_on_the_batch(nlp):
    records = make_records(make_texts(40))
    whole = list(annotate_rows(nlp, records, batch_size=40))
    single = list(annotate_rows(nlp, records, batch_size=1))
    assert sum(len(row["relations"]) for row in whole) > 40
    for a, b in zip(whole, single, strict=True):
        assert {**a, "relations": []} == {**b, "relations": []}
        assert len(a["relations"]) == len(b["relations"])
        scores = [[r["score"] for r in row["relations"]] for row in (a, b)]
        assert np.allclose(*scores, atol=1.1e-4), "but for a score that rounds the other way"


def test_edge_cases_are_rows(nlp):
    texts = ["", " ", "\n\n", "Ada", "nothing here", "Ada Ada Ada", "🤖"]
    rows = list(annotate_rows(nlp, make_records(texts)))
    assert [row["text"] for row in rows] == texts
    assert [len(row["clusters"]) for row in rows] == [0, 0, 0, 1, 0, 1, 0]
    assert all(row["relations"] == [] for row in rows)


@pytest.mark.parametrize("n_process", [1, 2])
def test_broken_documents_are_set_aside_and_the_others_stay_in_order(breaking, n_process):
    texts = make_texts(12)
    for place in (0, 4, 5, 11):
        texts[place] = f"Ada {BREAK} Oslo."
    records: list = make_records(texts)
    records[7] = Failure("made", 8, "made:8", "unreadable", "raw")
    items = list(annotate(breaking, records, batch_size=3, n_process=n_process))
    broken = [i for i, item in enumerate(items) if isinstance(item, Failure)]
    assert broken == [0, 4, 5, 7, 11]
    assert items[4] == Failure(
        "made", 5, "made:5", "RuntimeError: this document broke the pipeline", texts[4]
    )
    assert items[7] is records[7]
    good = [item for item in items if isinstance(item, Annotation)]
    assert [item.doc.text for item in good] == [t for i, t in enumerate(texts) if i not in broken]


def test_a_broken_batch_changes_no_handler(breaking):
    before = breaking.default_error_handler
    list(annotate(breaking, make_records([BREAK])))
    assert breaking.default_error_handler is before


def test_too_long_text_is_set_aside(nlp):
    nlp.max_length, former = 20, nlp.max_length
    try:
        items = list(annotate(nlp, make_records(["Ada.", "Ada " * 10, "Oslo."])))
        given = as_record(birth_doc(nlp.vocab, 0))
        (tokenized,) = annotate(nlp, [given])
    finally:
        nlp.max_length = former
    assert [isinstance(item, Failure) for item in items] == [False, True, False]
    assert "E088" in items[1].reason
    assert isinstance(tokenized, Failure)


def test_long_runs_are_cut_before_the_tokenizer(nlp):
    """Whose time would grow with the square of their brackets."""
    (item,) = annotate(nlp, make_records(["ab" * 400 + "."]))
    assert item.doc.text == "ab" * 400 + "."
    assert max(map(len, item.doc)) == 250


def test_tokens_that_cannot_be_restored_are_one_broken_document(nlp):
    (failure,) = annotate(nlp, [Record("a.spacy", 1, "x", "Ada", doc=b"broken")])
    assert isinstance(failure, Failure)


def test_tokens_are_kept_and_the_rest_is_not(nlp):
    given = make_doc(nlp.vocab, ["Ada", "we", "nt", "Oslo"], [[(1, 2)]], types=["ODD"])
    (item,) = annotate(nlp, [as_record(given)])
    assert [token.text for token in item.doc] == ["Ada", "we", "nt", "Oslo"]
    assert [cluster.text for cluster in get_clusters(item.doc)] == ["Ada", "Oslo"]


@pytest.mark.parametrize("n_process", [1, 2])
def test_given_clusters_replace_those_of_the_pipeline(breaking, n_process):
    docs = [birth_doc(breaking.vocab, n) for n in range(5)]
    odd = make_doc(
        breaking.vocab, ["Ada", BREAK, "Oslo"], [[(0, 1)], [(2, 3)], []], types=["A", "B", "C"]
    )
    odd.spans["entity_clusters_1"].attrs["name"] = "Ada Lovelace"
    records = [as_record(doc) for doc in [*docs, odd]]
    settings = {"batch_size": 2, "keep_clusters": True, "n_process": n_process}
    items = list(annotate(breaking, records, **settings))
    assert isinstance(items[-1], Failure)
    for item, doc in zip(items, docs, strict=False):
        expected = [[(s.start, s.end, s.label_) for s in c.group] for c in get_clusters(doc)]
        found = [[(s.start, s.end, s.label_) for s in c.group] for c in get_clusters(item.doc)]
        assert found == expected
        assert [s.start for s in item.doc.sents] == [s.start for s in doc.sents]
    assert any(get_relations(item.doc) for item in items[:-1])


def test_names_of_given_clusters_are_kept(nlp):
    doc = make_doc(nlp.vocab, ["Ada", "saw", "Oslo"], [[(0, 1)], [(2, 3)], []], types=["A"] * 3)
    doc.spans["entity_clusters_1"].attrs["name"] = "Ada Lovelace"
    doc.ents = [doc.spans["entity_clusters_1"][0]]
    (row,) = annotate_rows(nlp, [as_record(doc)], keep_clusters=True)
    assert [cluster["name"] for cluster in row["clusters"]] == ["Ada Lovelace", "Oslo", ""]
    assert [c["mentions"][0]["named"] for c in row["clusters"][:2]] == [True, False]


def test_texts_beside_given_clusters_get_the_pipelines(nlp):
    (row,) = annotate_rows(nlp, make_records(["Ada saw Oslo."]), keep_clusters=True)
    assert len(row["clusters"]) == 2


def test_kb_id_is_in_the_row(nlp):
    doc = nlp("Ada saw Oslo.")
    doc.spans["entity_clusters_1"] = [doc.char_span(0, 3, label="PERSON", kb_id="Q7259")]
    (row,) = annotate_rows(nlp, [as_record(doc)], keep_clusters=True)
    assert [cluster["kb_id"] for cluster in row["clusters"]] == ["Q7259", ""]


def test_failures_are_rows_too(nlp):
    failure = Failure("a", 3, "x", "why", "raw")
    rows = list(annotate_rows(nlp, [failure]))
    assert rows == [{"source": "a", "number": 3, "id": "x", "reason": "why", "raw": "raw"}]


def test_pipeline_without_extractor_is_refused():
    with pytest.raises(DocreError, match="D019"):
        list(annotate(spacy.blank("xx"), []))
