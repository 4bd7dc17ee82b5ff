"""Files of annotation tools, and what they must give."""

import json

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab

from spacy_docre import DocreError, get_clusters, has_relations
from spacy_docre.corpora.formats import all_formats, guess_format
from spacy_docre.corpora.report import ConversionReport
from spacy_docre.corpora.spacy_rel import REL
from spacy_docre.data.clusters import DEFAULT_PREFIX

from ..fuzz.checks import differences, meaning
from ..util import count_calls, make_doc
from .tool_files import FILES, LABELS, TEXT, spacy_rel

NAMES = [name for name in (*FILES, "spacy-rel") if all_formats()[name].is_available]


@pytest.fixture(params=NAMES)
def source(request, tmp_path):
    entry = all_formats()[request.param]
    path = tmp_path / f"in{entry.suffix}"
    if request.param == "spacy-rel":
        spacy_rel(path)
    else:
        path.write_text(FILES[request.param]())
    return entry, path


def read(entry, path, report=None, **options):
    report = report or ConversionReport()
    return list(
        entry.read(path, spacy.blank("en"), report=report, prefix=DEFAULT_PREFIX, **options)
    )


def entities(doc):
    return [[span.text for span in cluster.mentions] for cluster in get_clusters(doc)]


def test_a_file_is_recognised_and_read(source):
    entry, path = source
    assert guess_format(path) == entry
    report = ConversionReport()
    (doc,) = read(entry, path, report)
    assert doc.text == TEXT
    assert doc.user_data["title"] == "7"
    assert entities(doc) == [["Ada Lovelace"], ["Bo Ek"], ["Lovelace"], ["Rome"]]
    assert [c.label for c in get_clusters(doc)] == list(LABELS.values())
    triples = [(r.head.text, r.label, r.tail.text) for r in doc._.relations]
    assert triples == [("Ada Lovelace", "met", "Bo Ek"), ("Lovelace", "liked", "Rome")]
    assert [span.text for span in doc._.relations[1].evidence] == ["Lovelace", "Rome"]
    skipped = {
        "prodigy": "documents with another answer than 'accept', skipped",
        "label-studio": "annotations that were cancelled, skipped",
    }
    expected = {skipped[entry.name]: 1} if entry.name in skipped else {}
    assert report.counts == expected


def test_names_are_joined_by_the_rules_where_told(source):
    (doc,) = read(*source, entities="rules")
    assert entities(doc) == [["Ada Lovelace", "Lovelace"], ["Bo Ek"], ["Rome"]]
    heads = {relation["head"] for relation in doc._.relations}
    assert heads == {"entity_clusters_1"}


def test_a_type_of_relation_joins_mentions(source):
    (doc,) = read(*source, coref_types=["met"])
    assert entities(doc) == [["Ada Lovelace", "Bo Ek"], ["Lovelace"], ["Rome"]]
    assert [relation.label for relation in doc._.relations] == ["liked"]


def test_choices_that_are_not_there_are_refused(source):
    with pytest.raises(DocreError, match="one, rules, ids"):
        read(*source, entities="all")


@pytest.mark.parametrize("entities", ["one", "rules"])
def test_what_is_read_is_written_and_read_again(source, tmp_path, entities):
    entry, path = source
    first = read(entry, path, entities=entities)
    second, third = tmp_path / f"2{entry.suffix}", tmp_path / f"3{entry.suffix}"
    report = ConversionReport()
    entry.write(first, second, report=report, prefix=DEFAULT_PREFIX)
    assert not report.counts
    again = read(entry, second)
    for old, new in zip(first, again, strict=True):
        assert not differences(meaning(old), meaning(new))
        assert [dict(r) for r in old._.relations] == [dict(r) for r in new._.relations]
    entry.write(again, third, report=report, prefix=DEFAULT_PREFIX)
    if entry.name != "spacy-rel":
        assert second.read_bytes() == third.read_bytes()


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("doccano", ('"from_id": 10', '"from_id": 99'), "relations.*no mention '99'"),
        ("doccano", ('"end_offset": 12', '"end_offset": 999'), "0-999 is not inside"),
        ("doccano", ('"entities"', '"spans"'), "there is no key 'spans'; is 'entities' meant"),
        ("prodigy", ('"label": "PERSON"', '"label": "X"'), "there is no span 0-12"),
        ("label-studio", ('"text": "Ada', '"body": "Ada'), "there is no text 'text'"),
        ("label-studio", ('"from_id": "ada", ', ""), "needs from_id and to_id"),
    ],
)
def test_faults_are_named(tmp_path, name, change, reason):
    entry = all_formats()[name]
    path = tmp_path / f"in{entry.suffix}"
    text = FILES[name]()
    if name == "label-studio" and "body" in change[1]:
        change = ('{"text": "Ada Lovelace met', '{"body": "Ada Lovelace met')
    path.write_text(text.replace(*change, 1))
    with pytest.raises(DocreError, match=reason):
        read(entry, path)


def test_label_studio_counts_in_utf16(tmp_path):
    text = "🎉 Ada met Bo"
    value = {"start": 3, "end": 6, "text": "Ada", "labels": ["P"]}
    task = {
        "data": {"body": text},
        "annotations": [{"result": [{"id": "a", "type": "labels", "value": value}]}],
    }
    (tmp_path / "in.json").write_text(json.dumps([task]))
    (doc,) = read(all_formats()["label-studio"], tmp_path / "in.json", field="body")
    assert entities(doc) == [["Ada"]]
    assert has_relations(doc)


def test_the_table_of_spacys_tutorial_is_of_first_tokens(tmp_path):
    doc = Doc(Vocab(), words=["Ada", "Ek", "met", "Bo"])
    doc.ents = [Span(doc, 0, 2, label="P"), Span(doc, 3, 4, label="P")]
    doc.user_data[REL] = {(1, 3): {"met": 1.0}}
    DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "in.spacy")
    with pytest.raises(DocreError, match=r"doc\._\.rel': no table"):
        read(all_formats()["spacy-rel"], tmp_path / "in.spacy")


def test_the_table_of_spacys_tutorial_grows_with_the_relations_beyond_so_many_entities(tmp_path):
    entry = all_formats()["spacy-rel"]

    def calls(n):
        clusters = [[(i, i + 1)] for i in range(n)]
        doc = make_doc(Vocab(), ["a"] * n, clusters, relations=[(0, "r", 1)])
        settings = {"report": ConversionReport(), "prefix": DEFAULT_PREFIX}
        return count_calls(lambda: entry.write([doc], tmp_path / "out.spacy", **settings))

    assert calls(600) / calls(300) < 2.1
