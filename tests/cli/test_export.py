"""`export`, and `convert` of what it wrote."""

import pytest
import spacy
import srsly
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from spacy_docre.corpora.readers import read_docs

from ..commands import run
from ..util import birth_doc


@pytest.fixture
def corpus(tmp_path):
    docs = [birth_doc(spacy.blank("xx").vocab, n) for n in range(3)]
    DocBin(store_user_data=True, docs=docs).to_disk(tmp_path / "corpus.spacy")
    return tmp_path / "corpus.spacy"


def test_jsonl_is_read_by_convert(corpus, tmp_path):
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    assert "3 documents" in run("export", "jsonl", corpus, first)
    run("convert", "jsonl", first, tmp_path / "again.spacy")
    run("export", "jsonl", tmp_path / "again.spacy", second)
    assert list(srsly.read_jsonl(first)) == list(srsly.read_jsonl(second))


@pytest.mark.parametrize("name", ["dwie", "brat"])
def test_folders_are_read_by_convert(corpus, tmp_path, name):
    first, second = tmp_path / "a", tmp_path / "b"
    for n, doc in enumerate(docs := list(read_docs(corpus, Vocab()))):
        doc.user_data["title"] = ["../up", "a/b", ".é %2F\x1b"][n]
    DocBin(store_user_data=True, docs=docs).to_disk(corpus)
    assert "3 documents" in run("export", name, corpus, first)
    assert len(list(first.iterdir())) == {"dwie": 3, "brat": 6}[name]
    run("convert", name, first, tmp_path / "again.spacy")
    output = run("export", name, tmp_path / "again.spacy", second)
    assert "Not kept" not in output, "what the format cannot hold was lost the first time"
    for path in first.iterdir():
        assert (second / path.name).read_bytes() == path.read_bytes()
    again = read_docs(tmp_path / "again.spacy", Vocab())
    assert {doc.user_data["title"] for doc in again} == {"../up", "a/b", ".é %2F\x1b"}


def test_folders_are_written_as_a_whole_or_not_at_all(corpus, tmp_path):
    out = tmp_path / "out"
    assert "[D075]" in run("export", "dwie", corpus, out, code=1)
    docs = list(read_docs(corpus, Vocab()))
    for doc in docs:
        doc.user_data["title"] = "x"
    DocBin(store_user_data=True, docs=docs).to_disk(corpus)
    assert "another document has" in run("export", "brat", corpus, out, code=1)
    docs[0].user_data["title"] = "x" * 999
    DocBin(store_user_data=True, docs=docs).to_disk(corpus)
    assert "[D075]" in run("export", "brat", corpus, out, code=1)
    assert [path.name for path in tmp_path.iterdir()] == ["corpus.spacy"]
    DocBin(store_user_data=True, docs=docs[1:2]).to_disk(corpus)
    out.mkdir()
    run("export", "brat", corpus, out)
    assert "[D076]" in run("export", "brat", corpus, out, code=1)


def test_convert_reports_what_was_not_kept(tmp_path):
    (tmp_path / "a.txt").write_text("Ann left Rome.")
    rows = "T1\tPER 0 2\tAn\nT2\tGPE 9 13\tRome\nE1\tLeave:T2\nR1\tin Arg1:T1 Arg2:T2\n"
    (tmp_path / "a.ann").write_text(rows)
    output = run("convert", "brat", tmp_path, tmp_path / "a.spacy", "--coref-type", "same")
    assert "1 documents with 0 relations" in output
    for count in ("1   events", "1   mentions widened", "1   relations of what is left out"):
        assert count in output
    assert "--split" in run("convert", "dwie", tmp_path, tmp_path / "b", "--split", "x", code=2)
    assert ".json" in run("convert", "dwie", tmp_path, tmp_path / "b.spacy", code=1)


def test_file_that_is_not_a_corpus(tmp_path):
    (tmp_path / "x.spacy").write_bytes(b"nothing of the kind")
    assert "x.spacy" in run("export", "jsonl", tmp_path / "x.spacy", tmp_path / "out", code=1)
    assert not (tmp_path / "out").exists()
