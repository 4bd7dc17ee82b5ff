"""Where mentions are whose text and offsets a source gives, but which do not agree.

Tools count what others do not: UTF-16 units (JavaScript, Java) or bytes instead of characters, a
line end of Windows as one character or two, the byte order mark, the last character of a mention as
its end. What a source counts shows in all of its mentions at once, so it is found for a document as
a whole; what remains is placed by its text, where that is there once."""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product
from typing import Any
from unicodedata import normalize

import numpy as np

from .report import ConversionReport
from .text import Fragments

# Searches through a whole text, in one document: beyond that the offsets are kept.
MAX_SEARCHES = 1000

Normalize = Callable[[str], str]


@dataclass(frozen=True)
class Claim:
    """What a source says of a mention.

    fragments (list[tuple[int, int]]): Its parts: first character, character after the last.
    texts (tuple[str, ...]): Its text, as far as the source gives it: one of these. None: not.
    """

    fragments: Fragments
    texts: tuple[str, ...] = ()


def squeezed(text: str) -> str:
    """A text without its white space, its accents as parts of their letters."""
    return normalize("NFC", "".join(text.split()))


class Placing:
    """Turns a source's offsets into those of a text.

    text (str): The text.
    claims (Sequence[Claim]): The mentions.
    report (ConversionReport): Counts the mentions that are not where their offsets say.
    title (str): The document's title.
    ends (Optional[tuple[Container[int], Container[int]]]): Where tokens begin and end: where no
        mention has a text, that tells what their offsets count.
    normalized (Callable[[str], str]): What makes equal texts equal.
    """

    def __init__(
        self,
        text: str,
        claims: Sequence[Claim],
        report: ConversionReport,
        title: str,
        ends: tuple[Container[int], Container[int]] | None = None,
        normalized: Normalize = squeezed,
    ) -> None:
        self.text = text
        self.report = report
        self.title = title
        self.normalized = normalized
        self.n_searches = 0
        self._convert: Callable[[int, int], tuple[int, int]] = lambda start, end: (start, end)
        given = [claim for claim in claims if claim.texts]
        wrong = [claim for claim in given if not self.agrees(claim)]
        if wrong:
            self._find_system(given)
        elif not given and len(claims) > 1 and ends is not None:
            self._find_by_tokens(claims, *ends)

    def convert(self, fragments: Fragments) -> Fragments:
        """Offsets of the source, as those of the text.

        fragments (list[tuple[int, int]]): The parts of a mention, a sentence or evidence.
        RETURNS (list[tuple[int, int]]): The parts; what is outside the text stays outside.
        """
        return [self._convert(start, end) for start, end in fragments]

    def agrees(self, claim: Claim, *, exactly: bool = False) -> bool:
        """Whether a mention has its text where its offsets say, or the source gives no text.

        claim (Claim): What the source says of it.
        exactly (bool): Whether white space at its ends counts.
        RETURNS (bool): Whether it has.
        """
        if not claim.texts:
            return True
        n = len(self.text)
        fragments = self.convert(claim.fragments)
        if not all(0 <= start < end <= n for start, end in fragments):
            return False
        longest = max(map(len, claim.texts))
        if sum(end - start for start, end in fragments) > 4 * longest + 100:
            return False  # not worth the time
        found = "".join(self.text[start:end] for start, end in fragments)
        normal = self.normalized(found)
        return any(
            normal == self.normalized(text) and (not exactly or _ends(found) == _ends(text))
            for text in claim.texts
        )

    def place(self, claim: Claim) -> Fragments | None:
        """Where a mention is.

        claim (Claim): What the source says of it.
        RETURNS (Optional[list[tuple[int, int]]]): Its parts in the text; None if its text is
            neither at its offsets nor at one place alone.
        """
        if self.agrees(claim):
            return self.convert(claim.fragments)
        forms = (normalize(form, text) for text in claim.texts for form in ("NFC", "NFD"))
        for text in dict.fromkeys(chain(claim.texts, forms)):
            start = self._only_place(text)
            if start is not None:
                reason = "mentions whose text is not that at their offsets, placed where it is"
                self.report.count(reason, self.title)
                return [(start, start + len(text))]
        return None

    def _only_place(self, text: str) -> int | None:
        self.n_searches += 1
        if not text.strip() or self.n_searches > MAX_SEARCHES:
            return None
        start = self.text.find(text)
        if start < 0 or self.text.find(text, start + 1) >= 0:
            return None
        return start

    def _find_system(self, claims: list[Claim]) -> None:
        """Take what most of the mentions count by, if that is not characters."""
        plain, best, best_name = self._convert, self._convert, ""
        n_agreeing = sum(self.agrees(claim, exactly=True) for claim in claims)
        for name, convert in _systems(self.text):
            self._convert = convert
            n = sum(self.agrees(claim, exactly=True) for claim in claims)
            if n > n_agreeing and 2 * n >= len(claims):
                best, best_name, n_agreeing = convert, name, n
            if n_agreeing == len(claims):
                break
        self._convert = best
        if best is not plain:
            reason = f"mentions whose text is not that at their offsets, which count {best_name}"
            self.report.count(reason, self.title, n_agreeing)

    def _find_by_tokens(
        self, claims: Sequence[Claim], starts: Container[int], ends: Container[int]
    ) -> None:
        """Take what all mentions must count by to be whole tokens."""
        plain = self._convert
        for name, convert in chain([("", plain)], _systems(self.text)):
            self._convert = convert
            places = [self.convert(claim.fragments) for claim in claims]
            if all(place[0][0] in starts and place[-1][1] in ends for place in places):
                reason = f"mentions that contradict the tokens, unless they count {name}"
                self.report.count(reason, self.title, len(claims) if name else 0)
                return
        self._convert = plain


def _ends(text: str) -> tuple[bool, bool]:
    return text[:1].isspace(), text[-1:].isspace()


def _systems(text: str) -> Iterator[tuple[str, Callable[[int, int], tuple[int, int]]]]:
    """The ways to count, the likely ones first, that differ from characters in this text."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    one = np.ones(len(codes), dtype=np.int64)
    units = {"": one}
    if (codes > 0xFFFF).any():
        units["UTF-16 units"] = one + (codes > 0xFFFF)
    if (codes > 0x7F).any():
        units["bytes"] = one + (codes > 0x7F) + (codes > 0x7FF) + (codes > 0xFFFF)
    returns, feeds = codes == 0x0D, codes == 0x0A
    pairs = np.append(returns[:-1] & feeds[1:], False)
    lines = {"": 0 * one}
    if pairs.any():
        lines["line ends as one character"] = -pairs.astype(np.int64)
    elif feeds.any():
        lines["line ends as two characters"] = feeds.astype(np.int64)
    marks = {"": 0, "the byte order mark": 1}
    lasts = {"": 0, "the last character as the end": 1}
    choices = product(units.items(), lines.items(), marks.items(), lasts.items())
    for choice in sorted(choices, key=_likeliness):
        name = " and ".join(filter(None, (part for part, _ in choice)))
        if name:
            (_, unit), (_, line), (_, mark), (_, last) = choice
            yield name, _converter(unit + line, 3 * mark if "bytes" in name else mark, last)


def _likeliness(choice: tuple[tuple[str, Any], ...]) -> tuple[int, bool]:
    # The byte order mark last: all that counts one thing before the first mention more agrees.
    names = [name for name, _ in choice]
    return sum(map(bool, names)), bool(names[2])


def _converter(widths: np.ndarray, mark: int, last: int) -> Callable[[int, int], tuple[int, int]]:
    # The place of each character in what the source counts. A line end's return is in the text but
    # not in what is counted: of the two characters at one place the first one is meant.
    places = np.append(0, np.cumsum(widths)) + mark

    def convert(start: int, end: int) -> tuple[int, int]:
        if not 0 <= start < end + last <= places[-1]:
            return -1, -1
        first, after = np.searchsorted(places, (start, end + last)).tolist()
        return first, after

    return convert


class TokenPlacing:
    """Finds mentions by their names in a text that is given as tokens.

    words (Sequence[str]): The tokens.
    """

    def __init__(self, words: Sequence[str]) -> None:
        parts = [squeezed(word) for word in words]
        self.parts = parts
        self.text = "".join(parts)
        ends = np.cumsum([len(part) for part in parts], dtype=np.int64).tolist()
        starts = [end - len(part) for end, part in zip(ends, parts, strict=True)]
        self.starts = {start: i for i, start in reversed(list(enumerate(starts)))}
        self.ends = {end: i + 1 for i, end in enumerate(ends)}
        self.offsets = starts
        self.n_searches = 0

    def agrees(self, name: str, start: int, end: int) -> bool:
        """Whether tokens have a name, white space aside."""
        name = squeezed(name)
        return end - start <= len(name) and "".join(self.parts[start:end]) == name

    def only_place(self, name: str, start: int, end: int) -> tuple[int, int] | None:
        """The one place of a name among some tokens.

        name (str): The name.
        start (int): The first of the tokens.
        end (int): The token after the last.
        RETURNS (Optional[tuple[int, int]]): Its first token and that after its last.
        """
        name = squeezed(name)
        self.n_searches += 1
        if not name or self.n_searches > MAX_SEARCHES or start >= end:
            return None
        first = self.offsets[start]
        last = self.offsets[end] if end < len(self.offsets) else len(self.text)
        found: list[tuple[int, int]] = []
        place = self.text.find(name, first, last)
        while place >= 0:
            if place in self.starts and place + len(name) in self.ends:
                found.append((self.starts[place], self.ends[place + len(name)]))
                if len(found) > 1:
                    return None
            place = self.text.find(name, place + 1, last)
        return found[0] if found else None
