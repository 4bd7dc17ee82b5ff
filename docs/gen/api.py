"""The API: a page for each module, from its docstrings, and one for the front door."""

from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import text

import spacy_docre

PACKAGE = Path(spacy_docre.__file__).parent
# Commands and messages have pages of their own.
ELSEWHERE = ("cli", "__main__")


def pages() -> dict[str, str]:
    """The pages, by their paths below `docs`."""
    made = {_page(name): _module(name) for name in modules()}
    return {"reference/api/index.md": _front_door(), **made}


def navigation() -> list[Any]:
    """The pages, as a part of the navigation: rooms with their modules."""
    tree: dict[str, Any] = {}
    for name in modules():
        *rooms, last = name.split(".")[1:]
        below = tree
        for room in rooms:
            below = below.setdefault(room, {})
        below[last] = _page(name)
    return ["reference/api/index.md", *_entries(tree)]


@cache
def modules() -> list[str]:
    """The names of the modules."""
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] not in ELSEWHERE and path.name != "__init__.py":
            names.append(".".join(("spacy_docre", *parts)))
    return names


def _entries(tree: dict[str, Any]) -> list[Any]:
    return [
        {name: _entries(below) if isinstance(below, dict) else below}
        for name, below in sorted(tree.items(), key=lambda item: (isinstance(item[1], str), item))
    ]


def _page(module: str) -> str:
    return f"reference/api/{'/'.join(module.split('.')[1:])}.md"


def _module(name: str) -> str:
    return f"# `{name.partition('.')[2]}` {{ title='{name.rpartition('.')[2]}' }}\n\n::: {name}\n"


def _front_door() -> str:
    rows = []
    for name in sorted(spacy_docre.__all__, key=str.lower):
        thing = getattr(spacy_docre, name)
        if isinstance(thing, ModuleType):
            rows.append((f"`{name}`", text.doc_of(thing).summary))
        elif hasattr(thing, "__qualname__"):
            target = f"{thing.__module__}.{thing.__qualname__}"
            rows.append((f"[`{name}`][{target}]", text.doc_of(thing).summary))
    return (
        "# API\n\n"
        "What `import spacy_docre` gives. These names are stable, see "
        "[stability](../stability.md); the modules listed beside this page are what they are made "
        "of.\n\n" + text.table(["Name", "What"], rows) + "\n"
    )
