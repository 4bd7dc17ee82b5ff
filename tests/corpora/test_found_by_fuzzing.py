"""The smallest inputs that once did something else than they should.

See `docs/explanation/fuzzing.md`.
"""

import json
import pickle

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from spacy_docre import DocreError, get_clusters, set_clusters
from spacy_docre.annotation.records import Failure
from spacy_docre.annotation.sources import read_records
from spacy_docre.corpora.brat import read_brat
from spacy_docre.corpora.docred import read_docred, read_relation_names, to_docred_predictions
from spacy_docre.corpora.dwie import read_dwie
from spacy_docre.corpora.edge_oriented import read_edge_oriented, to_edge_oriented
from spacy_docre.corpora.jsonl import read_jsonl
from spacy_docre.corpora.pubtator import read_pubtator, to_pubtator
from spacy_docre.corpora.report import ConversionReport
from spacy_docre.data.clusters import copy_clusters, describe

from ..util import make_doc

NLP = spacy.blank("en")
DOCRED = {
    "title": "t",
    "sents": [["Ada", "ran"]],
    "vertexSet": [[{"name": "Ada", "sent_id": 0, "pos": [0, 1], "type": "PER"}]],
    "labels": [],
}
DWIE = {
    "id": "d",
    "content": "Ada ran",
    "mentions": [{"begin": 0, "end": 3, "text": "Ada", "concept": 0}],
    "concepts": [{"concept": 0, "tags": []}],
    "relations": [],
}
JSONL = {"title": "t", "text": "Ada ran", "clusters": [], "relations": []}
READ = {
    "docred": ("in.json", lambda path: read_docred(path, Vocab())),
    "dwie": ("in.json", lambda path: read_dwie(path.parent, NLP)),
    "jsonl": ("in.jsonl", lambda path: read_jsonl(path, NLP)),
    "pubtator": ("in.txt", lambda path: read_pubtator(path, NLP)),
    "edge-oriented": ("in.data", lambda path: read_edge_oriented(path, Vocab())),
}


def read(tmp_path, name, text):
    file, reader = READ[name]
    path = tmp_path / file
    path.write_text(text, encoding="utf8")
    return list(reader(path))


@pytest.mark.parametrize(
    ("name", "row", "field"),
    [
        ("docred", {**DOCRED, "title": "\ud800"}, "title"),
        ("docred", {**DOCRED, "sents": [["Ada", "\udc80"]]}, r"sents\[0\]\[1\]"),
        ("jsonl", {**JSONL, "text": "Ada \udfff"}, "text"),
        ("jsonl", {**JSONL, "\ud800": 1}, r"\\ud800"),
        ("dwie", {**DWIE, "content": "Ada \ud800"}, "content"),
    ],
)
def test_escapes_of_half_a_character_are_refused(tmp_path, name, row, field):
    text = json.dumps([row] if name == "docred" else row)
    with pytest.raises(DocreError, match=rf"field '{field}': .*surrogate"):
        read(tmp_path, name, text)


def test_names_of_relations_that_are_no_unicode_are_refused(tmp_path):
    path = tmp_path / "rel_info.json"
    path.write_text('{"P1": "\\ud800"}')
    with pytest.raises(DocreError, match=r"rel_info\.json: field 'P1': .*surrogate"):
        read_relation_names(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("docred", json.dumps([DOCRED]).replace('"title"', '"labels": [], "title"')),
        ("dwie", json.dumps(DWIE).replace('"id"', '"relations": [], "id"')),
        ("jsonl", json.dumps(JSONL).replace('"title"', '"relations": [], "title"')),
    ],
)
def test_an_object_with_a_key_twice_is_refused_and_not_half_read(tmp_path, name, text):
    with pytest.raises(DocreError, match=r"the key '(labels|relations)' twice"):
        read(tmp_path, name, text)


def test_a_line_with_a_key_twice_is_set_aside(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "one", "text": "two"}\n{"text": "three"}\n')
    failure, record = read_records([str(path)])
    assert isinstance(failure, Failure)
    assert "the key 'text' twice" in failure.reason
    assert record.text == "three"


@pytest.mark.parametrize("score", ["NaN", "Infinity", "-0.1", "1.1", "1e999", "9" * 400])
def test_scores_that_are_no_probabilities_are_refused(tmp_path, score):
    clusters = '[{"mentions": [{"start": 0, "end": 3}]}, {"mentions": [{"start": 4, "end": 7}]}]'
    row = '{"text": "Ada ran", "clusters": %s, "relations": [%s]}'
    relation = f'{{"head": 0, "label": "x", "tail": 1, "score": {score}}}'
    with pytest.raises(DocreError, match=r"relations\[0\]\.score"):
        read(tmp_path, "jsonl", row % (clusters, relation))


def test_numbers_of_concepts_that_no_file_could_hold_are_refused(tmp_path):
    row = json.dumps(DWIE).replace('"concept": 0', f'"concept": {2**64}')
    with pytest.raises(DocreError, match=r"concepts\[0\]\.concept"):
        read(tmp_path, "dwie", row)
    (doc,) = read(tmp_path, "dwie", row.replace(str(2**64), str(2**63 - 1)))
    DocBin(docs=[doc], store_user_data=True).to_bytes()


@pytest.mark.parametrize("digits", [19, 5000])
def test_offsets_of_thousands_of_digits_are_no_offsets(tmp_path, digits):
    mention = "\t".join(["1", "0", "9" * digits, "Ada", "Person", "D1"])
    (doc,) = read(tmp_path, "pubtator", f"1|t|Ada ran\n{mention}\n")
    # What is no mention is a relation, as for PubTator itself.
    assert [relation.label for relation in doc._.relations] == ["0"]


def test_mentions_of_white_space_between_tokens_are_refused(tmp_path):
    row = {**JSONL, "clusters": [{"mentions": [{"start": 3, "end": 4}]}]}
    with pytest.raises(DocreError, match=r"mentions\[0\]': 3-4 is nothing but white space"):
        read(tmp_path, "jsonl", json.dumps(row))


def test_sentences_of_white_space_between_tokens_are_no_sentences(tmp_path):
    row = {**JSONL, "sentences": [[0, 3], [3, 4], [4, 7]]}
    (doc,) = read(tmp_path, "jsonl", json.dumps(row))
    assert [sentence.text for sentence in doc.sents] == ["Ada", "ran"]


def test_mentions_of_white_space_between_tokens_are_left_out_and_counted(tmp_path):
    path = tmp_path / "in.txt"
    path.write_text("1|t|Ada ran\n1\t0\t3\tAda\tPerson\tD2\n1\t3\t4\t \tPerson\tD1\n")
    report = ConversionReport()
    (doc,) = read_pubtator(path, NLP, report=report)
    assert [cluster.text for cluster in get_clusters(doc)] == ["Ada"]
    assert report.counts == {"mentions of nothing but white space, left out": 1}
    assert to_pubtator(doc) == path.read_text() + "\n"


def test_documents_that_the_data_form_names_anew_are_counted():
    report = ConversionReport()
    assert to_edge_oriented(make_doc(Vocab(), ["a"], []), report=report) == "-\ta"
    assert report.counts == {"documents without an identifier, named -": 1}


@pytest.mark.parametrize(
    ("write", "written"), [(to_edge_oriented, "_7\ta"), (to_pubtator, "_7|t|a\n")]
)
def test_identifiers_never_look_like_the_mark_of_an_encoding(write, written):
    report, doc = ConversionReport(), make_doc(Vocab(), ["a"], [])
    doc.user_data["title"] = "\ufeff7"
    assert write(doc, report=report).startswith(written)
    assert report.counts.total() == 1


def test_mentions_of_white_space_are_not_copied_to_where_it_is_between_tokens():
    source = Doc(Vocab(), words=["Ada", " ", "ran"], spaces=[False, False, False])
    set_clusters(source, [[source[0:1], source[1:2]], [source[1:2]]])
    target = Doc(Vocab(), words=["Ada", "ran"], spaces=[True, False])
    copy_clusters(source, target)
    assert [[span.text for span in c.mentions] for c in get_clusters(target)] == [["Ada"], []]


@pytest.mark.parametrize("name", ["pubtator", "jsonl"])
def test_texts_longer_than_parsers_take_are_read(tmp_path, monkeypatch, name):
    monkeypatch.setattr(NLP, "max_length", 10)
    text = "Ada ran and ran"
    content = json.dumps({"text": text}) if name == "jsonl" else f"1|t|{text}\n"
    (doc,) = read(tmp_path, name, content)
    assert doc.text == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pubtator", f"1|t|Ada\n{'9' * 5000}\t0\t3\tAda\tPerson\tD1\n"),
        ("pubtator", "1|t|Ada\n\x1b[31m2\t0\t3\tAda\tPerson\tD1\n"),
        ("edge-oriented", f"1\tAda ran\t{'9' * 5000}" + "\tx" * 16),
        ("edge-oriented", "1\x1b[31m\tAda ran\tx" + "\tx" * 16),
        ("docred", json.dumps([{**DOCRED, "title": "\x1b[31m" + "t" * 5000, "sents": 0}])),
    ],
)
def test_messages_are_short_and_steer_no_terminal(tmp_path, name, text):
    with pytest.raises(DocreError) as caught:
        read(tmp_path, name, text)
    message = str(caught.value)
    assert len(message) < 1200
    assert message.isprintable()


def test_messages_of_brat_are_short_and_steer_no_terminal(tmp_path):
    (tmp_path / "a.txt").write_text("Ada ran")
    (tmp_path / "a.ann").write_text(f"R1\tx Arg1:\x1b[31m{'9' * 5000} Arg2:T1\n")
    with pytest.raises(DocreError, match=r"a\.ann, line 1") as caught:
        list(read_brat(tmp_path, NLP))
    assert len(str(caught.value)) < 1200
    assert str(caught.value).isprintable()


def test_documents_are_described_without_what_steers_a_terminal():
    doc = make_doc(Vocab(), ["\x1b[31mred", "\u202eabc"], [])
    assert describe(doc) == r"the document '\x1b[31mred \u202eabc'"
    doc.user_data["title"] = "\x1b[2J" + "t" * 5000
    assert describe(doc).isprintable()
    assert len(describe(doc)) < 100


def test_relation_types_of_thousands_of_digits_are_shown_shortened():
    doc = make_doc(Vocab(), ["a", "b"], [[(0, 1)], [(1, 2)]], relations=[(0, "9" * 5000, 1)])
    with pytest.raises(DocreError, match="D080") as caught:
        to_pubtator(doc)
    assert len(str(caught.value)) < 1200


def test_errors_show_names_without_what_steers_a_terminal():
    error = DocreError("one\ntwo \x1b[31m\u202e\ud800'")
    assert str(error) == "one\ntwo \\x1b[31m\\u202e\\ud800'"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_relations_of_what_is_no_cluster_are_no_predictions():
    doc = make_doc(Vocab(), ["a", "b"], [[(0, 1)], [(1, 2)]])
    doc.spans["sc"] = [doc[0:1]]
    doc._.relations = [{"head": "entity_clusters_1", "label": "x", "tail": "sc"}]
    assert len(get_clusters(doc)) == 2
    with pytest.raises(DocreError, match=r"D046.*'sc'"):
        to_docred_predictions([doc])
