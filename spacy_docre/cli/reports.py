"""What `evaluate` prints."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..scoring.metrics import metric_titles
from ..scoring.subsets import SUBSET_TITLES
from .messages import decimal, msg, percent

CALIBRATION_TITLES = {"pairs": "All candidate pairs and types", "relations": "Predicted relations"}


def print_evaluation(scores: Mapping[str, Any]) -> None:
    """Print the metrics of relations, by type, by subset, and the calibration of the scores, as far
    as there are any.

    scores (Mapping[str, Any]): What `score_relations` gave; under "intervals" the confidence
        intervals, under "calibration" the reliability of "pairs" and "relations".
    """
    intervals = scores.get("intervals", {})
    rows = [
        (title, percent(scores[key]), interval(intervals.get(key)))
        for key, title in metric_titles().items()
        if key in scores
    ]
    sources = scores.get("rel_ign_per_source") or {}
    if len(sources) > 1:
        by_source = intervals.get("rel_ign_per_source", {})
        rows += [
            (f"Ign F1, {source}", percent(value), interval(by_source.get(source)))
            for source, value in sources.items()
        ]
    _table("Relations", rows, has_intervals=bool(intervals))
    _print_types(scores["rel_per_type"] or {})
    if scores.get("rel_subsets"):
        _print_subsets(scores["rel_subsets"], intervals.get("rel_subsets", {}))
    if "calibration" in scores:
        _print_calibration(scores["calibration"])


def print_difference(
    scores: Mapping[str, Any],
    other: Mapping[str, Any],
    form: str,
    *,
    title: str,
    rates: tuple[float, float] | None = None,
) -> None:
    """Print what another form of a pipeline, such as a lower precision, costs and gains.

    scores (Mapping[str, Any]): The metrics of the pipeline as it was loaded.
    other (Mapping[str, Any]): Those in the other form.
    form (str): The other form.
    title (str): What the table is called.
    rates (Optional[tuple[float, float]]): Documents a second of both.
    """
    rows = [
        (name, percent(scores[key]), percent(other[key]), _points(other[key], scores[key]))
        for key, name in metric_titles().items()
        if key in scores and key in other
    ]
    if rates is not None:
        before, after = rates
        rows.append(("Docs/s", f"{before:.1f}", f"{after:.1f}", f"x {after / before:.2f}"))
    header = ("", "As loaded", form, "Difference")
    msg.table(rows, title=title, header=header, aligns=("l", "r", "r", "r"))


def _points(value: float | None, base: float | None) -> str:
    return "-" if value is None or base is None else f"{100 * (value - base):+.2f}"


def interval(ends: list[float] | None) -> str:
    """A confidence interval as people read it, in percent."""
    return "" if ends is None else "–".join(percent(end) for end in ends)


def _table(
    title: str,
    rows: Sequence[tuple[str, ...]],
    *,
    header: tuple[str, ...] = (),
    has_intervals: bool,
) -> None:
    width = len(rows[0])
    columns = (*header, "95 % interval") if header else ("", *[""] * (width - 2), "95 % interval")
    if not has_intervals:
        rows, columns = [row[:-1] for row in rows], header
    aligns = ("l", *"r" * (width - (1 if has_intervals else 2)))
    msg.table(rows, title=title, header=columns or None, aligns=aligns)


def _print_types(per_type: Mapping[str, Mapping[str, float]]) -> None:
    rows = [(label, *(percent(values[k]) for k in "prf")) for label, values in per_type.items()]
    header = ("", "P", "R", "F")
    msg.table(rows, title="By type", header=header, aligns=("l", "r", "r", "r"))


def _print_subsets(
    subsets: Mapping[str, Mapping[str, float]], intervals: Mapping[str, list[float]]
) -> None:
    rows = [
        (
            SUBSET_TITLES[name],
            str(values["gold"]),
            str(values["predicted"]),
            *(percent(values[k]) for k in "prf"),
            interval(intervals.get(name)),
        )
        for name, values in subsets.items()
    ]
    header = ("", "Gold", "Predicted", "P", "R", "F")
    _table("By subset", rows, header=header, has_intervals=bool(intervals))


def _print_calibration(calibration: Mapping[str, Any]) -> None:
    rows = [
        (title, str(found["count"]), percent(found["ece"]), decimal(found["brier"]))
        for key, title in CALIBRATION_TITLES.items()
        if (found := calibration.get(key)) is not None
    ]
    header = ("", "Number", "ECE", "Brier")
    msg.table(rows, title="Calibration", header=header, aligns=("l", "r", "r", "r"))
