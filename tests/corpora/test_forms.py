"""Files of another form, encoding or spelling than the one that is asked for."""

import json
import os
from pathlib import Path

import pytest
import spacy
import srsly
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from spacy_docre import DocreError, get_clusters
from spacy_docre.corpora.brat import read_brat
from spacy_docre.corpora.docred import read_docred, to_docred
from spacy_docre.corpora.dwie import read_dwie
from spacy_docre.corpora.edge_oriented import read_edge_oriented
from spacy_docre.corpora.formats import all_formats, check_format, guess_format
from spacy_docre.corpora.jsonl import read_jsonl, to_jsonl
from spacy_docre.corpora.pubtator import read_pubtator
from spacy_docre.corpora.readers import read_docs
from spacy_docre.corpora.report import MAX_REASONS, OTHERS, ConversionReport
from spacy_docre.files import read_text

from ..commands import run
from ..util import birth_doc

NLP = spacy.blank("en")
JSONL = {"text": "Ann ran.", "clusters": [{"type": "P", "mentions": [{"start": 0, "end": 3}]}]}
DOCRED = {
    "title": "t",
    "sents": [["Ann", "ran"]],
    "vertexSet": [[{"name": "Ann", "sent_id": 0, "pos": [0, 1], "type": "P"}]],
}


def jsonl(path, row, report=None):
    path = path / "in.jsonl"
    path.write_text(json.dumps(row))
    return list(read_jsonl(path, NLP, report=report))


def docred(path, row, report=None):
    path = path / "in.json"
    path.write_text(json.dumps([row]))
    return list(read_docred(path, Vocab(), report=report))


@pytest.mark.parametrize(
    ("read", "row", "key", "meant"),
    [
        (jsonl, {"text": "a", "entities": []}, "entities", "clusters"),
        (jsonl, {"text": "a", "spans": []}, "spans", "clusters"),
        (jsonl, {**JSONL, "relation": []}, "relation", "relations"),
        (jsonl, {"text": "a", "clusters": [{"label": "x", "mentions": []}]}, "label", "type"),
        (jsonl, {"text": "a", "clusters": [{"type": "x", "mention": []}]}, "mention", "mentions"),
        (docred, {**DOCRED, "relations": []}, "relations", "labels"),
        (docred, {**DOCRED, "label": []}, "label", "labels"),
    ],
)
def test_keys_that_are_meant_for_others_are_refused(tmp_path, read, row, key, meant):
    with pytest.raises(DocreError, match=f"there is no key '{key}'; is '{meant}' meant"):
        read(tmp_path, row)


@pytest.mark.parametrize(
    ("read", "row", "reason"),
    [
        (jsonl, {**JSONL, "author": "x"}, "keys 'author' of documents, which are not read"),
        (docred, {**DOCRED, "na_triple": []}, "keys 'na_triple' of documents, which are not read"),
    ],
)
def test_other_unknown_keys_are_named_and_counted(tmp_path, read, row, reason):
    report = ConversionReport()
    assert len(read(tmp_path, row, report)) == 1
    assert report.counts == {reason: 1}
    assert report.kinds()["skipped"] == 1


def test_unknown_keys_do_not_let_the_report_grow(tmp_path):
    report = ConversionReport()
    jsonl(tmp_path, {**JSONL, **{f"x{n}": 1 for n in range(2 * MAX_REASONS)}}, report)
    assert len(report.counts) == MAX_REASONS + 1
    assert report.counts[OTHERS] == MAX_REASONS


def full_doc():
    """A document with all that `annotate` and `export` know of one."""
    doc = birth_doc(NLP.vocab, 0)
    doc.user_data |= {"title": "t", "id": "7", "source": "a.txt", "meta": {"page": [1]}}
    first, second = get_clusters(doc)[:2]
    first.group.attrs.update(kb_id="Q1", name="Ada Lovelace")
    first.group.attrs["names"] = ["ADA", first.mentions[1].text]
    doc.spans[second.key] = [
        doc.char_span(s.start_char, s.end_char, label=s.label_, kb_id="Q2") for s in second.mentions
    ]
    doc.user_data["excluded_pairs"] = [["entity_clusters_1", "entity_clusters_4"]]
    for relation in (rows := [dict(relation) for relation in doc._.relations]):
        relation |= {"score": 0.25, "evidence": [(0, 6)]}
    doc._.relations = rows
    return doc


def test_jsonl_reads_back_all_that_it_writes(tmp_path):
    doc = full_doc()
    report = ConversionReport()
    row = to_jsonl(doc, report=report)
    assert row["excluded_pairs"] == [[0, 3]]
    assert not report.counts
    (again,) = jsonl(tmp_path, row, report)
    assert not report.counts
    assert to_jsonl(again) == row
    clusters = get_clusters(again)
    assert clusters[0].kb_id == "Q1"
    assert clusters[0].text == "Ada Lovelace"
    assert clusters[0].names[0] == "ADA"
    assert [span.kb_id_ for span in clusters[1].mentions] == ["Q2", "Q2"]
    assert again.user_data["excluded_pairs"] == doc.user_data["excluded_pairs"]
    assert again.user_data["meta"] == {"page": [1]}


def test_docred_says_what_it_cannot_hold_and_reads_scores_back(tmp_path):
    report = ConversionReport()
    row = to_docred(full_doc(), "t", report=report)
    assert report.counts == {
        "entities written without their knowledge base id": 2,
        "pairs written without being excluded": 1,
    }
    (again,) = docred(tmp_path, row, report := ConversionReport())
    assert not report.counts
    assert {relation.score for relation in again._.relations} == {0.25}
    assert to_docred(again, "t") == row


def test_forms_are_told_by_their_files(tmp_path):
    doc = full_doc()
    paths = {}
    for name, entry in all_formats().items():
        if entry.write and entry.is_available:
            paths[name] = path = tmp_path / f"{name}.corpus"
            entry.write([doc], path, report=ConversionReport(), prefix="entity_clusters")
            assert guess_format(path).name == name
    for name, entry in all_formats().items():
        for other, path in paths.items():
            if name == other:
                check_format(entry, path)
            elif entry.is_folder == path.is_dir() and entry.write:
                with pytest.raises(DocreError, match=f"looks like.*`convert {other}`"):
                    check_format(entry, path)


def test_convert_tells_the_form_by_itself(tmp_path):
    path = tmp_path / "corpus"
    path.write_text(json.dumps([DOCRED]))
    output = run("convert", path, tmp_path / "a.spacy")
    assert "looks like the DocRED format: `convert docred`" in output
    assert "1 documents with 0 relations" in output
    assert "1 entities, 1 mentions; widened to whole tokens: 0, skipped: 0" in output
    output = run("convert", "jsonl", path, tmp_path / "b.spacy", code=1)
    assert "it looks like the DocRED format" in " ".join(output.split())
    path.write_text("Some notes.\n")
    assert "[D153]" in run("convert", path, tmp_path / "b.spacy", code=1)
    assert not (tmp_path / "b.spacy").exists()


@pytest.mark.parametrize(
    "text", ["Some notes.\n\nMore.\n", "<xml/>\n", '[\n\t{\n\t\t"title": "x"\n']
)
def test_files_of_no_form_are_not_edge_oriented(tmp_path, text):
    (tmp_path / "in.data").write_text(text)
    with pytest.raises(DocreError, match="does not have an identifier, a text and 17"):
        list(read_edge_oriented(tmp_path / "in.data", Vocab()))


BRAT = "T1\tPER 0 4\tMira\nT2\tPER 11 14\tJon\nR1\tspouse Arg1:T1 Arg2:T2\n"
PUBTATOR = "7|t|Mira loves Jon.\n7\t0\t4\tMira\tPer\tP1\n"
READ = {
    "a.jsonl": (json.dumps(JSONL), lambda path: read_jsonl(path, NLP)),
    "a.json": (json.dumps([DOCRED]), lambda path: read_docred(path, Vocab())),
    "a.pubtator": (PUBTATOR, lambda path: read_pubtator(path, NLP)),
    "a.ann": (BRAT, lambda path: read_brat(path.parent, NLP)),
}


@pytest.mark.parametrize("name", READ)
def test_byte_order_marks_are_no_part_of_a_file(tmp_path, name):
    text, read = READ[name]
    path = tmp_path / name
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfMira loves Jon.")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    (doc,) = read(path)
    assert doc.text.split()[0] in ("Mira", "Ann")
    assert get_clusters(doc)[0].mentions[0].start_char == 0


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf16_is_called_by_its_name(tmp_path, name, encoding):
    text, read = READ[name]
    (tmp_path / "a.txt").write_text("Mira loves Jon.")
    (tmp_path / name).write_bytes(text.encode(encoding))
    called = "UTF-32" if encoding == "utf-32" else "UTF-16"
    with pytest.raises(DocreError, match=rf"{name} is encoded in {called}"):
        list(read(tmp_path / name))


def test_other_encodings_are_named_with_their_line(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\ntwo \xe9\n")
    with pytest.raises(DocreError, match=r"a\.txt is not UTF-8: the byte 0xe9 in line 2"):
        read_text(tmp_path / "a.txt")


@pytest.mark.parametrize("counted_as_one", [False, True])
def test_brat_counts_line_ends_of_windows_either_way(tmp_path, counted_as_one):
    text = "Mira\r\nloves\r\nJon."
    start = text.index("Jon") - 2 * counted_as_one
    (tmp_path / "a.txt").write_bytes(text.encode())
    lines = f"T1\tPER 0 4\tMira\r\nT2\tPER {start} {start + 3}\tJon\r\n"
    (tmp_path / "a.ann").write_bytes(lines.encode())
    (doc,) = read_brat(tmp_path, NLP)
    assert [cluster.text for cluster in get_clusters(doc)] == ["Mira", "Jon"]


def test_subfolders_of_brat_are_read(tmp_path):
    for name in ("b", "sub/a", "sub/deeper/a%2Fb"):
        path = tmp_path / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("Mira loves Jon.")
        path.with_suffix(".ann").write_text(BRAT)
    docs = list(read_brat(tmp_path, NLP))
    assert [doc.user_data["title"] for doc in docs] == ["b", "sub/a", "sub/deeper/a/b"]
    assert all(len(doc._.relations) == 1 for doc in docs)


def test_only_regular_files_of_a_folder_are_read(tmp_path):
    folder, elsewhere = tmp_path / "in", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (elsewhere / "secret.txt").write_text("Secret.")
    (folder / "link.txt").symlink_to(elsewhere / "secret.txt")
    (folder / "linked").symlink_to(elsewhere)
    os.mkfifo(folder / "pipe.txt")
    (folder / "a.txt").write_text("Mira loves Jon.")
    report = ConversionReport()
    (doc,) = read_brat(folder, NLP, report=report)
    assert doc.text == "Mira loves Jon."
    assert report.counts == {
        "links in the folder, skipped": 2,
        "pipes, sockets or devices in the folder, skipped": 1,
        "documents without an .ann file, not annotated": 1,
    }
    os.mkfifo(folder / "pipe.json")
    with pytest.raises(DocreError, match=r"ends in \.json"):
        list(read_dwie(folder, NLP))


def test_names_that_are_not_utf8_are_read_and_shown(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff\xe2\x80\xae.txt"))
    path.write_text("Mira loves Jon.")
    report = ConversionReport()
    (doc,) = read_brat(tmp_path, NLP, report=report)
    assert doc.user_data["title"].startswith("bad\\udcff")
    DocBin(store_user_data=True, docs=[doc]).to_bytes()
    assert all(row[2].isprintable() for row in report.rows())
    assert report.counts["file names that are not UTF-8, with escapes in titles"] == 1


def test_empty_corpora_are_no_success(tmp_path):
    (tmp_path / "in.jsonl").write_text("\n")
    output = run("convert", "jsonl", tmp_path / "in.jsonl", tmp_path / "out.spacy")
    assert "⚠ 0 documents" in output
    assert list(read_docs(tmp_path / "out.spacy", Vocab())) == []


def test_what_annotate_writes_is_read_whole(tmp_path):
    row = {"id": "1", "source": "a.txt", **to_jsonl(full_doc()), "meta": {"x": 1}}
    srsly.write_jsonl(tmp_path / "part-00000.jsonl", [row])
    output = run("convert", tmp_path / "part-00000.jsonl", tmp_path / "out.spacy")
    assert "Not kept" not in output
