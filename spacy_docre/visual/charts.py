"""Charts of what `evaluate` measured, drawn by matplotlib."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import DocreError, Errors
from ..scoring.subsets import SUBSET_TITLES
from .colours import BASE
from .document import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GREY = "#5f5f5f"
OVERALL = {
    "rel_f": "All relations",
    "rel_intra_f": "Intra-sentence",
    "rel_inter_f": "Inter-sentence",
}


def plot_subsets(metrics: Mapping[str, Mapping[str, Any]]) -> "Figure":
    """Draw the F1 of subsets of relations as bars, those of several systems side by side; with
    their confidence intervals where they were computed.

    metrics (Mapping[str, Mapping[str, Any]]): For each system, by its name, what `evaluate
        --subsets` wrote.
    RETURNS (Figure): The figure: a group of bars for each subset that has gold relations.
    RAISES (DocreError): If a system has no subsets, or if matplotlib is not installed.
    """
    for name, scores in metrics.items():
        if not scores.get("rel_subsets"):
            reason = "it has no subsets (`evaluate --subsets`)"
            raise DocreError(Errors.D089.format(path=name, reason=reason))
    first = next(iter(metrics.values()))["rel_subsets"]
    subsets = [name for name in SUBSET_TITLES if first.get(name, {}).get("gold")]
    titles = [*OVERALL.values(), *(SUBSET_TITLES[name] for name in subsets)]
    figure = new_figure(6.4, 1.0 + len(titles) * (0.1 + 0.13 * len(metrics)))
    axes = figure.add_subplot()
    height = 0.8 / len(metrics)
    for number, (system, scores) in enumerate(metrics.items()):
        values, errors = _bars(scores, subsets)
        places = [i - 0.4 + height * (number + 0.5) for i in range(len(titles))]
        colour = BASE[number % len(BASE)]
        label = visible(system)
        axes.barh(
            places, values, height * 0.92, xerr=errors, label=label, color=colour, ecolor="black"
        )
    axes.set_yticks(range(len(titles)), titles)
    axes.set_ylim(len(titles) - 0.5, -0.5)
    axes.set_xlabel("F1, %")
    axes.set_xlim(left=0)
    axes.grid(axis="x", color=GREY, alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if len(metrics) > 1:
        legend = figure.legend(loc="outside lower center", ncols=min(len(metrics), 3))
        for text in legend.get_texts():
            # Names are no formulas, whatever dollar signs are in them.
            text.set_parse_math(False)
    return figure


def plot_reliability(metrics: Mapping[str, Mapping[str, Any]]) -> "Figure":
    """Draw how often relations of a score are right, as a reliability diagram: on the diagonal
    scores are probabilities, below it they promise too much. A point's area goes with the number of
    relations in its bin.

    metrics (Mapping[str, Mapping[str, Any]]): For each system, by its name, what `evaluate
        --calibration` wrote.
    RETURNS (Figure): The figure: a panel for predicted relations, and one for all candidate pairs
        and types where a system has them.
    RAISES (DocreError): If a system has no calibration, or if matplotlib is not installed.
    """
    for name, scores in metrics.items():
        if "calibration" not in scores:
            reason = "it has no calibration (`evaluate --calibration`)"
            raise DocreError(Errors.D089.format(path=name, reason=reason))
    panels = {"relations": "Predicted relations", "pairs": "Candidate pairs × types"}
    shown = [k for k in panels if any(k in scores["calibration"] for scores in metrics.values())]
    figure = new_figure(4.4 * len(shown), 4.6)
    all_axes = figure.subplots(1, len(shown), squeeze=False)[0]
    for key, axes in zip(shown, all_axes, strict=True):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
        for number, (system, scores) in enumerate(metrics.items()):
            found = scores["calibration"].get(key)
            if found is None or not found["bins"]:
                continue
            x, y, counts = ([b[k] for b in found["bins"]] for k in ("score", "correct", "count"))
            colour = BASE[number % len(BASE)]
            label = f"{visible(system)} (ECE {100 * found['ece']:.2f} %)"
            axes.plot(x, y, color=colour, linewidth=1.5, label=label)
            areas = [8 + 120 * c / max(counts) for c in counts]
            axes.scatter(x, y, areas, color=colour, alpha=0.8, clip_on=False, zorder=3)
        axes.set_title(panels[key], fontsize=11)
        axes.set(
            xlim=(0, 1),
            ylim=(0, 1),
            aspect="equal",
            xlabel="Mean score",
            ylabel="Share of right ones",
        )
        for text in axes.legend(loc="upper left", fontsize=8).get_texts():
            text.set_parse_math(False)
    return figure


def _bars(
    scores: Mapping[str, Any], subsets: list[str]
) -> tuple[list[float], list[list[float]] | None]:
    own = scores["rel_subsets"]
    values = [100 * scores[name] for name in OVERALL]
    values += [100 * own.get(name, {}).get("f", 0.0) for name in subsets]
    intervals = scores.get("intervals")
    if not intervals:
        return values, None
    ends = [intervals[name] for name in OVERALL]
    ends += [intervals["rel_subsets"].get(name, [0.0, 0.0]) for name in subsets]
    # A percentile interval need not hold the value itself.
    below = [max(0.0, v - 100 * low) for v, (low, _) in zip(values, ends, strict=True)]
    above = [max(0.0, 100 * high - v) for v, (_, high) in zip(values, ends, strict=True)]
    return values, [below, above]


def new_figure(width: float, height: float) -> "Figure":
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise DocreError(
            Errors.D021.format(package="matplotlib", purpose="charts", extra="visual")
        ) from None
    figure = Figure(figsize=(width, height), dpi=150)
    figure.set_layout_engine("constrained")
    return figure
