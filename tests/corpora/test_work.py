"""What bounds the work of reading. How it grows, `benchmarks/exponents.py` measures."""

import zlib

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from spacy_docre import DocreError
from spacy_docre.corpora import docbin
from spacy_docre.corpora.docbin import read_docbin
from spacy_docre.corpora.text import tokenize

from ..util import birth_doc

NLP = spacy.blank("en")


@pytest.mark.parametrize(
    "text", ["(" * 1000, "a." * 251, "ab (" + "'" * 600 + ") c  d\n", "", " a"]
)
def test_long_runs_are_cut_and_kept_to_the_letter(text):
    doc = tokenize(NLP, text)
    assert doc.text == text
    assert max((len(token) for token in doc), default=0) <= 250


def test_texts_without_long_runs_are_cut_as_the_tokenizer_does():
    text = "Ada's (5-HT) ran at https://example.org/" + "a" * 200 + " today."
    assert [t.text for t in tokenize(NLP, text)] == [t.text for t in NLP.tokenizer(text)]


def test_tokenizers_of_languages_without_blanks_get_the_text_as_a_whole():
    text = "書。" * 500
    nlp = spacy.blank("en")
    nlp.tokenizer = lambda text: Doc(nlp.vocab, words=[text], spaces=[False])
    assert len(tokenize(nlp, text)) == 1


def test_files_that_unfold_to_far_more_than_documents_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "in.spacy"
    DocBin(docs=[birth_doc(Vocab(), 0)], store_user_data=True).to_disk(path)
    assert len(list(read_docbin(path, Vocab()))) == 1
    monkeypatch.setattr(docbin, "MAX_UNFOLDED", 1 << 16)
    path.write_bytes(zlib.compress(b"\0" * (1 << 24)))
    with pytest.raises(DocreError, match=r"in\.spacy.*unfolds to more than"):
        list(read_docbin(path, Vocab()))
