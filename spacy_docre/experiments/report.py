"""What an experiment shows: a table beside the papers' figures, bars by subset, curves."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..benchmark.tables import figures_table
from ..scoring.judgement import Judgement
from ..scoring.significance import compare
from ..visual.charts import new_figure
from ..visual.colours import BASE
from .figures import TITLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METRICS = {
    "rel_ign_f": "Ign F1",
    "rel_f": "F1",
    "rel_intra_f": "Intra F1",
    "rel_inter_f": "Inter F1",
    "rel_pair_f": "Rela",
    "rel_macro_f": "Macro F1",
}
# The metrics that the papers' tables have.
PUBLISHED = ("rel_ign_f", "rel_f", "rel_pair_f")

Records = Mapping[str, Sequence[Mapping[str, Any]]]


def pool(judgements: Sequence[Judgement]) -> Judgement:
    """The relations of several runs of a method as those of one, for which each document's are
    counted together: the unit that is resampled stays the document.

    judgements (Sequence[Judgement]): The runs, on the same documents.
    RETURNS (Judgement): The relations of all.
    """
    labels = sorted({label for judgement in judgements for label in judgement.labels})
    parts = [judgement.with_labels(labels) for judgement in judgements]
    first_pairs = np.cumsum([0, *(part.pair.max(initial=-1) + 1 for part in parts)])
    arrays: dict[str, Any] = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(Judgement)
        if isinstance(getattr(parts[0], field.name), np.ndarray)
    }
    arrays["pair"] += np.repeat(first_pairs[:-1], [len(part.pair) for part in parts])
    return replace(parts[0], **arrays)


def p_values(
    pooled: Mapping[str, Judgement], baseline: str, *, n: int = 10_000, seed: int = 0
) -> dict[str, float]:
    """How probable a difference in F1 as large as that from the baseline is, in either direction,
    if a method does not differ from it; see `resampling.compare`.

    pooled (Mapping[str, Judgement]): The relations by method, with as many seeds for each.
    baseline (str): The method that the others are compared with.
    n (int): How many random exchanges.
    seed (int): Of the random numbers.
    RETURNS (dict[str, float]): p for each other method.
    """
    return {
        method: compare(judgement, pooled[baseline], n=n, seed=seed)["rel_f"].p
        for method, judgement in pooled.items()
        if method != baseline
    }


def to_markdown(
    records: Records,
    p: Mapping[str, float],
    *,
    baseline: str | None,
    published: Mapping[str, Mapping[str, float]],
) -> str:
    """The table of an experiment: the mean of a method's runs and their standard deviation, in
    percent, the best mean of each metric bold.

    records (Mapping[str, Sequence[Mapping[str, Any]]]): The records of each method's runs.
    p (Mapping[str, float]): What `p_values` gave.
    baseline (Optional[str]): The method that they compare with.
    published (Mapping[str, Mapping[str, float]]): The papers' figures by method and metric, in
        percent.
    RETURNS (str): Markdown.
    """
    shown = [key for key in METRICS if any(_values(runs, key) for runs in records.values())]
    papers = [key for key in PUBLISHED if any(key in published.get(m, {}) for m in records)]
    figures_shown = [
        key
        for key in TITLES
        if any(key in run.get("figures", {}) for runs in records.values() for run in runs)
    ]
    has_folds = any("fold" in run for runs in records.values() for run in runs)
    header = ["Method", "Runs" if has_folds else "Seeds", *(METRICS[key] for key in shown)]
    header += [TITLES[key] for key in figures_shown]
    header += [f"p, against {baseline}"] if p else []
    header += ["Hours", "Peak memory (MiB)", *(f"{METRICS[key]}, paper" for key in papers)]
    best = {key: max(mean_of(runs, key) or -1.0 for runs in records.values()) for key in shown}
    rows = []
    for method, runs in records.items():
        row = [f"`{method}`", str(len(runs))]
        row += [_cell(runs, key, best[key]) for key in shown]
        row += [_figure(runs, key) for key in figures_shown]
        row += [f"{p[method]:.4f}" if method in p else ""] if p else []
        memory = [run["peak_memory"] for run in runs if run["peak_memory"]]
        row.append(f"{statistics.mean(run['seconds'] for run in runs) / 3600:.2f}")
        row.append(f"{max(memory) / 2**20:,.0f}" if memory else "")
        figures = published.get(method, {})
        row += [f"{figures[key]:.2f}" if key in figures else "" for key in papers]
        rows.append(row)
    return figures_table(header, rows) + "\n"


def plot_curves(records: Records) -> "Figure":
    """Draw the score on the development corpus over the evaluations of training, a line a run.

    records (Mapping[str, Sequence[Mapping[str, Any]]]): The records of each method's runs.
    RETURNS (Figure): The figure.
    RAISES (DocreError): If matplotlib is not installed.
    """
    figure = new_figure(7.0, 4.2)
    axes = figure.add_subplot()
    for number, (method, runs) in enumerate(records.items()):
        for run in runs:
            # One name for the lines of all seeds.
            label = method if run is runs[0] else None
            steps = np.linspace(0, run["steps"], len(run["curve"]))
            scores = [100 * score for score in run["curve"]]
            axes.plot(steps, scores, color=BASE[number % len(BASE)], label=label, linewidth=1.4)
    axes.set(xlabel="Steps", ylabel="Score on the development corpus, %")
    axes.spines[["top", "right"]].set_visible(False)
    for text in figure.legend(loc="outside right upper").get_texts():
        text.set_parse_math(False)
    return figure


def _values(runs: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    return [100 * run["scores"][key] for run in runs if run["scores"].get(key) is not None]


def mean_of(runs: Sequence[Mapping[str, Any]], key: str) -> float | None:
    """The mean of a metric over runs.

    runs (Sequence[Mapping[str, Any]]): The records.
    key (str): The metric.
    RETURNS (Optional[float]): In percent with two digits; None if no run has it.
    """
    values = _values(runs, key)
    return round(statistics.mean(values), 2) if values else None


def _figure(runs: Sequence[Mapping[str, Any]], key: str) -> str:
    values = [run["figures"][key] for run in runs if key in run.get("figures", {})]
    return f"{statistics.mean(values):.3g}" if values else ""


def _cell(runs: Sequence[Mapping[str, Any]], key: str, best: float) -> str:
    values = _values(runs, key)
    if not values:
        return ""
    mean = round(statistics.mean(values), 2)
    text = f"**{mean:.2f}**" if mean == best else f"{mean:.2f}"
    return f"{text} ± {statistics.stdev(values):.2f}" if len(values) > 1 else text
