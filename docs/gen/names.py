"""The names that the package registers with spaCy and Thinc, from its entry points."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from typing import Any

import text

KINDS = {
    "spacy_factories": "Components",
    "spacy_architectures": "Architectures",
    "spacy_readers": "Corpus readers",
    "spacy_tokenizers": "Tokenizers",
    "spacy_scorers": "Scorers",
    "spacy_callbacks": "Callbacks",
    "spacy_loggers": "Loggers",
    "spacy_misc": "Other functions",
    "thinc_optimizers": "Optimizers",
    "thinc_schedules": "Schedules",
}

PLACE = re.compile(r"^\[Settings of `(?P<name>[^`]+)`\]\([^)]*names\.md#[^)]*\)$", re.MULTILINE)


@dataclass(frozen=True)
class Name:
    """A registered name.

    name (str): The name.
    group (str): The group of entry points.
    function (Any): What it stands for.
    """

    name: str
    group: str
    function: Any

    @property
    def module(self) -> str:
        """The module of the function."""
        return self.function.__module__


def registered() -> Iterator[Name]:
    """All registered names."""
    for point in distribution("spacy-docre").entry_points:
        if point.group in KINDS:
            yield Name(point.name, point.group, point.load())


def page() -> str:
    """The page."""
    parts = [
        "# Registered names",
        "What a config can name. A name that ends in `.v1` keeps its meaning, see "
        "[stability](stability.md): a change that trained pipelines would notice gets a `.v2` "
        "beside it.",
    ]
    names = list(registered())
    for group, title in KINDS.items():
        of_group = [name for name in names if name.group == group]
        if of_group:
            parts.append(f"## {title}")
            parts += [part for name in of_group for part in _describe(name)]
    return "\n\n".join(parts) + "\n"


def expand(markdown: str) -> str:
    """Put the tables of settings in the place of links to them: a paragraph that is a link,
    "[Settings of `NAME`](...)", becomes the table of that name.

    markdown (str): The page.
    RETURNS (str): The page with the tables.
    RAISES (KeyError): If a name is not registered.
    """
    known = {name.name: name for name in registered()} if PLACE.search(markdown) else {}
    return PLACE.sub(lambda match: settings_of(known[match["name"]]), markdown)


def settings_of(name: Name) -> str:
    """A table of the settings of what a name stands for; "" if there are none."""
    module = inspect.getmodule(name.function)
    about = {entry.name: entry for entry in text.doc_of(name.function).parameters}
    rows = []
    for parameter in inspect.signature(name.function).parameters.values():
        entry = about.get(parameter.name)
        default = "" if parameter.default is parameter.empty else text.code(repr(parameter.default))
        kind = text.code(entry.type) if entry and entry.type else ""
        what = text.linked(entry.text, module) if entry else ""
        rows.append([text.code(parameter.name), kind, default, what])
    return text.table(["Setting", "Type", "Default", "What"], rows) if rows else ""


def _describe(name: Name) -> Iterator[str]:
    yield f"### `{name.name}`"
    yield text.linked(text.doc_of(name.function).text, inspect.getmodule(name.function))
    if name.group == "spacy_factories":
        yield "Its settings are on a page of their own: [settings](settings.md)."
    else:
        yield settings_of(name)
