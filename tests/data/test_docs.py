"""Documents made of words alone."""

import pytest
import spacy

from spacy_docre.data.docs import blanks_after


@pytest.mark.parametrize(
    ("lang", "words", "text"),
    [
        ("en", ["Ada", "moved", "to", "Oslo", "."], "Ada moved to Oslo . "),
        ("zh", ["艾达", "搬到", "了", "New", "York", "。"], "艾达搬到了New York。"),
        ("ja", ["エイダ", "は", "2", "年", "間", "。"], "エイダは2年間。"),
        ("th", ["เอดา", "ย้าย", "ไป", "ออสโล"], "เอดาย้ายไปออสโล"),
        ("zh", [], ""),
        ("zh", ["", "艾达", ""], "艾达"),
    ],
)
def test_blanks_stand_where_the_script_has_them(lang, words, text):
    try:
        vocab = spacy.blank(lang).vocab
    except ImportError as error:
        # The Japanese and Thai tokenizers are packages of their own.
        pytest.skip(str(error).splitlines()[0])
    blanks = blanks_after(words, vocab)
    joined = "".join(w + " " * blank for w, blank in zip(words, blanks, strict=True))
    assert joined == text
