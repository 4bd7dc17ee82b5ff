"""spaCy's form of a docstring, taken apart.

A line `name (Type): text.` describes a parameter or an attribute, `RETURNS (Type): text.`, `YIELDS`
and `RAISES` what their names say; lines that are indented go on with it. Everything else is text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

# What their headings are in Google's form.
SECTIONS = {"RETURNS": "Returns", "YIELDS": "Yields", "RAISES": "Raises"}
# Types may hold one level of parentheses. Without a type, an entry says where to look: "a, b: See".
ENTRY = re.compile(
    r"(?P<names>\*{0,2}[A-Za-z_]\w*(?:, \*{0,2}[A-Za-z_]\w*)*)"
    r"(?: \((?P<type>(?:[^()]|\([^()]*\))+)\):|:(?= See ))(?: |$)(?P<text>.*)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Entry:
    """What a docstring says of one name.

    name (str): The name, or one of `SECTIONS`.
    type (str): The type; "" if it is not given.
    text (str): The description.
    """

    name: str
    type: str
    text: str


@dataclass(frozen=True)
class Parsed:
    """A docstring.

    text (str): The text before, between and after the entries.
    parameters (list[Entry]): Its parameters or attributes.
    sections (list[Entry]): What is returned, yielded and raised.
    """

    text: str
    parameters: list[Entry] = field(default_factory=list)
    sections: list[Entry] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """The first sentence."""
        first = " ".join(self.text.partition("\n\n")[0].split())
        return re.split(r"(?<=[.:]) (?=[A-Z])", first, maxsplit=1)[0].rstrip(":")


def parse(docstring: str) -> Parsed:
    """Take a docstring apart.

    docstring (str): The docstring, without the indentation of its code.
    RETURNS (Parsed): Its parts.
    """
    texts, parameters, sections = [], [], []
    in_sentence = False
    for block in _blocks(docstring):
        match = None if in_sentence else ENTRY.fullmatch(block)
        if not match:
            texts.append(block)
            in_sentence = bool(block.strip())
            continue
        text = _dedent(match["text"])
        for name in match["names"].split(", "):
            entry = Entry(name, " ".join((match["type"] or "").split()), text)
            (sections if name in SECTIONS else parameters).append(entry)
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(texts)).strip()
    return Parsed(text, parameters, sections)


def in_google_form(parsed: Parsed, title: str = "Args") -> str:
    """A docstring in Google's form.

    parsed (Parsed): The docstring.
    title (str): What its parameters stand under: "Args" or "Attributes".
    RETURNS (str): The docstring.
    """
    parts = [parsed.text] if parsed.text else []
    if parsed.parameters:
        parts.append(_section(title, [_named(entry) for entry in parsed.parameters]))
    for name, heading in SECTIONS.items():
        entries = [entry for entry in parsed.sections if entry.name == name]
        if entries:
            parts.append(_section(heading, [f"{e.type}: {e.text}" for e in entries]))
    return "\n\n".join(parts)


def _blocks(docstring: str) -> Iterator[str]:
    """Lines, each entry with the indented lines that belong to it."""
    block: list[str] = []
    for line in docstring.splitlines():
        goes_on = line.startswith("    ") and block and _begins(block[0])
        if not goes_on and block:
            yield "\n".join(block)
            block = []
        block.append(line)
    if block:
        yield "\n".join(block)


def _begins(line: str) -> bool:
    return re.match(r"\*{0,2}[A-Za-z_]\w*(, \*{0,2}\w+)*( \(|: See )", line) is not None


def _dedent(text: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in text.splitlines()).strip()


def _named(entry: Entry) -> str:
    kind = f" ({entry.type})" if entry.type else ""
    return f"{entry.name}{kind}: {entry.text}"


def _section(title: str, entries: list[str]) -> str:
    """Entries below their heading, the lines after the first of each indented once more."""
    indented = [f"    {entry}".replace("\n", "\n        ") for entry in entries]
    return "\n".join([f"{title}:", *indented])
