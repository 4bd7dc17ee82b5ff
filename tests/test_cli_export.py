"""`export`, and `convert` of what it wrote."""

import pytest
import spacy
import srsly
from spacy.tokens import DocBin

from .test_cli import run
from .util import birth_doc


@pytest.fixture
def corpus(tmp_path):
    docs = [birth_doc(spacy.blank("en").vocab, n) for n in range(3)]
    DocBin(store_user_data=True, docs=docs).to_disk(tmp_path / "corpus.spacy")
    return tmp_path / "corpus.spacy"


def test_jsonl_is_read_by_convert(corpus, tmp_path):
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    assert "3 documents" in run("export", "jsonl", corpus, first)
    run("convert", "jsonl", first, tmp_path / "again.spacy")
    run("export", "jsonl", tmp_path / "again.spacy", second)
    assert list(srsly.read_jsonl(first)) == list(srsly.read_jsonl(second))


def test_file_that_is_not_a_corpus(tmp_path):
    (tmp_path / "x.spacy").write_bytes(b"nothing of the kind")
    assert "x.spacy" in run("export", "jsonl", tmp_path / "x.spacy", tmp_path / "out", code=1)
    assert not (tmp_path / "out").exists()
