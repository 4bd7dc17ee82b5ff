"""How the work of the package grows with what is in its input.

    python benchmarks/exponents.py                   tables of exponents, by processor time
    python benchmarks/exponents.py --output FILE     the same as JSON, as the documentation shows it
    python benchmarks/exponents.py --only entity_clusters

Each kind of input is doubled through each part of the package that may get it, until it takes a
fifth of a second. The exponent is that of the last two doublings: 1 is linear, 2 is quadratic. One
above 1.2 is doubled further, as caches and other processes have a part in what is short, and as
some work is quadratic up to a bound.
"""

import argparse
import gc
import json
import math
import platform
import re
import sys
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import spacy
from works import OF_THEIR_OWN, Work, all_works

SMALLEST, LARGEST = 500, 2**20
# Seconds that the largest input takes, if so many of a kind take so long; and at most.
ENOUGH, LONG = 0.2, 3.0
TOLERATED = 1.2
# What Python's parser and the system's paths have room for.
MOST = {"nesting": 800, "nesting of a row": 96, "folders in folders": 1000}
REPEATS = 2


def seconds(work: Work, n: int) -> float | None:
    """The processor time that an input takes, the least of some."""
    with TemporaryDirectory() as folder:
        run = work.prepare(n, Path(folder))
        if run is None:
            return None
        times: list[float] = []
        while len(times) < REPEATS:
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

    def __str__(self) -> str:
        # What takes no time says nothing.
        return "-" if self.seconds < ENOUGH / 10 else f"{self.exponent:.2f}"


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
            is_enough = found > LONG or (found > ENOUGH and exponent <= TOLERATED)
            if is_enough or 2 * n > most:
                return Growth(n, found, exponent)
        n *= 2


def tables(growths: dict[Work, Growth]) -> list[dict[str, Any]]:
    """The exponents as tables: parts beside kinds, and one for what has kinds of its own."""
    made = []
    for title in dict.fromkeys(work.table for work in growths):
        own = {(w.part, w.kind): growth for w, growth in growths.items() if w.table == title}
        if title == OF_THEIR_OWN:
            header = ["Part", "Input", "As many as", "Seconds", "Exponent"]
            rows = [
                [part, kind, f"{growth.n:,}", f"{growth.seconds:.2f}", str(growth)]
                for (part, kind), growth in own.items()
            ]
        else:
            parts = dict.fromkeys(part for part, _ in own)
            header = ["Input", *(f"`{part}`" for part in parts)]
            rows = [
                [kind, *(str(own.get((part, kind), "")) for part in parts)]
                for kind in dict.fromkeys(kind for _, kind in own)
            ]
        made.append({"title": title, "header": header, "rows": rows})
    return made


def save(growths: dict[Work, Growth], path: Path) -> None:
    """Write the tables as the documentation shows them: after each part, as it takes a while."""
    data = {
        "command": " ".join(["python", *sys.argv]),
        "machine": f"a shared core; Python {platform.python_version()}, spaCy {spacy.__version__}",
        "tables": tables(growths),
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
    growths: dict[Work, Growth] = {}
    for work in all_works():
        if arguments.only and arguments.only not in f"{work.part} {work.kind} {work.table}":
            continue
        growth = measure(work)
        if growth is not None:
            growths[work] = growth
            figures = f"{growth.exponent:5.2f} {growth.seconds:7.2f} s {growth.n:>9,}"
            print(f"{figures} {work.table}: {work.part}: {work.kind}", flush=True)
            if arguments.output:
                save(growths, arguments.output)


if __name__ == "__main__":
    main()
