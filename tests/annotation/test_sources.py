"""Every source, and a broken document in each of them."""

import io
import json
import os
import sys

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin

from spacy_docre import DocreError
from spacy_docre.annotation import Failure, Record
from spacy_docre.annotation.sources import SourceSettings, read_records

from ..annotating import failures
from ..util import birth_doc


def read(*inputs, ignore=None, **settings):
    items = read_records([str(i) for i in inputs], SourceSettings(**settings), ignore=ignore)
    return list(items)


def texts(items):
    return [item.text for item in items if isinstance(item, Record)]


def test_text_file_is_one_document(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffAda\r\nwent 🤖.\n".encode())
    (record,) = read(path)
    assert record == Record(path.as_posix(), 1, path.as_posix(), "Ada\nwent 🤖.\n")


def test_text_file_of_unknown_suffix_is_read_if_it_is_named(tmp_path):
    (tmp_path / "README.weird").write_text("Ada.")
    assert texts(read(tmp_path / "README.weird")) == ["Ada."]


def test_empty_text_is_a_document(tmp_path):
    (tmp_path / "a.txt").write_text("")
    assert texts(read(tmp_path / "a.txt")) == [""]


def test_undecodable_text_is_set_aside(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"Ada \xe9 went")
    (failure,) = read(tmp_path / "a.txt")
    assert isinstance(failure, Failure)
    assert failure.reason == "not UTF-8: the byte 0xe9"
    assert failure.raw == "Ada \\udce9 went"


def test_lines_are_documents(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("Ada.\r\n\n  \nBela\u2028Cora.\n\xff".encode("utf8") + b"\xff\nDana.")
    items = read(path, lines=True)
    assert texts(items) == ["Ada.", "Bela\u2028Cora.", "Dana."]
    assert [item.number for item in items] == [1, 4, 5, 6]
    assert items[0].id == f"{path.as_posix()}:1"
    (failure,) = failures(items)
    assert "0xff" in failure.reason
    json.dumps(failure.row(), ensure_ascii=False).encode()


def test_standard_input_is_lines(monkeypatch):
    stdin = io.TextIOWrapper(io.BytesIO(b"Ada.\n\xff\n\nBela.\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    items = read("-")
    assert texts(items) == ["Ada.", "Bela."]
    assert [item.number for item in items] == [1, 2, 4]
    assert items[0].source == "stdin"


def test_jsonl_keeps_other_fields(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [
        {"body": "Ada.", "key": 7, "title": "T", "tags": [1, None], "nested": {"a": "é"}},
        {"body": "", "key": "../x\n"},
        {"body": "Bela.", "title": 3},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    items = read(path, text_field="body", id_field="key")
    assert [item.id for item in items] == ["7", "../x\n", f"{path.as_posix()}:3"]
    assert items[0].meta == {"tags": [1, None], "nested": {"a": "é"}}
    assert [item.title for item in items] == ["T", "", ""]
    assert items[2].meta == {"title": 3}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"[1]", "expected a JSON object"),
        (b"{}", "no field 'text'"),
        (b'{"text": 1, "id": "x"}', "the field 'text' is no string"),
        (b'{"text": null}', "the field 'text' is no string"),
        (b'{"text": "a", "id": [1]}', "the field 'id' is no string or number"),
        (b'{"text": "a", "id": true}', "the field 'id' is no string or number"),
        (b'{"text": "\xff"}', "not UTF-8: the byte 0xff"),
        (b'{"text": "\\ud800"}', "not Unicode: the lone surrogate U+D800"),
        (b'{"text": "a", "id": "\\udfff"}', "not Unicode: the lone surrogate U+DFFF"),
        (b'{"text": "a", "x": {"y": "\\ud83d"}}', "not Unicode"),
        (b'{"text": "a", "x": NaN}', "NaN is no JSON value"),
        (b'{"text": "a", "x": 1e999}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"text": "a", "x": ' + b"[" * 100 + b"]" * 100 + b"}", "nested more than 100 deep"),
    ],
)
def test_broken_json_line_is_set_aside(tmp_path, line, reason):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "before"}\n' + line + b'\n\n{"text": "after"}\n')
    items = read(path)
    assert texts(items) == ["before", "after"]
    (failure,) = failures(items)
    assert failure.number == 2
    assert reason in failure.reason
    assert failure.raw
    json.dumps(failure.row(), ensure_ascii=False).encode()


def test_csv(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(
        "\ufeffid,text,note\r\n"
        '1,"Ada, ""the"" first\nline",x\r\n'
        "\r\n"
        f"2,{'long ' * 50_000},y\r\n".encode()
    )
    items = read(path)
    assert [item.id for item in items] == ["1", "2"]
    assert items[0].text == 'Ada, "the" first\nline'
    assert items[0].meta == {"note": "x"}
    assert len(items[1].text) == 250_000


def test_tsv_and_delimiter(tmp_path):
    (tmp_path / "a.tsv").write_text("text\tid\nAda, x\t1\n")
    (tmp_path / "b.csv").write_text("text;id\nAda, y;2\n")
    assert texts(read(tmp_path / "a.tsv")) == ["Ada, x"]
    assert texts(read(tmp_path / "b.csv", delimiter=";")) == ["Ada, y"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"only one", "expected 2 columns, but found 1"),
        (b"a,b,c", "expected 2 columns, but found 3"),
        (b"x,caf\xe9", "not UTF-8: the byte 0xe9"),
        (b'x,"ab"c', "not CSV"),
    ],
)
def test_broken_csv_row_is_set_aside(tmp_path, row, reason):
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,text\n1,before\n" + row + b"\n3,after\n")
    items = read(path)
    assert texts(items) == ["before", "after"]
    (failure,) = failures(items)
    assert failure.number == 2
    assert reason in failure.reason
    assert failure.raw.startswith(row[:4].decode())


def test_csv_whose_quotes_do_not_end_loses_nothing(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('id,text\n1,before\n2,"never closed\n3,after\n')
    items = read(path)
    assert texts(items) == ["before"]
    (failure,) = failures(items)
    assert failure.raw == '2,"never closed\n3,after\n'


def test_csv_without_the_column_is_set_aside(tmp_path):
    (tmp_path / "a.csv").write_text("body,id\nAda,1\n")
    (tmp_path / "b.csv").write_text("")
    first, second = read(tmp_path / "a.csv", tmp_path / "b.csv")
    assert first.number == 0
    assert first.reason == "no column 'text'; there are: 'body', 'id'"
    assert second.reason == "no column 'text'; there are: none"


def test_docbin_gives_texts_and_tokens(tmp_path):
    nlp = spacy.blank("en")
    odd = Doc(nlp.vocab, words=["Ada", "we", "nt"], spaces=[True, False, False])
    odd.user_data.update(title="T", id="given", other=1)
    DocBin(docs=[odd, birth_doc(nlp.vocab, 0)], store_user_data=True).to_disk(tmp_path / "a.spacy")
    first, second = read(tmp_path / "a.spacy")
    assert (first.text, first.id, first.title) == ("Ada went", "given", "T")
    assert [t.text for t in Doc(nlp.vocab).from_bytes(first.doc)] == ["Ada", "we", "nt"]
    assert second.id.endswith("a.spacy:2")


@pytest.mark.parametrize("content", [b"", b"no docbin", b"\x78\x9c"])
def test_broken_docbin_is_set_aside(tmp_path, content):
    (tmp_path / "a.spacy").write_bytes(content)
    (tmp_path / "b.txt").write_text("Ada.")
    items = read(tmp_path)
    assert texts(items) == ["Ada."]
    assert items[0].number == 0
    assert "cannot be read" in items[0].reason


def test_folder_is_read_in_order(tmp_path):
    out = tmp_path / "sub" / "out"
    for name in ("b.txt", "a.txt", "sub/z.txt", "sub/.hidden.txt", ".git/x.txt", "sub/out/o.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "c.pdf").write_text("pdf")
    with pytest.warns(UserWarning, match=r"DW07.*1 file.*'\.pdf'"):
        items = read(tmp_path, ignore=out)
    assert texts(items) == ["a.txt", "b.txt", "sub/z.txt"]


def test_unreadable_folder_is_reported(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    (tmp_path / "z.txt").write_text("Ada.")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    items = read(tmp_path)
    assert texts(items) == ["Ada."]
    (failure,) = failures(items)
    assert failure.source.endswith("closed")
    assert "Permission denied" in failure.reason


def test_file_that_vanishes_is_set_aside(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    items = read_records([str(tmp_path / "a.txt"), str(tmp_path / "b.txt")])
    (tmp_path / "a.txt").unlink()
    first, second = items
    assert isinstance(first, Failure)
    assert second.text == "b.txt"


def test_missing_input_is_an_error(tmp_path):
    with pytest.raises(DocreError, match="D036"):
        read_records([str(tmp_path / "nowhere")])


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=4))
def test_any_text_survives_jsonl(tmp_path_factory, contents):
    path = tmp_path_factory.mktemp("any") / "a.jsonl"
    path.write_text("\n".join(json.dumps({"text": text, "id": text}) for text in contents))
    items = read(path)
    assert texts(items) == contents
    assert [item.id for item in items if item.text] == [text for text in contents if text]
