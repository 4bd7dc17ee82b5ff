"""Files of JSON Lines, one document a line."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from ..files import parse_json, parse_rows, read_text
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
    """Read the documents of a file of JSON Lines. A list of JSON, or one object over several lines,
    is read as well.

    path (Union[str, Path]): The file.
    make (Callable[[Any], Optional[Doc]]): Makes the document of a row; None skips it.
    YIELDS (Doc): The documents.
    RAISES (DocreError): If a line is malformed; names the document and the field.
    """
    text = read_text(path)
    rows = _whole(text)
    lines = (line for line in text.split("\n") if line.strip())
    for index, item in enumerate(lines if rows is None else rows):
        row = None
        try:
            row = parse_line(item) if rows is None else item
            doc = make(row)
        except DocumentError as error:
            raise error.in_file(path, index, row) from None
        if doc is not None:
            yield doc


def _whole(text: str) -> list[Any] | None:
    """The rows of a text that is not JSON Lines but one JSON value."""
    start = text.lstrip().partition("\n")[0].rstrip()
    if not start.startswith("[") and start != "{":
        return None
    try:
        return parse_rows(text)
    except (ValueError, RecursionError):
        return None
