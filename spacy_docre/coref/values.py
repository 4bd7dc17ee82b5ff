"""Dates and numbers as the rules compare them: by what they say, however it is spelled."""

import re
from collections.abc import Sequence

VALUE_TYPES = ("TIME", "DATE", "NUM", "CARDINAL", "ORDINAL", "QUANTITY", "MONEY", "PERCENT")

MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"),
    *("tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth"),
    *("seventeenth", "eighteenth", "nineteenth", "twentieth"),
)
CARDINAL_OF_WORD = {
    **{word: i for i, word in enumerate(UNITS)},
    **{word: 10 * i for i, word in enumerate(TENS, 2)},
}
ORDINAL_OF_WORD = {word: i for i, word in enumerate(ORDINALS, 1)}
MONTH_OF_WORD = {
    **{month: i for i, month in enumerate(MONTHS, 1)},
    **{month[:3]: i for i, month in enumerate(MONTHS, 1)},
    "sept": 9,
}
MULTIPLES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9}
SAME_WORD = {
    **{"kilometres": "km", "kilometers": "km", "kilometre": "km", "kilometer": "km"},
    **{"metres": "m", "meters": "m", "metre": "m", "meter": "m"},
    **{"mile": "miles", "mi": "miles", "foot": "feet", "ft": "feet"},
    **{"percent": "%", "bce": "bc", "ce": "ad", "dollars": "$", "dollar": "$"},
}
# What may stand before a date or a number without making it another.
SMALL_WORDS = {"in", "on", "at", "by", "since", "until", "from", "during", "the", "of", "a"}

_PER_CENT = re.compile(r"\bper cent\b")
_YEAR = re.compile(r"\byear (?=\d{3,4}\b)")
_COMMAS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_ISO = re.compile(r"(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)")
# A number, an ordinal or a decade; a word; a sign.
_PART = re.compile(r"\d+(?:\.\d+)?(?:'?s\b|st\b|nd\b|rd\b|th\b)?|[^\W\d_]+|[%$£€−]|(?<!\w)-(?=\d)")
# Of a part as a whole: to look for it inside of thousands of digits begins anew at each.
_ORDINAL = re.compile(r"^(\d+)(?:st|nd|rd|th)")


def read_value(text: str) -> tuple[str, ...]:
    """The parts of a date or a number, spelled in one way: of a date year, month and day as far as
    it has them ("on 7th Oct. 1571" is "1571", "month 10", "7"), of a number its digits and its unit
    ("two million metres" is "2000000", "m").

    text (str): The date or number.
    RETURNS (tuple[str, ...]): The parts; empty if there are none.
    """
    text = _PER_CENT.sub("%", text.casefold().replace("’", "'"))
    text = _YEAR.sub("", _COMMAS.sub("", text))
    iso = _ISO.fullmatch(text.strip())
    if iso:
        return iso["y"], f"month {int(iso['m'])}", str(int(iso["d"]))
    parts = [part.replace("'", "") for part in _PART.findall(text)]
    kept = [part for part in parts if part not in SMALL_WORDS] or parts
    return _read_date(kept) or tuple(_read_number(kept))


def _read_date(parts: Sequence[str]) -> tuple[str, ...]:
    """Year, month and day, if there is a month and nothing else beside them."""
    months = [MONTH_OF_WORD[part] for part in parts if part in MONTH_OF_WORD]
    numbers = [_ORDINAL.sub(r"\1", part) for part in parts if part not in MONTH_OF_WORD]
    if len(months) != 1 or not all(number.isdecimal() for number in numbers):
        return ()
    years = [number for number in numbers if len(number) > 2]
    days = [str(int(number)) for number in numbers if len(number) <= 2]
    return (*years, f"month {months[0]}", *days) if max(len(years), len(days)) < 2 else ()


def _read_number(parts: Sequence[str]) -> list[str]:
    """The parts with numbers as digits. The words of one number are one part."""
    found: list[str] = []
    before: float | None = None
    for part in parts:
        value, is_ordinal = _value_of(part)
        if before is not None and part in MULTIPLES:
            found.pop()
            value = before * MULTIPLES[part]
        elif (
            before is not None
            and value is not None
            and before in range(20, 100, 10)
            and value in range(1, 10)
            and not part[0].isdecimal()
        ):
            found.pop()
            value = before + value
        before = None if is_ordinal else value
        plain = SAME_WORD.get(part, part) if value is None else f"{value:.15g}"
        found.append(f"{plain}th" if is_ordinal else plain)
    return found


def _value_of(part: str) -> tuple[float | None, bool]:
    """The number that a part is, if it is one, and whether it is an ordinal."""
    ordinal = _ORDINAL.fullmatch(part)
    if ordinal or part in ORDINAL_OF_WORD:
        return float(ordinal[1] if ordinal else ORDINAL_OF_WORD[part]), True
    if part in CARDINAL_OF_WORD:
        return float(CARDINAL_OF_WORD[part]), False
    return (float(part), False) if part.replace(".", "", 1).isdecimal() else (None, False)
