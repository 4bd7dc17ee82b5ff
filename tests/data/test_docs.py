"""Documents made of words alone."""

import pytest
import spacy

from spacy_docre.data.docs import blanks_after


@pytest.mark.parametrize(
    ("lang", "words", "text"),
    [
        ("en", ["Ada", "moved", "to", "Oslo", "."], "Ada moved to Oslo . "),
        ("zh", ["艾达", "搬到", "了", "New", "York", "。"], "艾达搬到了New York。"),
        ("zh", ["エイダ", "は", "2", "年", "間", "。"], "エイダは2年間。"),
        ("zh", ["เอดา", "ย้าย", "ไป", "ออสโล"], "เอดาย้ายไปออสโล"),
        ("zh", [], ""),
        ("zh", ["", "艾达", ""], "艾达"),
    ],
)
def test_blanks_stand_where_the_script_has_them(lang, words, text):
    blanks = blanks_after(words, spacy.blank(lang).vocab)
    joined = "".join(w + " " * blank for w, blank in zip(words, blanks, strict=True))
    assert joined == text
