"""Lets mkdocstrings read spaCy's form of docstrings, by rewriting them in Google's."""

from typing import Any

import griffe
from docstrings import Parsed, in_google_form, parse


class SpacyDocstrings(griffe.Extension):
    """An extension of Griffe."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring is not None:
            parsed = parse(obj.docstring.value)
            if parsed.parameters or parsed.sections:
                obj.docstring.value = in_google_form(parsed, _title(obj, parsed))


def _title(obj: griffe.Object, parsed: Parsed) -> str:
    """What the names are: parameters of the function or of the class, or attributes."""
    if obj.is_function:
        return "Args"
    known = {p.name for p in obj.parameters} if obj.is_class else set()
    return (
        "Args"
        if known.issuperset(entry.name.lstrip("*") for entry in parsed.parameters)
        else "Attributes"
    )
