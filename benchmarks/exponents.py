"""How the work of the package grows with what is in its input.

    python benchmarks/exponents.py                   tables of exponents, by processor time
    python benchmarks/exponents.py --output FILE     the same as JSON, as the documentation shows it
    python benchmarks/exponents.py --only entity_clusters

A run that was interrupted goes on: what is in FILE already is not measured again.

Each kind of input is doubled through each part of the package that may get it, until it takes a
twentieth of a second. The exponent is that of the last two doublings: 1 is linear, 2 is quadratic.
One above 1.2 is doubled further, as caches and other processes have a part in what is short, and as
some work is quadratic up to a bound; so is one below 0.8, as most of the time then goes to what is
done once. Each run is the first of its kind: spaCy looks at a word once, `entity_clusters` at a
name.
"""

import argparse
import gc
import json
import math
import platform
import re
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeAlias

import spacy
from works import OF_THEIR_OWN, Work, all_works

from spacy_docre.coref import names

SMALLEST, LARGEST = 500, 2**20
# Seconds that the largest input takes, if so many of a kind take so long; and at most.
ENOUGH, LONG = 0.05, 3.0
TOLERATED, FLAT = 1.2, 0.8
# How deep JSON may be nested, and how deep folders are looked into.
MOST = {
    "quotes in a table": 2**23,
    "nesting": 96,
    "nesting of a row": 96,
    "folders in folders": 192,
}
REPEATS = 2
HEADER = ["Part", "Input", "As many as", "Seconds", "Exponent"]

# What is measured, by table, part and kind: how many there are, the seconds, the exponent.
Cells: TypeAlias = dict[tuple[str, str, str], list[str]]


def seconds(work: Work, n: int) -> float | None:
    """The processor time that an input takes, the least of some."""
    times: list[float] = []
    while len(times) < REPEATS:
        with TemporaryDirectory() as folder:
            run = work.prepare(n, Path(folder))
            if run is None:
                return None
            names._read_name.cache_clear()
            gc.collect()
            start = time.process_time()
            run()
            times.append(time.process_time() - start)
        # What is long is certain enough, and what is far too short is not used.
        if times[0] > 4 * ENOUGH or times[0] < ENOUGH / 20:
            break
    return min(times)


class Growth(NamedTuple):
    """The largest input of a kind, the seconds that it took, and the exponent."""

    n: int
    seconds: float
    exponent: float

    def cell(self) -> list[str]:
        """As texts, without the exponent of what takes no time, which says nothing."""
        shown = "-" if self.seconds < ENOUGH / 10 else f"{self.exponent:.2f}"
        return [f"{self.n:,}", f"{self.seconds:.2f}", shown]


def measure(work: Work) -> Growth | None:
    """The exponent of the last two doublings; None if there is no such input."""
    n, times = SMALLEST, []
    most = MOST.get(work.kind, LARGEST)
    if most < LARGEST:
        n = most // 4
    while True:
        found = seconds(work, n)
        if found is None:
            return None
        times.append(found)
        if len(times) > 2:
            exponent = math.log(found / times[-3], 4)
            is_enough = found > LONG or (found > ENOUGH and FLAT <= exponent <= TOLERATED)
            if is_enough or 2 * n > most:
                return Growth(n, found, exponent)
        n *= 2


def tables(cells: Cells) -> list[dict[str, Any]]:
    """The exponents as tables: parts beside kinds, and one for what has kinds of its own."""
    made = []
    for title in dict.fromkeys(title for title, _, _ in cells):
        own = {(part, kind): cell for (table, part, kind), cell in cells.items() if table == title}
        if title == OF_THEIR_OWN:
            header = HEADER
            rows = [[part, kind, *cell] for (part, kind), cell in own.items()]
        else:
            parts = dict.fromkeys(part for part, _ in own)
            header = ["Input", *(f"`{part}`" for part in parts)]
            rows = [
                [kind, *(own.get((part, kind), [""])[-1] for part in parts)]
                for kind in dict.fromkeys(kind for _, kind in own)
            ]
        made.append({"title": title, "header": header, "rows": rows})
    return made


def measured(path: Path) -> Cells:
    """What is in a file that `save` has written."""
    cells: Cells = {}
    if not path.exists():
        return cells
    for table in json.loads(path.read_text("utf8"))["tables"]:
        for first, *rest in table["rows"]:
            if table["title"] == OF_THEIR_OWN:
                cells[table["title"], first, rest[0]] = rest[1:]
            else:
                parts = zip(table["header"][1:], rest, strict=True)
                cells |= {(table["title"], p.strip("`"), first): [e] for p, e in parts if e}
    return cells


def save(cells: Cells, path: Path) -> None:
    """Write the tables as the documentation shows them: after each part, as it takes a while."""
    data = {
        "command": f"python benchmarks/exponents.py --output {path}",
        "machine": f"a shared core; Python {platform.python_version()}, spaCy {spacy.__version__}",
        "tables": tables(cells),
    }
    text = json.dumps(data, indent=1, ensure_ascii=False)
    # A row is a line.
    path.write_text(re.sub(r",?\n {5,}|\n {4}(?=\])", _joined, text) + "\n", "utf8")


def _joined(match: re.Match[str]) -> str:
    return ", " if match[0].startswith(",") else ""


def main() -> None:
    """Print the exponents, or save them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", help="parts, kinds and tables with this in their names")
    parser.add_argument("--output", type=Path, help="write JSON")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    former = measured(arguments.output) if arguments.output else {}
    cells: Cells = {}
    for work in all_works():
        key = work.table, work.part, work.kind
        if key in former:
            cells[key] = former[key]
        if key in cells or (arguments.only and arguments.only not in " ".join(key)):
            continue
        growth = measure(work)
        if growth is not None:
            cells[key] = growth.cell()
            figures = f"{growth.exponent:5.2f} {growth.seconds:7.2f} s {growth.n:>9,}"
            print(f"{figures} {work.table}: {work.part}: {work.kind}", flush=True)
            if arguments.output:
                save(cells | former, arguments.output)


if __name__ == "__main__":
    main()
