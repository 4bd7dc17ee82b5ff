import pytest

from spacy_docre.coref.names import is_alias, is_compatible, read_name
from spacy_docre.coref.values import read_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("May 1931", ("1931", "month 5")),
        ("in May 1931", ("1931", "month 5")),
        ("1931", ("1931",)),
        ("the year 1931", ("1931",)),
        ("May", ("month 5",)),
        ("7 October 1571", ("1571", "month 10", "7")),
        ("on October 7th, 1571", ("1571", "month 10", "7")),
        ("Oct. 7 , 1571", ("1571", "month 10", "7")),
        ("1571-10-07", ("1571", "month 10", "7")),
        ("the 1930's", ("1930s",)),
        ("the nineteenth century", ("19th", "century")),
        ("late 19th century", ("late", "19th", "century")),
        ("spring 1931", ("spring", "1931")),
        ("May 1931 and June 1931", ("may", "1931", "and", "june", "1931")),
        ("two million metres", ("2000000", "m")),
        ("12,000,000", ("12000000",)),
        ("twenty-one", ("21",)),
        ("twenty-first", ("21th",)),
        ("first", ("1th",)),
        ("three hundred", ("300",)),
        ("7.7 per cent", ("7.7", "%")),
        ("-15", ("-", "15")),
        ("the", ("the",)),
        ("½", ("½",)),
    ],
)
def test_values(text, value):
    assert read_value(text) == value


def test_a_number_of_many_digits_is_read_once():
    """Each digit was a beginning of an ordinal: a minute for so many, and the square for more."""
    assert read_value("1" * 100_000) == ("inf",)
    assert read_value("May " + "1" * 100_000) == ("1" * 100_000, "month 5")


def test_dates_are_joined_by_what_they_say():
    month, same, year = (read_name(text, ["TIME"]) for text in ("May 1931", "in May 1931", "1931"))
    assert is_alias(same, month)
    assert not is_alias(year, month)
    # Not by a chain of coreference either, though "1931" stands in the other.
    assert not is_compatible(year, month)
    assert is_alias(read_name("two", ["NUM"]), read_name("2", ["CARDINAL", "NUM"]))
    assert not is_alias(read_name("first", ["NUM"]), read_name("one", ["NUM"]))
