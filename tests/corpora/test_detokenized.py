import pytest

from spacy_docre.corpora.detokenized import printed_blanks


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("She ( born 1990 ) , Ada 's friend , did n't .", "She (born 1990), Ada's friend, didn't."),
        ("the south - central / north ' x '", "the south-central/north 'x'"),
        ('He said : " Yes ! " and left .', 'He said: "Yes!" and left.'),
        ("the sisters ' house ; 7.7 % of $ 5", "the sisters' house; 7.7% of $5"),
        ("1571 – 1630 , May 1571 – June 1630", "1571–1630, May 1571 – June 1630"),
        ("Tom & Jerry ’s “ Cat ” [ sic ]", "Tom & Jerry’s “Cat” [sic]"),
    ],
)
def test_printed_blanks(tokens, text):
    words = tokens.split()
    blanks = printed_blanks(words)
    assert "".join(w + " " * b for w, b in zip(words, blanks, strict=True)).rstrip() == text


def test_a_hard_blank_is_the_only_one():
    assert printed_blanks(["3", "\xa0", "km"]) == [False, False, True]


def test_no_words():
    assert printed_blanks([]) == []
