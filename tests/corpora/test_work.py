"""What bounds the work of reading. How it grows, `benchmarks/exponents.py` measures."""

import struct
import zlib

import pytest
import spacy
import srsly
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


def nested(depth=400, n=100_000):
    """Lists in lists, each of which says to have as many parts as there are bytes."""
    return b"".join(b"\xdd" + struct.pack(">I", n - 10 * depth) for _ in range(depth)) + bytes(n)


@pytest.mark.parametrize("place", ["file", "user_data", "span_groups", "a span group"])
def test_lists_that_are_not_as_long_as_they_say_are_not_made(place, tmp_path, monkeypatch):
    path = tmp_path / "in.spacy"
    whole = DocBin(docs=[birth_doc(Vocab(), 0)], store_user_data=True).to_bytes()
    message = srsly.msgpack_loads(zlib.decompress(whole))
    if place == "a span group":
        message["span_groups"] = [srsly.msgpack_dumps({nested(): ["a"]})]
    elif place != "file":
        message[place] = [nested()]
    data = nested() if place == "file" else srsly.msgpack_dumps(message)
    path.write_bytes(zlib.compress(data))
    made = iter(lambda: pytest.fail("the document was made"), None)
    monkeypatch.setattr(DocBin, "get_docs", lambda *_: made)
    with pytest.raises(DocreError, match=r"in\.spacy.*it is cut, or no msgpack"):
        list(read_docbin(path, Vocab()))


def test_a_byte_is_not_taken_for_an_object(tmp_path, monkeypatch):
    path = tmp_path / "in.spacy"
    DocBin(docs=[birth_doc(Vocab(), 0)]).to_disk(path)
    message = srsly.msgpack_loads(zlib.decompress(path.read_bytes()))
    message["cats"] = [[{}] * 100_000]
    path.write_bytes(zlib.compress(srsly.msgpack_dumps(message)))
    monkeypatch.setattr(docbin, "MAX_OBJECTS", 1 << 16)
    monkeypatch.setattr(DocBin, "from_bytes", lambda *_: pytest.fail("the objects were made"))
    with pytest.raises(DocreError, match=r"in\.spacy.*beside its tokens it unfolds to more than"):
        list(read_docbin(path, Vocab()))
