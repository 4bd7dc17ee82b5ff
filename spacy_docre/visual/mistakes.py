"""The mistakes of a pipeline as an HTML page that needs nothing beside itself."""

import math
from collections import Counter, defaultdict
from dataclasses import dataclass

from markupsafe import Markup

from ..evaluation.mistakes import KINDS, NO_RELATION, ErrorAnalysis
from .colours import BASE, INK, PAPER, mix
from .document import visible
from .page import asset, environment

# The types that the picture of confusions shows, those with most confusions.
MAX_TYPES = 20
# The mistakes of each kind that the page shows.
MAX_SHOWN = 200
MAX_NAME = 32
CELL = 30
CHARACTER = 7
RIGHT, WRONG = BASE[3], BASE[1]


@dataclass(frozen=True)
class Cell:
    """A cell of the picture of confusions.

    x (int): Its left edge.
    y (int): Its upper edge.
    count (int): How many relations.
    fill (str): Its colour, as "#rrggbb".
    ink (str): That of its number.
    title (str): What it says.
    """

    x: int
    y: int
    count: int
    fill: str
    ink: str
    title: str


@dataclass(frozen=True)
class Confusions:
    """The picture of which gold types are predicted as which.

    names (list[tuple[int, str]]): The types and where the middle of their row and column is.
    cells (list[Cell]): The cells that are not empty.
    margin (int): The room for the names on the left and above.
    size (int): The width and height.
    n_left (int): How many types have no place.
    """

    names: list[tuple[int, str]]
    cells: list[Cell]
    margin: int
    size: int
    n_left: int


def mistakes_page(analysis: ErrorAnalysis, title: str) -> str:
    """Make the page.

    analysis (ErrorAnalysis): The mistakes.
    title (str): The page's title.
    RETURNS (str): The page.
    """
    kinds = [
        (kind, name, [m for m in analysis.mistakes if m.kind == kind])
        for kind, name in KINDS.items()
    ]
    tables = [
        ("By type", "Type", analysis.by_type),
        ("By distance", "Sentences between head and tail", analysis.by_distance),
        ("By number of mentions", "Mentions of head and tail", analysis.by_mentions),
    ]
    return (
        environment()
        .get_template("mistakes.html")
        .render(
            title=visible(title),
            total=analysis.total,
            kinds=kinds,
            tables=tables,
            picture=lay_out_confusions(analysis.confusions),
            limit=MAX_SHOWN,
            style=Markup(asset("mistakes.css")),
            visible=visible,
        )
    )


def lay_out_confusions(confusions: Counter[tuple[str, str]]) -> Confusions:
    """Place what is gold in rows and what is predicted in columns, no relation last.

    confusions (Counter[tuple[str, str]]): See `ErrorAnalysis`.
    RETURNS (Confusions): The picture.
    """
    involved: dict[str, float] = defaultdict(float)
    for (gold, predicted), count in confusions.items():
        # A type that is always right comes after those that are not.
        weight = count if gold != predicted else 1e-6 * count
        for label in {gold, predicted} - {NO_RELATION}:
            involved[label] += weight
    labels = sorted(involved, key=lambda label: -involved[label])[:MAX_TYPES]
    places = {label: i for i, label in enumerate([*labels, NO_RELATION])}
    names = {label: _short(label) if label else "no relation" for label in places}
    margin = 12 + CHARACTER * max(map(len, names.values()))
    shown = {pair: n for pair, n in confusions.items() if {*pair} <= places.keys()}
    most = max((n for (a, b), n in shown.items() if a != b), default=1)
    most_right = max((n for (a, b), n in shown.items() if a == b), default=1)
    cells = []
    for (gold, predicted), count in shown.items():
        is_right = gold == predicted
        share = math.sqrt(count / (most_right if is_right else most))
        cells.append(
            Cell(
                x=margin + CELL * places[predicted],
                y=margin + CELL * places[gold],
                count=count,
                fill=mix(RIGHT if is_right else WRONG, PAPER, 0.1 + 0.9 * share),
                ink=PAPER if share > 0.6 else INK,
                title=f"{names[gold]}, predicted: {names[predicted]}: {count}",
            )
        )
    middles = [(margin + CELL * i + CELL // 2, names[label]) for label, i in places.items()]
    return Confusions(
        middles, cells, margin, margin + CELL * len(places) + 4, len(involved) - len(labels)
    )


def _short(name: str) -> str:
    name = " ".join(visible(name).split())
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"
