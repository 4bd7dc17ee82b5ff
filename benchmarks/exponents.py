"""How the work of reading a corpus grows with what is in it.

    python benchmarks/exponents.py            a table of exponents, by processor time
    python benchmarks/exponents.py --calls    the same by counted calls, which is exact but does not
                                              see the work inside one call

Each kind of input is doubled through each reader of the registry, at least twice. The exponent is
that of the last doubling: 1 is linear, 2 is quadratic.
"""

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import spacy
from spacy.tokens import Doc

from spacy_docre.corpora.formats import Format, all_formats
from spacy_docre.corpora.jsonl import read_jsonl
from spacy_docre.corpora.report import ConversionReport
from spacy_docre.data.clusters import DEFAULT_PREFIX

Row = dict[str, Any]


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


# A document with n of something.
KINDS: dict[str, Callable[[int], Row]] = {
    "tokens": lambda n: _row("a " * n, [[(0, 1)]]),
    "sentences": lambda n: _row("A b. " * n, [[(0, 1)]]),
    "line ends": lambda n: _row("A\r\n" * n, [[(0, 1)]]),
    "blanks": lambda n: _row("a" + " " * n + "b", [[(0, n + 2)]]),
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


def write_input(entry: Format, kind: str, n: int, folder: Path) -> Path | None:
    """Write an input of a kind and size.

    entry (Format): The format.
    kind (str): What there is n of.
    n (int): How many.
    folder (Path): Where to write.
    RETURNS (Optional[Path]): The file or folder; None if the format has no such input.
    """
    path = folder / f"in{entry.suffix}"
    if kind in FILES.get(entry.name, {}):
        path.write_text(FILES[entry.name][kind](n))
        return path
    if kind not in KINDS or entry.write is None:
        return None
    source = folder / "source.jsonl"
    source.write_text(json.dumps(KINDS[kind](n)))
    docs = list(read_jsonl(source, spacy.blank("en")))
    entry.write(docs, path, report=ConversionReport(), prefix=DEFAULT_PREFIX)
    return path


def read_input(entry: Format, path: Path) -> list[Doc]:
    """The documents of an input."""
    nlp = spacy.blank("en")
    return list(entry.read(path, nlp, report=ConversionReport(), prefix=DEFAULT_PREFIX))


def count_calls(entry: Format, path: Path) -> int:
    """How many calls, of Python's functions and of others, it takes to read an input."""
    n_calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal n_calls
        n_calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        read_input(entry, path)
    finally:
        sys.setprofile(None)
    return n_calls


def processor_time(entry: Format, path: Path) -> float:
    """The seconds of processor time that it takes to read an input, the best of three."""
    times = []
    for _ in range(3):
        start = time.process_time()
        read_input(entry, path)
        times.append(time.process_time() - start)
    return min(times)


def exponent(
    measure: Callable[[Format, Path], float], entry: Format, kind: str, n: int
) -> float | None:
    """The exponent by which a measure grows from 2n to 4n, without what it has at n already.

    measure (Callable): What is measured.
    entry (Format): The format.
    kind (str): What there is n of.
    n (int): The smallest number.
    RETURNS (Optional[float]): The exponent; None if the format has no such input.
    """
    values = []
    # The first time there are caches to fill, so it does not count.
    for size in (n, n, 2 * n, 4 * n):
        with tempfile.TemporaryDirectory() as folder:
            path = write_input(entry, kind, size, Path(folder))
            if path is None:
                return None
            values.append(measure(entry, path))
    first, second = values[2] - values[1], values[3] - values[2]
    return math.log2(second / first) if first > 0 and second > 0 else 0.0


def all_kinds() -> list[tuple[str, str]]:
    """Each format with each kind of input that it may have."""
    return [(name, kind) for name in all_formats() for kind in (*KINDS, *FILES.get(name, {}))]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--calls", action="store_true", help="count calls instead of time")
    parser.add_argument("-n", type=int, default=4000, help="the smallest number of a kind")
    arguments = parser.parse_args()
    measure = count_calls if arguments.calls else processor_time
    names = list(all_formats())
    print("| | " + " | ".join(names) + " |\n| --- |" + " ---: |" * len(names))
    for kind in dict.fromkeys(kind for _, kind in all_kinds()):
        cells = []
        for name in names:
            entry = all_formats()[name]
            size = min(arguments.n, 200) if kind == "nesting" else arguments.n
            found = exponent(measure, entry, kind, size)
            cells.append("" if found is None else f"{found:.2f}")
        print(f"| {kind} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
