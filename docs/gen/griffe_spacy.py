"""Lets mkdocstrings read spaCy's form of docstrings, by rewriting them in Google's."""

from typing import Any

import griffe
from docstrings import Entry, Parsed, parse

TITLES = {"RETURNS": "Returns", "YIELDS": "Yields", "RAISES": "Raises"}


class SpacyDocstrings(griffe.Extension):
    """An extension of Griffe."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring is not None:
            parsed = parse(obj.docstring.value)
            if parsed.parameters or parsed.sections:
                obj.docstring.value = in_google_form(parsed, _title(obj, parsed))


def in_google_form(parsed: Parsed, title: str = "Args") -> str:
    """A docstring in Google's form.

    parsed (Parsed): The docstring.
    title (str): What its parameters stand under: "Args" or "Attributes".
    RETURNS (str): The docstring.
    """
    parts = [parsed.text] if parsed.text else []
    if parsed.parameters:
        parts.append(_section(title, [_named(entry) for entry in parsed.parameters]))
    for name, heading in TITLES.items():
        entries = [entry for entry in parsed.sections if entry.name == name]
        if entries:
            parts.append(_section(heading, [f"{e.type}: {e.text}" for e in entries]))
    return "\n\n".join(parts)


def _title(obj: griffe.Object, parsed: Parsed) -> str:
    """What the names are: parameters of the function or of the class, or attributes."""
    if obj.is_function:
        return "Args"
    known = {p.name for p in obj.parameters} if obj.is_class else set()
    return "Args" if known.issuperset(entry.name for entry in parsed.parameters) else "Attributes"


def _named(entry: Entry) -> str:
    kind = f" ({entry.type})" if entry.type else ""
    return f"{entry.name}{kind}: {entry.text}"


def _section(title: str, entries: list[str]) -> str:
    indented = ["\n".join(_indent(line) for line in entry.splitlines()) for entry in entries]
    lines = [lines.replace("\n", "\n    ") for lines in indented]
    return f"{title}:\n" + "\n".join(lines)


def _indent(line: str) -> str:
    return f"    {line}" if line else ""
