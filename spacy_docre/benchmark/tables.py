"""The results of benchmarks as tables, for the terminal and for a page."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from wasabi import MarkdownRenderer

from ..errors import DocreError, Errors
from ..files import replacing
from .growth import DIMENSIONS, TITLES, Point, fit_exponent
from .results import Results
from .steps import STEPS
from .timing import Timing

MIB = 2**20
GIVEN_UP = "n/a"


def figures_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; the first column is text, the others are figures.

    header (Sequence[str]): The names of the columns.
    rows (Iterable[Sequence[str]]): The cells.
    RETURNS (str): The table.
    """
    right: list[Literal["l", "c", "r"]] = ["r"]
    return MarkdownRenderer().table(rows, header, ["l", *(right * (len(header) - 1))])


@dataclass(frozen=True)
class Table:
    """A table; the first column is text, the others are figures.

    title (str): What it shows.
    header (Sequence[str]): The names of the columns.
    rows (Sequence[Sequence[str]]): The cells.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def to_markdown(self) -> str:
        """The table in Markdown, under its title."""
        rows = ([row[0] and f"`{row[0]}`", *row[1:]] for row in self.rows)
        return f"**{self.title}**\n\n{figures_table(self.header, rows)}"


def method_tables(methods: Mapping[str, Mapping[str, Timing]]) -> list[Table]:
    """One table of all methods, and one of each step with more about it.

    methods (Mapping[str, Mapping[str, Timing]]): The timings of each step of each method.
    RETURNS (list[Table]): The tables.
    """
    steps = [step for step in STEPS if any(step in timings for timings in methods.values())]
    if not steps:
        return []
    overview = Table(
        "Multiples of the bare encoder: median (quartiles)",
        ["Method", *(STEPS[step] for step in steps)],
        [
            [name, *(_ratio(timings[step]) if step in timings else "" for step in steps)]
            for name, timings in methods.items()
        ],
    )
    return [overview, *(_step_table(methods, step) for step in steps)]


def _step_table(methods: Mapping[str, Mapping[str, Timing]], step: str) -> Table:
    rows = []
    for name, timings in methods.items():
        if step not in timings:
            continue
        timing = timings[step]
        rows.append(
            [
                name,
                _figure(timing.floor),
                _figure(timing.total),
                _figure(timing.docs / timing.total),
                _figure(timing.wordpieces / timing.total),
                _mebibytes(timing.bare.peak),
                _mebibytes(timing.full.peak),
            ]
        )
    memory = ("Peak, bare (MiB)", "Peak, extractor (MiB)")
    header = ["Method", "Bare (s)", "Extractor (s)", "Docs/s", "Wordpieces/s", *memory]
    return Table(f"{STEPS[step]}: seconds, speed and memory", header, rows)


def growth_tables(growth: Mapping[str, Sequence[Point]]) -> list[Table]:
    """For each size that was varied, a table of the time and one of the memory.

    growth (Mapping[str, Sequence[Point]]): The points of each method.
    RETURNS (list[Table]): The tables.
    """
    quantities: list[tuple[str, Callable[[Timing], float | None]]] = [
        ("milliseconds a document beside the encoder", beside),
        ("milliseconds a document in total", total),
        ("peak memory beside the encoder (MiB)", memory_beside),
    ]
    found = []
    for dimension in DIMENSIONS:
        for step in STEPS:
            series = {name: _series(points, dimension, step) for name, points in growth.items()}
            series = {name: points for name, points in series.items() if points}
            if series:
                found += [
                    _growth_table(series, f"{TITLES[dimension]}, {STEPS[step]}: {title}", value)
                    for title, value in quantities
                ]
    return found


def beside(timing: Timing) -> float:
    """Milliseconds a document that the extractor takes beside its encoder."""
    return 1000 * timing.beside / timing.docs


def total(timing: Timing) -> float:
    """Milliseconds a document that the extractor takes in all."""
    return 1000 * timing.total / timing.docs


def memory_beside(timing: Timing) -> float | None:
    """Mebibytes by which the extractor's peak is higher than its encoder's."""
    return None if timing.memory_beside is None else timing.memory_beside / MIB


def _growth_table(
    series: Mapping[str, Sequence[Point]], title: str, value: Callable[[Timing], float | None]
) -> Table:
    sizes = sorted({point.size for points in series.values() for point in points})
    rows = []
    for name, points in series.items():
        known = {point.size: value(point.timing) for point in points if point.timing}
        given_up = {point.size for point in points if point.skipped}
        cells = [GIVEN_UP if size in given_up else _figure(known.get(size)) for size in sizes]
        fitted = [(size, amount) for size, amount in known.items() if amount is not None]
        fit = fit_exponent(*zip(*fitted, strict=True)) if fitted else None
        rows.append([name, *cells, f"{fit[0]:.2f} ({fit[1]})" if fit else "-"])
    return Table(title, ["Method", *(f"{size:,}" for size in sizes), "Exponent (points)"], rows)


def given_up(growth: Mapping[str, Sequence[Point]]) -> Iterator[str]:
    """What was not measured, and why.

    growth (Mapping[str, Sequence[Point]]): The points of each method.
    YIELDS (str): A line for each.
    """
    for name, points in growth.items():
        for point in points:
            if point.skipped:
                title = TITLES[point.dimension].lower()
                yield f"{name}, {STEPS[point.step]}, {title} {point.size:,}: {point.skipped}"


def to_markdown(results: Results) -> str:
    """The results as a part of a page: how they were made, and the tables.

    results (Results): The results.
    RETURNS (str): The Markdown.
    """
    tables = [*method_tables(results.methods), *growth_tables(results.growth)]
    parts = [_describe(results), *(table.to_markdown() for table in tables)]
    missing = [f"- {line}" for line in given_up(results.growth)]
    if missing:
        parts.append("\n".join([f"Not measured ({GIVEN_UP}):", "", *missing]))
    return "\n\n".join(parts)


def fill_page(page: Path, name: str, text: str) -> None:
    """Replace what stands on a page between the lines "<!-- tables: NAME -->" and
    "<!-- end of tables -->".

    page (Path): The page.
    name (str): The name of the place.
    text (str): What is to stand there.
    RAISES (DocreError): If the page has no such place.
    """
    before = page.read_text(encoding="utf8")
    place = re.compile(
        rf"(?<=<!-- tables: {re.escape(name)} -->\n).*?(?=<!-- end of tables -->)", re.DOTALL
    )
    if not place.search(before):
        raise DocreError(Errors.D063.format(path=page, name=name))
    with replacing(page) as draft:
        draft.write_text(place.sub(lambda _: f"\n{text}\n\n", before, count=1), encoding="utf8")


def _describe(results: Results) -> str:
    run = results.run
    versions = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
    device = run["gpu"] or f"{run['cpu']}, {run['cores']} cores"
    load = "" if run["load"] is None else f"; load before: {run['load']:.1f}"
    settings = {**results.settings, "threads": run["threads"], "seed": run["seed"]}
    listed = ", ".join(f"{name} {_plain(value)}" for name, value in settings.items())
    return (
        f"```bash\n{run['command']}\n```\n\n{device}; {run['machine']}{load}. {versions}. "
        f"Settings: {listed}."
    )


def _plain(value: Any) -> str:
    return "-" if value is None else str(value)


def _series(points: Sequence[Point], dimension: str, step: str) -> list[Point]:
    return [point for point in points if (point.dimension, point.step) == (dimension, step)]


def _ratio(timing: Timing) -> str:
    first, third = timing.spread
    return f"{timing.ratio:.3f} ({first:.3f} to {third:.3f})"


def _figure(value: float | None) -> str:
    """A number with about three digits."""
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def _mebibytes(n_bytes: int | None) -> str:
    return "-" if n_bytes is None else f"{n_bytes / MIB:,.0f}"
