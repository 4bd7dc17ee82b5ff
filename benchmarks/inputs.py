"""Inputs that have n of something, for `exponents.py`: documents, files that no writer makes, and
what the components and commands get."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Row = dict[str, Any]
# The types of entities that the rules of `entity_clusters` look at.
PERSON, ORG, PLACE, NUMBER = "PERSON", "ORG", "GPE", "CARDINAL"


def _row(
    text: str, clusters: list[list[tuple[int, int]]], relations: list[Row] | None = None
) -> Row:
    rows = [
        {"type": "X", "mentions": [{"start": start, "end": end} for start, end in mentions]}
        for mentions in clusters
    ]
    return {"title": "t", "text": text, "clusters": rows, "relations": relations or []}


def _words(n: int) -> list[tuple[int, int]]:
    return [(2 * i, 2 * i + 1) for i in range(n)]


# A document with n of something, in the package's JSON Lines.
DOCUMENTS: dict[str, Callable[[int], Row]] = {
    "tokens": lambda n: _row("a " * n, [[(0, 1)]]),
    "sentences": lambda n: _row("A b. " * n, [[(0, 1)]]),
    "line ends": lambda n: _row("A\r\n" * n, [[(0, 1)]]),
    "blanks": lambda n: _row("a" + " " * n + "b", [[(0, n + 2)]]),
    "letters of a name": lambda n: _row("a" * n, [[(0, n)]]),
    "brackets": lambda n: _row("(" * n, [[(0, n)]]),
    "quotes": lambda n: _row("'" * n, [[(0, n)]]),
    "hyphens": lambda n: _row("a-" * n, [[(0, 2 * n)]]),
    "emoji": lambda n: _row("🎉 " * n, [[(0, 1)]]),
    "mentions": lambda n: _row("a " * n, [_words(n)]),
    "mentions on one word": lambda n: _row("a b", [[(0, 1)]] * n),
    "entities": lambda n: _row("a " * n, [[place] for place in _words(n)]),
    "relations": lambda n: _row(
        "a " * n,
        [[place] for place in _words(n)],
        [{"head": i, "label": "r", "tail": i + 1} for i in range(n - 1)],
    ),
    "relation types": lambda n: _row(
        "a b", [[(0, 1)], [(2, 3)]], [{"head": 0, "label": f"r{i}", "tail": 1} for i in range(n)]
    ),
    "evidence": lambda n: _row(
        "a " * n,
        [[(0, 1)], [(2, 3)]],
        [{"head": 0, "label": "r", "tail": 1, "evidence": _words(n)}],
    ),
}


def _pubtator(n: int, lines: list[str]) -> str:
    return "\n".join([f"1|t|{'ab ' * n}", *lines]) + "\n"


# Files that no writer makes, by format.
FILES: dict[str, dict[str, Callable[[int], str]]] = {
    "pubtator": {
        "joined identifiers": lambda n: _pubtator(
            n, ["1\t0\t2\tab\tX\t" + "|".join(f"D{i}" for i in range(n))]
        ),
        "products of identifiers": lambda n: _pubtator(
            n, ["\t".join(["1", "r", *("|".join(f"{s}{i}" for i in range(n)) for s in "AB")])]
        ),
        "variants": lambda n: _pubtator(
            n, [f"1\t0\t2\tab\tX\ttmVar:rs{i};RS#:{i};VariantGroup:0" for i in range(n)]
        ),
        "misplaced mentions": lambda n: _pubtator(
            n, [f"1\t0\t2\tab{i}\tX\tD{i}" for i in range(n)]
        ),
    },
    "jsonl": {
        "unknown keys": lambda n: json.dumps({"text": "a", **{f"x{i}": i for i in range(n)}}),
        "nesting": lambda n: '{"text": "a", "meta": ' + "[" * n + "]" * n + "}",
    },
}

# Inputs of `annotate`: the name of the file, and its content.
SOURCES: dict[str, tuple[str, Callable[[int], str]]] = {
    "lines": ("in.txt", lambda n: "Ada left.\n" * n),
    "rows": ("in.jsonl", lambda n: '{"text": "Ada left.", "year": 1}\n' * n),
    "rows of a table": ("in.csv", lambda n: "text,year\n" + "Ada left.,1\n" * n),
    "columns of a table": ("in.csv", lambda n: f"text,{'a,' * n}b\nAda,{'1,' * n}2\n"),
    "quotes in a table": ("in.csv", lambda n: 'text\n"' + '""' * n + '"\n'),
    "keys of a row": (
        "in.jsonl",
        lambda n: json.dumps({"text": "a", **{f"x{i}": i for i in range(n)}}) + "\n",
    ),
    "nesting of a row": ("in.jsonl", lambda n: '{"text": "a", "b": ' + "[" * n + "]" * n + "}\n"),
    "bytes that are not UTF-8": ("in.txt", lambda n: "\udcff" * n + "\n"),
}


def folder_of(kind: str, n: int, folder: Path) -> Path:
    """Make a folder with n files, or of n folders in one another.

    kind (str): "files of a folder" or "folders in folders".
    n (int): How many.
    folder (Path): Where to make it.
    RETURNS (Path): The folder.
    """
    path = folder / "in"
    path.mkdir()
    if kind == "files of a folder":
        for i in range(n):
            (path / f"{i}.txt").write_text("Ada left.")
        return path
    deepest = path
    for _ in range(n):
        deepest /= "d"
        deepest.mkdir()
    (deepest / "a.txt").write_text("Ada left.")
    return path


Names = list[tuple[list[str], str]]
Chains = list[list[tuple[int, int]]]


def _spaced(names: list[str], label: str) -> Names:
    return [part for name in names for part in ((name.split(" "), label), (["."], ""))]


def _chain(names: Names) -> Chains:
    """One chain of all that is named."""
    places, start = [], 0
    for words, label in names:
        if label:
            places.append((start, start + len(words)))
        start += len(words)
    return [places]


def _each(names: Names) -> Chains:
    return [[place] for place in _chain(names)[0]]


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number)).capitalize()


def _named(n: int) -> list[str]:
    return [_letters(i) for i in range(n)]


def _split_in_two(n: int) -> list[str]:
    """Ways to spell one name."""
    letters = "abcdefghijklmnopqrstuvwxyz" * (n.bit_length() // 25 + 1)
    return [
        "".join(c + " " * (i >> at & 1) for at, c in enumerate(letters)).strip() for i in range(n)
    ]


# Words with the labels of those that are named ("" for others), and the coreference chains.
ENTITIES: dict[str, Callable[[int], tuple[Names, Callable[[Names], Chains] | None]]] = {
    "tokens": lambda n: ([(["a"], "")] * n, None),
    "mentions of one name": lambda n: (_spaced(["Ada Smith"] * n, PERSON), None),
    "names": lambda n: (_spaced(_named(n), PERSON), None),
    "names that share a word": lambda n: (
        _spaced([f"{name} Smith" for name in _named(n)], PERSON),
        None,
    ),
    "spellings of a name": lambda n: (_spaced(_split_in_two(n), ORG), None),
    "words of a name": lambda n: ([(["a"] * n, ORG), (["a"] * n, ORG)], None),
    "blanks in a name": lambda n: ([(["Ada", " " * n, "Smith"], PERSON)], None),
    "brackets in a name": lambda n: ([(["("] * n, ORG)], None),
    "hyphens in a name": lambda n: ([(["Ada-" * n], PERSON)], None),
    "digits of a number": lambda n: ([(["1" * n], NUMBER)], None),
    "blanks between names": lambda n: (
        [(["Acme", "Inc"], ORG), ([" " * n, "("], ""), (["AI"], ORG), ([")"], "")],
        None,
    ),
    "aliases": lambda n: (
        [
            part
            for name in _named(n)
            for part in (([f"A{name}", "Brick"], ORG), (["("], ""), (["AXX"], ORG), ([")"], ""))
        ],
        None,
    ),
    "pronouns": lambda n: ([(["Ada"], PERSON), *[(["she"], "")] * n], None),
    "names before pronouns": lambda n: (
        [part for name in _named(n) for part in (([name], ORG), (["she"], ""))],
        None,
    ),
    "length of a chain of one name": lambda n: (_spaced(["Ada Smith"] * n, PERSON), _chain),
    "length of a chain of names": lambda n: (_spaced(_named(n), PERSON), _chain),
    "length of a chain of pronouns": lambda n: (
        [(["Ada"], PERSON), *[(["thing"], "")] * n],
        lambda names: [[(i, i + 1) for i in range(len(names))]],
    ),
    "length of a chain of both": lambda n: (
        [part for name in _named(n) for part in (([name], ORG), (["she"], ""))],
        lambda names: [[(i, i + 1) for i in range(len(names))]],
    ),
    "nested mentions of a chain": lambda n: (
        [(["Ada"], PERSON), *[(["thing"], "")] * (2 * n)],
        lambda names: [[(0, 1), *((1 + i, len(names) - i) for i in range(len(names) // 2))]],
    ),
    "chains": lambda n: (_spaced(["Ada Smith"] * n, PERSON), _each),
}
