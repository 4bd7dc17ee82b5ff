import json
from contextlib import suppress

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import DocBin

from spacy_docre import DocreError, get_clusters, has_relations
from spacy_docre.corpora.jsonl import read_jsonl, to_jsonl

from .strategies import json_values

NLP = spacy.blank("en")
TEXT = "Ann ran. She left Rome."


def row():
    return {
        "title": "Ann",
        "text": TEXT,
        "sentences": [[0, 8], [9, 23]],
        "clusters": [
            {
                "type": "PERSON",
                "mentions": [
                    {"start": 0, "end": 3, "named": True},
                    {"start": 9, "end": 12, "named": False},
                ],
            },
            {"type": "GPE", "mentions": [{"start": 18, "end": 22, "named": True}]},
        ],
        "relations": [{"head": 0, "label": "left", "tail": 1, "evidence": [[9, 23]]}],
    }


def read(tmp_path, *rows):
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    return list(read_jsonl(path, NLP))


def test_everything_is_kept(tmp_path):
    (doc,) = read(tmp_path, row())
    assert doc.text == TEXT
    assert doc.user_data["title"] == "Ann"
    assert [sent.text for sent in doc.sents] == ["Ann ran.", "She left Rome."]
    assert [[m.text for m in c.mentions] for c in get_clusters(doc)] == [["Ann", "She"], ["Rome"]]
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("Ann", "PERSON"), ("Rome", "GPE")]
    (relation,) = doc._.relations
    assert relation.triple == ("entity_clusters_1", "left", "entity_clusters_2")
    assert [span.text for span in relation.evidence] == ["She left Rome."]


def test_written_rows_are_read_again(tmp_path):
    (doc,) = read(tmp_path, row())
    written = to_jsonl(doc)
    assert written["clusters"][0]["mentions"][1]["text"] == "She"
    (again,) = read(tmp_path, written)
    assert to_jsonl(again) == written


def test_missing_annotation_stays_missing(tmp_path):
    (doc,) = read(tmp_path, {"text": TEXT})
    assert not has_relations(doc)
    assert not doc.has_annotation("SENT_START")
    assert "relations" not in to_jsonl(doc)
    assert "sentences" not in to_jsonl(doc)


def test_offsets_inside_tokens_are_widened(tmp_path):
    inside = row()
    inside["clusters"][1]["mentions"] = [{"start": 19, "end": 21}]
    (doc,) = read(tmp_path, inside)
    assert get_clusters(doc)[1].text == "Rome"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"text": None}, "text"),
        ({"sentences": [[0, 99]]}, r"sentences\[0\]"),
        ({"clusters": [{"mentions": [{"start": 3, "end": 3}]}]}, r"clusters\[0\].mentions\[0\]"),
        ({"relations": [{"head": 0, "label": "x", "tail": 2}]}, r"relations\[0\].tail"),
        ({"relations": [{"head": 0, "label": "x"}]}, r"relations\[0\].tail"),
    ],
)
def test_malformed_document_and_field_are_named(tmp_path, change, field):
    with pytest.raises(DocreError, match=rf"document 1 \('Ann'\), field '{field}'"):
        read(tmp_path, row(), {**row(), **change})


@pytest.mark.parametrize(("depth", "is_read"), [(100, True), (101, False), (900, False)])
def test_what_is_kept_can_be_written(depth, is_read, tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "Ada", "meta": ' + "[" * depth + "]" * depth + "}")
    if is_read:
        docs = list(read_jsonl(path, spacy.blank("en")))
        assert DocBin(docs=docs, store_user_data=True).to_bytes()
    else:
        with pytest.raises(DocreError, match=r"meta.*nested more than 100 deep"):
            list(read_jsonl(path, spacy.blank("en")))


def test_lines_that_are_not_json_are_named(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "a"}\n{"text": \n')
    with pytest.raises(DocreError, match="document 1"):
        list(read_jsonl(path, NLP))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    key=st.sampled_from(["title", "text", "sentences", "clusters", "relations"]),
    value=json_values,
)
def test_any_value_anywhere_is_read_or_refused(tmp_path, key, value):
    with suppress(DocreError):
        assert len(read(tmp_path, {**row(), key: value})) == 1
