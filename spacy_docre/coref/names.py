"""Names as the rules compare them: which two may be names of the same thing."""

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from .countries import COUNTRIES
from .values import VALUE_TYPES, read_value

PERSON_TYPES = ("PERSON", "PER")
ORGANISATION_TYPES = ("ORG",)
PLACE_TYPES = ("GPE", "LOC", "NORP")
WORK_TYPES = ("WORK_OF_ART", "WORK")

KINDS = {
    "person": frozenset(PERSON_TYPES),
    "organisation": frozenset(ORGANISATION_TYPES),
    "place": frozenset(PLACE_TYPES),
    "value": frozenset(VALUE_TYPES),
}

SMALL_WORDS = {"of", "the", "for", "and", "in", "at", "on", "to", "de", "la", "del", "der", "des"}
LEGAL_SUFFIXES = {
    *("inc", "incorporated", "ltd", "limited", "corp", "corporation", "co", "llc", "llp", "plc"),
    *("gmbh", "mbh", "ag", "kg", "sa", "sas", "srl", "spa", "nv", "bv", "ab", "oy", "asa", "as"),
}
MALE_TITLES = {"mr", "sir", "lord", "king", "prince"}
FEMALE_TITLES = {"mrs", "ms", "miss", "madam", "madame", "dame", "lady", "queen", "princess"}
TITLES = {
    *MALE_TITLES,
    *FEMALE_TITLES,
    *("dr", "doctor", "prof", "professor", "president", "chancellor", "minister", "senator", "sen"),
    *("governor", "gov", "congressman", "congresswoman", "representative", "rep", "mayor", "judge"),
    *("justice", "general", "gen", "colonel", "col", "major", "captain", "capt", "lieutenant"),
    *("lt", "sergeant", "sgt", "admiral", "emperor", "pope", "cardinal", "archbishop", "bishop"),
    *("reverend", "rev", "father", "sheikh", "ambassador", "secretary", "sultan", "emir"),
}
ROMAN_DIGITS = set("ivx")
TITLE_PREFIXES = {"prime", "vice", "former", "deputy", "us"}

# Names occur again, in a document and in the next ones.
KEPT_NAMES = 2**13

_POSSESSIVE = re.compile(r"['’`]s?$")
_BLANKS = re.compile(r"\s+")
_MODIFIERS = (
    "also|better|commonly|formerly|is|later|now|officially|often|or|originally|popularly|"
    "previously|simply|sometimes|usually|was"
)
_OPENING = r"(?:,|\(;?,?|;)"
_VERBS = r"(?:called|named|renamed|nicknamed|abbreviated(?:\s+(?:as|to))?|spelled|spelt)"
# What may stand between two names of the same thing, in lower case. A bare "called" may not: "the
# director, Ada, called Ben a genius".
_ALIAS_PHRASE = re.compile(
    rf"""[\s"'“”‘’]*
    (?: {_OPENING}? \s* (?:(?:{_MODIFIERS})\s+){{0,3}} known\s+as
      | {_OPENING} \s* (?:(?:{_MODIFIERS})\s+){{1,3}} {_VERBS}
      | {_OPENING} \s* (?:also|formerly|originally|previously|officially|or\s+simply|short\s+for)
      | \( \s* (?:or|now|born|{_VERBS})
      | {_OPENING}? \s* (?:a\.?k\.?a\.?|née|né)
    )
    (?:\s+the)? [\s"'“”‘’:]*""",
    re.VERBOSE,
)
_PARENTHESIS = re.compile(r"""[\s"'“”‘’]*\([\s"'“”‘’]*""")


@dataclass(frozen=True)
class Name:
    """A name, prepared to be compared with others.

    words (tuple[str, ...]): Its words, folded; without a leading "the", a possessive 's, titles of
        persons and legal suffixes of organisations, unless it consists of nothing else. Of a date
        or a number what it says, see `read_value`.
    kind (str): "person", "organisation", "place", "value" or "", which rules apply to it.
    is_acronym (bool): Whether it is one word of capital letters, with dots or without.
    initials (frozenset[str]): The acronyms that it may have.
    title (str): "m" or "f" if its title says so, or else "".
    """

    words: tuple[str, ...]
    kind: str = ""
    is_acronym: bool = False
    initials: frozenset[str] = frozenset()
    title: str = ""

    @property
    def country(self) -> str | None:
        """The country that a place's name stands for, if it is known."""
        return COUNTRIES.get(self.words) if self.kind == "place" else None

    @cached_property
    def keys(self) -> frozenset[str]:
        """What it shares at least one of with each of its aliases."""
        joined = "".join(self.words)
        return frozenset((*self.words, joined, *self.initials, self.country or "")) - {""}


def read_name(text: str, types: Collection[str]) -> Name:
    """Prepare a name for comparison.

    text (str): The name.
    types (Collection[str]): The entity's types.
    RETURNS (Name): The name.
    """
    return _read_name(text, _kind(types))


@lru_cache(maxsize=KEPT_NAMES)
def _read_name(text: str, kind: str) -> Name:
    if kind == "value":
        return Name(read_value(text) or (text,), kind)
    spelled = split_words(without_possessive(text))
    if len(spelled) > 1 and spelled[0].casefold() == "the":
        spelled = spelled[1:]
    if kind != "person" and len(spelled) > 1 and all(len(word) == 1 for word in spelled):
        spelled = ["".join(spelled)]
    words = [fold(word) for word in spelled]
    title = ""
    initials = _initials(spelled)
    if kind == "person":
        words, title = _without_title(words)
    elif kind == "organisation":
        words = _without_legal_suffix(words)
        initials |= _initials(spelled[: len(words)])
    is_acronym = len(words) == 1 and len(words[0]) > 1 and spelled[0].isupper()
    return Name(tuple(words) or (text,), kind, is_acronym, initials, title)


def is_alias(short: Name, full: Name) -> bool:
    """Whether the first name is the second or a short form of it, for entities of one label.

    short (Name): The name that may be the shorter.
    full (Name): The other name.
    RETURNS (bool): Whether it may name the same thing.
    """
    if "value" in (short.kind, full.kind):
        return short.words == full.words
    if short.title and full.title and short.title != full.title:
        return False
    if short.words == full.words or "".join(short.words) == "".join(full.words):
        return True
    if short.country or full.country:
        return short.country == full.country
    if short.is_acronym and short.words[0] in full.initials:
        return True
    if short.kind == "person":
        return _is_part_of_persons_name(short.words, full.words)
    if short.kind != "organisation" or len(short.words) >= len(full.words):
        return False
    return full.words[: len(short.words)] == short.words


def is_compatible(a: Name, b: Name) -> bool:
    """Whether two names may name the same thing if something else says that they do: one is an
    alias of the other, or its words stand in the other in their order.

    a (Name): A name.
    b (Name): Another, of an entity of the same label.
    RETURNS (bool): Whether they are compatible.
    """
    if "value" in (a.kind, b.kind):
        return a.words == b.words
    if a.title and b.title and a.title != b.title:
        return False
    short, full = sorted((a, b), key=lambda name: len(name.words))
    return is_alias(a, b) or is_alias(b, a) or _is_subsequence(short.words, full.words)


def is_surname(name: Name, full: Name) -> bool:
    """Whether a name is the last word of a person's full name.

    name (Name): A name, of whatever type.
    full (Name): A person's name.
    RETURNS (bool): Whether it is the surname.
    """
    words = full.words
    return name.words == words[-1:] and not (len(words) > 1 and words[-2] in SMALL_WORDS)


def links_aliases(between: str, after: str, first: str, second: str, kind: str) -> bool:
    """Whether the text between two names of one label says that they are aliases: "also known as",
    "née", or a parenthesis with an acronym.

    between (str): The text between the names.
    after (str): The text after the second, one character at least.
    first (str): The first name.
    second (str): The second name.
    kind (str): The kind of both names.
    RETURNS (bool): Whether they are aliases.
    """
    # With single blanks, the ways in which the phrase can be read do not multiply.
    if _ALIAS_PHRASE.fullmatch(_BLANKS.sub(" ", between.casefold())):
        return True
    if not (_PARENTHESIS.fullmatch(between) and after.lstrip(" \"'”’").startswith(")")):
        return False
    return kind != "person" and (_abbreviates(second, first) or _abbreviates(first, second))


def without_possessive(text: str) -> str:
    """The text without a possessive 's or apostrophe at its end."""
    match = _POSSESSIVE.search(text)
    if match is None:
        return text
    return text[: match.start()].rstrip() + text[match.end() :] or text


def fold(text: str) -> str:
    """The text without case and diacritics. Only marks that Latin, Greek and Cyrillic letters carry
    are diacritics: the vowel signs of other scripts stay."""
    if text.isascii():
        return text.casefold()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not "\u0300" <= char <= "\u036f")


def split_words(text: str) -> list[str]:
    """The words of a text, without punctuation, but with the signs that tell names apart ("C++").
    An ampersand is an "and"."""
    kept = (char if _is_of_word(char) else " " for char in text.replace("&", " and "))
    return "".join(kept).split()


def _is_of_word(char: str) -> bool:
    return char.isalnum() or char in "+#%" or unicodedata.category(char) in ("Mn", "Mc", "Sc")


def _kind(types: Collection[str]) -> str:
    return next((kind for kind, own in KINDS.items() if not own.isdisjoint(types)), "")


def _initials(words: Sequence[str]) -> frozenset[str]:
    if len(words) < 2:
        return frozenset()
    all_words = [fold(word)[:1] for word in words]
    large = [
        initial for initial, word in zip(all_words, words, strict=True) if word not in SMALL_WORDS
    ]
    capitalised = [fold(word)[:1] for word in words if not word.islower()]
    return frozenset(map("".join, (all_words, large, capitalised))) - {""}


def _without_title(words: list[str]) -> tuple[list[str], str]:
    title = ""
    for at, word in enumerate(words[:-1]):
        is_prefix = word in TITLE_PREFIXES and words[at + 1] in TITLES | TITLE_PREFIXES
        if word not in TITLES and not is_prefix:
            return words[at:], title
        title = "m" if word in MALE_TITLES else "f" if word in FEMALE_TITLES else title
    return words[-1:], title


def _without_legal_suffix(words: list[str]) -> list[str]:
    end = len(words)
    while end > 1:
        if words[end - 1] in LEGAL_SUFFIXES:
            end -= 1
        elif end > 2 and "".join(words[end - 2 : end]) in ("sa", "ag", "nv", "bv", "co"):
            end -= 2
        else:
            break
    return words[: end - 1] if end > 1 and words[end - 1] == "and" else words[:end]


def _is_part_of_persons_name(short: Sequence[str], full: Sequence[str]) -> bool:
    if len(short) == 1:
        return short[0] in full and short[0] not in SMALL_WORDS
    if len(short) > len(full):
        return False
    has_word = any(len(word) > 1 for word in set(short).intersection(full))
    return has_word and _is_subsequence(short, full, initials=True)


def _is_subsequence(short: Sequence[str], full: Sequence[str], *, initials: bool = False) -> bool:
    """Whether the words stand in the others in their order; also as initials, if these are allowed,
    of either."""

    def agree(word: str, other: str) -> bool:
        is_initial = initials and (word == other[:1] or other == word[:1])
        return word == other or (is_initial and not ROMAN_DIGITS.issuperset(word + other))

    rest = iter(full)
    return all(any(agree(word, other) for other in rest) for word in short)


def _abbreviates(acronym: str, full: str) -> bool:
    letters = [char for char in acronym if char.isalpha()]
    is_acronym = len(split_words(acronym.replace("-", ""))) == 1 and len(letters) > 1
    if not is_acronym or sum(char.isupper() for char in letters) * 2 <= len(letters):
        return False
    return len(split_words(full)) > 1 and fold(letters[0]) in {
        fold(word)[0] for word in split_words(full)
    }
