"""Pieces of Markdown."""

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any

from docstrings import Parsed, parse


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of text."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def cell(value: str) -> str:
    """A text as it may stand in a cell. Within code, Python-Markdown takes no pipe for a border."""
    parts = re.split(r"(`[^`]*`)", " ".join(value.split()))
    return "".join(part if part[:1] == "`" else part.replace("|", "\\|") for part in parts)


def code(value: Any) -> str:
    """A value as code."""
    return f"`{value}`"


def doc_of(thing: Any) -> Parsed:
    """The docstring of an object."""
    return parse(inspect.getdoc(thing) or "")


def escaped(value: str) -> str:
    """A text in which Markdown finds nothing to format."""
    return value.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def linked(value: str, module: Any) -> str:
    """A text whose names of classes and functions of this package are links to the API.

    value (str): The text.
    module (Any): The module in which the names mean something.
    """

    def link(match: re.Match) -> str:
        thing = getattr(module, match[1], None)
        if not getattr(thing, "__module__", "").startswith("spacy_docre"):
            return match[0]
        return f"[{match[0]}][{thing.__module__}.{thing.__qualname__}]"

    return re.sub(r"(?<!\[)`([A-Za-z]\w*)`(?!\])", link, value)
