"""Growth, drawn by matplotlib."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DocreError, Errors
from ..files import replacing
from .growth import DIMENSIONS, TITLES, Point
from .steps import STEPS
from .tables import beside, memory_beside, total
from .timing import Timing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colours that colour-blind readers tell apart (Okabe and Ito 2008); where they begin again, so do
# markers and dashes not.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
MARKERS = "osD^vPX*<>"
DASHES = ("-", "--", ":")
PANELS: dict[str, Callable[[Timing], float | None]] = {
    "Beside the encoder (ms a document)": beside,
    "In total (ms a document)": total,
    "Memory beside the encoder (MiB)": memory_beside,
}
# The least distance of two labels, as a part of a panel's height.
LABEL_HEIGHT = 0.055


def draw_growth(growth: Mapping[str, Sequence[Point]], folder: Path) -> list[Path]:
    """Draw a picture of each size that was varied, for each step.

    growth (Mapping[str, Sequence[Point]]): The points of each method.
    folder (Path): Where to write "growth-DIMENSION-STEP.png".
    RETURNS (list[Path]): The pictures.
    RAISES (DocreError): If matplotlib is not installed.
    """
    pictures = []
    for dimension, step, figure in growth_figures(growth):
        path = folder / f"growth-{dimension}-{step}.png"
        with replacing(path) as draft:
            figure.savefig(draft, format="png")
        pictures.append(path)
    return pictures


def growth_figures(
    growth: Mapping[str, Sequence[Point]],
) -> Iterator[tuple[str, str, "Figure"]]:
    """Draw the time beside the encoder, the time in total and the memory over each size that was
    varied, on logarithmic axes: a power of the size is a straight line, its exponent the slope.
    What is not positive, which is noise, is left out.

    growth (Mapping[str, Sequence[Point]]): The points of each method.
    YIELDS (tuple[str, str, Figure]): The dimension, the step and the figure.
    RAISES (DocreError): If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import FuncFormatter, LogLocator
    except ImportError:
        raise DocreError(
            Errors.D021.format(package="matplotlib", purpose="plots", extra="visual")
        ) from None
    for dimension in DIMENSIONS:
        for step in STEPS:
            series = {
                name: [p for p in points if (p.dimension, p.step) == (dimension, step)]
                for name, points in growth.items()
            }
            if not any(point.timing for points in series.values() for point in points):
                continue
            figure = Figure(figsize=(12, 4.4), dpi=130)
            figure.set_layout_engine("constrained")
            figure.suptitle(f"{TITLES[dimension]}: {STEPS[step].strip('`')}", fontsize=12)
            panels = figure.subplots(1, len(PANELS))
            for axes, (title, value) in zip(panels, PANELS.items(), strict=True):
                axes.set_title(title, fontsize=10)
                axes.set_xlabel(TITLES[dimension])
                _draw(axes, series, value)
                axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,g}"))
            yield dimension, step, figure


def _draw(
    axes: Any, series: Mapping[str, Sequence[Point]], value: Callable[[Timing], float | None]
) -> None:
    ends = {}
    for number, (name, points) in enumerate(series.items()):
        known = [(point.size, value(point.timing)) for point in points if point.timing]
        drawn = [(size, amount) for size, amount in known if amount is not None and amount > 0]
        if not drawn:
            continue
        colour = COLOURS[number % len(COLOURS)]
        style = {"ls": DASHES[number // len(COLOURS) % len(DASHES)], "lw": 1.4}
        marker = {"marker": MARKERS[number % len(MARKERS)], "ms": 4.5}
        axes.plot(*zip(*drawn, strict=True), color=colour, label=name, **style, **marker)
        ends[name] = (*drawn[-1], colour)
    sizes = sorted({point.size for points in series.values() for point in points})
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.grid(color="#dddddd", lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if ends:
        _label(axes, ends)


def _label(axes: Any, ends: Mapping[str, tuple[float, float, str]]) -> None:
    """Write the name of each line at the right of the panel, at the height of its end or as near
    as the other names allow."""
    low, high = np.log(axes.get_ylim())
    names = sorted(ends, key=lambda name: ends[name][1])
    wanted = [(np.log(ends[name][1]) - low) / (high - low) for name in names]
    for name, height in zip(names, spread_labels(wanted, LABEL_HEIGHT), strict=True):
        x, y, colour = ends[name]
        axes.annotate(
            name,
            (x, y),
            xytext=(1.06, height),
            textcoords="axes fraction",
            color=colour,
            fontsize=9,
            va="center",
            parse_math=False,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "relpos": (0, 0.5),
                "color": colour,
                "lw": 0.5,
                "alpha": 0.6,
            },
        )


def spread_labels(wanted: Sequence[float], distance: float) -> list[float]:
    """Move heights apart, by as little as can be: those that are too near form a block around
    their mean, inside 0 to 1 as long as there is room.

    wanted (Sequence[float]): The heights, ascending.
    distance (float): The least distance of two.
    RETURNS (list[float]): The heights, ascending.
    """
    # Each block: the sum of what its members want its lowest height to be, and their number.
    blocks: list[tuple[float, int]] = []
    for height in wanted:
        block = (height, 1)
        while blocks:
            lowest, size = blocks[-1][0] / blocks[-1][1], blocks[-1][1]
            if lowest + size * distance <= block[0] / block[1]:
                break
            former = blocks.pop()
            shift = former[1] * block[1] * distance
            block = (former[0] + block[0] - shift, former[1] + block[1])
        blocks.append(block)
    spread = [
        lowest / size + number * distance for lowest, size in blocks for number in range(size)
    ]
    return [
        min(max(height, number * distance), 1 - (len(spread) - 1 - number) * distance)
        for number, height in enumerate(spread)
    ]
