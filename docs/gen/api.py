"""The API: a page for each module, from its docstrings, and one for what each package exports."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
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
    made |= {_index(name): _exports(package) for name, package in packages()}
    return made | {_index("spacy_docre"): _front_door()}


def navigation() -> list[Any]:
    """The pages, as a part of the navigation: rooms with their modules."""
    indices = {_index(name) for name, _ in packages()}
    tree: dict[str, Any] = {}
    for name in modules():
        *rooms, last = name.split(".")[1:]
        below = tree
        for depth, room in enumerate(rooms):
            below = below.setdefault(room, {})
            index = _index(".".join(("spacy_docre", *rooms[: depth + 1])))
            if index in indices:
                below[""] = index
        below[last] = _page(name)
    return [_index("spacy_docre"), *_entries(tree)]


@cache
def modules() -> list[str]:
    """The names of the modules."""
    return [_name(path) for path in _files() if path.name != "__init__.py"]


def packages() -> Iterator[tuple[str, ModuleType]]:
    """The packages that export anything, by their names."""
    for path in _files():
        if path.name == "__init__.py" and path.parent != PACKAGE:
            package = import_module(_name(path.parent))
            if getattr(package, "__all__", ()):
                yield package.__name__, package


def _files() -> list[Path]:
    paths = sorted(PACKAGE.rglob("*.py"))
    return [p for p in paths if p.relative_to(PACKAGE).with_suffix("").parts[0] not in ELSEWHERE]


def _name(path: Path) -> str:
    return ".".join(("spacy_docre", *path.relative_to(PACKAGE).with_suffix("").parts))


def _entries(tree: dict[str, Any]) -> list[Any]:
    """Packages before modules, each by name; the page of a package first, without a name."""
    index = [tree[""]] if "" in tree else []
    rest = [(isinstance(below, str), name, below) for name, below in tree.items() if name]
    return [
        *index,
        *({name: below if is_page else _entries(below)} for is_page, name, below in sorted(rest)),
    ]


def _page(module: str) -> str:
    return f"reference/api/{'/'.join(module.split('.')[1:])}.md"


def _index(package: str) -> str:
    return "/".join(("reference", "api", *package.split(".")[1:], "index.md"))


def _module(name: str) -> str:
    return f"# `{name.partition('.')[2]}`\n\n::: {name}\n"


def _exports(package: ModuleType) -> str:
    about = text.linked(text.doc_of(package).text, package)
    return f"# `{package.__name__.partition('.')[2]}`\n\n{about}\n\n{_table(package)}\n"


def _front_door() -> str:
    return (
        "# API\n\n"
        "What `import spacy_docre` gives. These names are stable, see "
        "[stability](../stability.md); the modules listed beside this page are what they are made "
        f"of.\n\n{_table(spacy_docre)}\n"
    )


def _table(package: ModuleType) -> str:
    rows = []
    for name in sorted(package.__all__, key=str.lower):
        thing = getattr(package, name)
        shown = f"`{name}`"
        if hasattr(thing, "__qualname__") and thing.__module__.startswith("spacy_docre"):
            described = text.doc_of(thing)
            rows.append((f"[{shown}][{thing.__module__}.{thing.__qualname__}]", described.summary))
        else:
            rows.append((shown, ""))
    return text.table(["Name", "What"], rows)
