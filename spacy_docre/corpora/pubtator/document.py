"""The lines of PubTator's format."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...files import read_text
from ..validation import DocumentError

# Python refuses to read numbers of thousands of digits.
OFFSET = re.compile("[0-9]{1,18}")
TEXT_LINE = re.compile(r"([^\t|]*)\|([ta])\|(.*)", re.DOTALL)


@dataclass
class PubtatorDocument:
    """A document as it stands in the file.

    identifier (str): The PubMed identifier.
    title (str): Its title.
    abstract (Optional[str]): Its abstract; None if there is no such line.
    mentions (list[list[str]]): The columns of the lines of mentions, after the first.
    relations (list[list[str]]): The same of the lines of relations.
    """

    identifier: str
    title: str
    abstract: str | None = None
    mentions: list[list[str]] = field(default_factory=list)
    relations: list[list[str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Title and abstract with one space between, which the offsets refer to."""
        return self.title if self.abstract is None else f"{self.title} {self.abstract}"


def read_blocks(path: str | Path) -> Iterator[list[tuple[int, str]]]:
    """The numbered lines of each document: between blank lines, or from one title to the next."""
    block: list[tuple[int, str]] = []
    # Only "\n" ends a line: texts may hold what else Unicode takes for one.
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        line = line.removesuffix("\r")
        text = TEXT_LINE.fullmatch(line)
        if block and (not line.strip() or (text and text[2] == "t")):
            yield block
            block = []
        if line.strip():
            block.append((number, line))
    if block:
        yield block


def parse_block(lines: list[tuple[int, str]]) -> PubtatorDocument:
    first = TEXT_LINE.fullmatch(lines[0][1])
    if first is None or first[2] != "t":
        raise DocumentError(f"line {lines[0][0]}", "expected a title, as in '123|t|A title'")
    document = PubtatorDocument(first[1], first[3])
    for number, line in lines[1:]:
        place = f"line {number}"
        text, columns = TEXT_LINE.fullmatch(line), line.split("\t")
        identifier = text[1] if text else columns[0]
        if identifier != document.identifier:
            raise DocumentError(place, f"it belongs to the document '{identifier}'")
        if text:
            if document.abstract is not None:
                raise DocumentError(place, "there is an abstract already")
            document.abstract = text[3]
        elif all(OFFSET.fullmatch(column) for column in columns[1:3]) and len(columns) >= 5:
            document.mentions.append(columns[1:])
        elif len(columns) >= 4:
            document.relations.append(columns[1:])
        else:
            raise DocumentError(place, "neither a text nor a mention nor a relation")
    return document
