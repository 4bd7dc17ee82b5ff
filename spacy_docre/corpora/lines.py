"""Files of JSON Lines, one document a line."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from ..files import parse_json, read_text
from .validation import DocumentError


def parse_line(line: str) -> Any:
    """Parse a line of JSON Lines.

    line (str): The line.
    RETURNS (Any): Its value.
    RAISES (DocumentError): If it is not JSON.
    """
    try:
        return parse_json(line)
    except (ValueError, RecursionError) as error:
        raise DocumentError("document", f"not JSON: {error}") from None


def read_lines(path: str | Path, make: Callable[[Any], Doc | None]) -> Iterator[Doc]:
    """Read the documents of a file of JSON Lines.

    path (Union[str, Path]): The file.
    make (Callable[[Any], Optional[Doc]]): Makes the document of a row; None skips it.
    YIELDS (Doc): The documents.
    RAISES (DocreError): If a line is malformed; names the document and the field.
    """
    lines = (line for line in read_text(path).split("\n") if line.strip())
    for index, line in enumerate(lines):
        row = None
        try:
            row = parse_line(line)
            doc = make(row)
        except DocumentError as error:
            raise error.in_file(path, index, row) from None
        if doc is not None:
            yield doc
