"""The lines of brat's `.ann` files (https://brat.nlplab.org/standoff.html)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ..placing import Claim, Placing, squeezed
from ..report import ConversionReport
from ..text import Fragments
from ..validation import DocumentError

# What brat, which reads its files line by line, cannot have inside a mention.
LINE_ENDS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
KINDS = {
    "T": "mentions",
    "R": "relations",
    "E": "events",
    "A": "attributes",
    "M": "attributes",
    "N": "normalizations",
    "#": "notes",
}


@dataclass(frozen=True)
class Line:
    """A line of an `.ann` file.

    number (int): Its number, from 1.
    id (str): Its identifier ("T1"); "*" for equivalences.
    type (str): The type of the mention, relation, attribute, ...
    arguments (list[tuple[str, str]]): The identifiers that it refers to, each with its role (""
        where the format has none).
    fragments (list[tuple[int, int]]): The parts of a mention; neighbours that only line ends part
        are one, since brat cuts mentions there.
    value (Optional[str]): The value of an attribute or the identifier of a normalization.
    text (str): The text of a mention or note, or the name of a normalization.
    """

    number: int
    id: str
    type: str
    arguments: list[tuple[str, str]] = field(default_factory=list)
    fragments: Fragments = field(default_factory=list)
    value: str | None = None
    text: str = ""

    @property
    def targets(self) -> list[str]:
        """The identifiers that the line refers to."""
        return [target for _, target in self.arguments]


def parse(
    annotations: str, text: str, report: ConversionReport | None = None, title: str = ""
) -> Iterator[Line]:
    """The lines of an `.ann` file.

    annotations (str): The file.
    text (str): The text that it belongs to.
    report (Optional[ConversionReport]): Counts mentions whose text is not that at their offsets.
    title (str): The document's title.
    YIELDS (Line): The lines, without blank ones.
    RAISES (DocumentError): If a line is malformed, refers to what is not there, has the identifier
        of another, or a mention's text is neither that at its offsets nor at one place alone. Its
        field is the line's number.
    """
    lines: list[Line] = []
    for number, row in enumerate(annotations.split("\n"), start=1):
        if row.strip():
            lines.append(_parse_line(number, row.rstrip("\r")))
    _place_mentions(lines, text, report or ConversionReport(), title)
    ids: set[str] = set()
    for line in lines:
        if line.id in ids:
            raise DocumentError(str(line.number), f"there is an {line.id!r} already")
        ids |= {line.id} - {"*"}
    for line in lines:
        for target in line.targets:
            if target not in ids:
                raise DocumentError(str(line.number), f"there is no {target!r}")
    yield from lines


def _parse_line(number: int, row: str) -> Line:
    line_id, _, rest = row.partition("\t")
    data, _, tail = rest.partition("\t")
    kind = line_id[:1]
    try:
        if kind == "T":
            return _mention(number, line_id, data, tail)
        if kind == "*":
            name, *targets = data.split()
            return Line(number, line_id, name, [("", target) for target in targets])
        if kind in ("R", "E"):
            return _relation(number, line_id, data)
        if kind in ("A", "M"):
            name, target, *value = data.split(maxsplit=2)
            return Line(number, line_id, name, [("", target)], value=value[0] if value else None)
        if kind == "N":
            name, target, reference = data.split()
            return Line(number, line_id, name, [("", target)], value=reference, text=tail)
        if kind == "#":
            name, target = data.split()
            return Line(number, line_id, name, [("", target)], text=tail)
    except ValueError:
        raise DocumentError(
            str(number), f"{row[:60]!r} is not of the form of brat's {line_id[:10]!r} lines"
        ) from None
    raise DocumentError(str(number), f"{row[:60]!r} begins with no sign that brat has")


def _relation(number: int, line_id: str, data: str) -> Line:
    name, *parts = data.split()
    arguments = [(role, target) for role, target in (part.split(":") for part in parts)]
    if line_id.startswith("E"):
        name, trigger = name.split(":")
        arguments.insert(0, ("", trigger))
    elif len(arguments) != 2:
        raise ValueError("a relation has two arguments")
    return Line(number, line_id, name, arguments)


def _mention(number: int, line_id: str, data: str, tail: str) -> Line:
    name, offsets = data.split(maxsplit=1)
    parts = [part.split() for part in offsets.split(";")]
    fragments = sorted((int(start), int(end)) for start, end in parts)
    return Line(number, line_id, name, fragments=fragments, text=tail)


def _place_mentions(lines: list[Line], text: str, report: ConversionReport, title: str) -> None:
    numbers = [number for number, line in enumerate(lines) if line.id.startswith("T")]
    claims = [_claim(lines[number]) for number in numbers]
    placing = Placing(text, claims, report, title)
    for number, claim in zip(numbers, claims, strict=True):
        line, fragments = lines[number], placing.place(claim)
        if fragments is None:
            offsets = ";".join(f"{start} {end}" for start, end in claim.fragments)
            found = squeezed("".join(text[start:end] for start, end in claim.fragments))
            raise DocumentError(str(line.number), f"the text at {offsets!r} is {found[:60]!r}")
        lines[number] = replace(line, fragments=join_lines(fragments, text))


def _claim(line: Line) -> Claim:
    # The text may be missing, and may have a comment of its own behind a tab.
    texts = dict.fromkeys([line.text, line.text.partition("\t")[0]])
    return Claim(line.fragments, tuple(filter(None, texts)))


def join_lines(fragments: Fragments, text: str) -> Fragments:
    """The parts of a mention, those that only line ends part joined."""
    joined = fragments[:1]
    for start, end in fragments[1:]:
        first, last = joined[-1]
        gap = text[last:start]
        if gap and not gap.strip(LINE_ENDS):
            joined[-1] = (first, end)
        else:
            joined.append((start, end))
    return joined


def cut_lines(fragments: Fragments, text: str) -> Fragments:
    """The parts of a mention, cut at line ends."""
    return [
        (start + match.start(), start + match.end())
        for start, end in fragments
        for match in re.finditer(f"[^{LINE_ENDS}]+", text[start:end])
    ]
