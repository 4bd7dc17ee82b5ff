"""`find-threshold`: the decision thresholds with the best F1 on development data."""

import re
from pathlib import Path
from typing import Any

import srsly
import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language

from ..errors import Warnings
from ..evaluation.run import annotate_examples, read_examples
from ..extractor.constraints import switch_settings
from ..extractor.pipeline import change_settings, find_extractor
from ..extractor.thresholds import (
    Candidates,
    Thresholds,
    best_threshold,
    best_thresholds_by_label,
    collect_candidates,
    held_out_f1,
    threshold_of_precision,
)
from ..files import replace_files, replacing
from .app import new_app
from .messages import GPU_ID, msg, percent
from .pipelines import CONSTRAINTS_OPTION, load_pipeline, read_constraints

app = new_app()

MODEL = typer.Argument(help="The pipeline.", exists=True, file_okay=False)
DATA = typer.Argument(help="Development data (.spacy), never test.", exists=True)


@app.command()
def find_threshold_command(
    model_path: Path = MODEL,
    data_path: Path = DATA,
    per_label: bool = typer.Option(
        False, "--per-label", help="Give frequent relation types thresholds of their own."
    ),
    min_gold: int = typer.Option(
        50,
        "--min-gold",
        min=1,
        help="How many gold relations a type must have for a threshold of its own.",
    ),
    precision: float | None = typer.Option(
        None,
        "--precision",
        min=0.01,
        max=1.0,
        help="Find the threshold of the most relations at this precision, too; it is not saved.",
    ),
    constraints: str | None = CONSTRAINTS_OPTION,
    write: bool = typer.Option(
        False,
        "--write",
        help="Save the constraints in the pipeline, and the best threshold, if it beats the "
        "old one on documents that it was not fitted to.",
    ),
    output: Path | None = typer.Option(
        None, "--output", "-o", help="Write the thresholds and what they lead to here."
    ),
    gpu_id: int = GPU_ID,
) -> None:
    """Find the threshold of the relation extractor that gives the best F1."""
    switched_on = None if constraints is None else read_constraints(constraints)
    setup_gpu(gpu_id, silent=False)
    warn_of_test_data(data_path)
    nlp = load_pipeline(model_path)
    _, extractor = find_extractor(nlp)
    changed: dict[str, Any] = {}
    if switched_on is not None:
        changed["constraints"] = switch_settings(extractor.cfg["constraints"], switched_on)
        extractor.configure(**changed)
    cfg = extractor.cfg
    candidates = collect_candidates(
        list(annotate_examples(nlp, read_examples(nlp, data_path))),
        extractor.labels,
        **{name: cfg[name] for name in ("max_labels", "prefix", "attr")},
    )
    columns = {label: i for i, label in enumerate(extractor.labels)}
    own = {columns[label]: value for label, value in cfg["thresholds"].items()}
    found = best = best_threshold(candidates)
    as_it_is = candidates.f1(Thresholds(cfg["threshold"], own))
    rows = [
        # It was not fitted to these documents here, so all of them are held out.
        ("As it is", as_it_is, as_it_is),
        ("One for all", candidates.f1(best), held_out_f1(candidates, best_threshold)),
    ]
    if per_label:

        def fit(part: Candidates) -> Thresholds:
            return best_thresholds_by_label(part, min_gold)

        found = fit(candidates)
        rows.append(("Per label", candidates.f1(found), held_out_f1(candidates, fit)))
    table = [(title, percent(f1), percent(held_out)) for title, f1, held_out in rows]
    msg.table(table, header=("Thresholds", "F1", "F1, held out"), aligns=("l", "r", "r"))
    thresholds = {extractor.labels[i]: value for i, value in sorted(found.own.items())}
    if thresholds:
        msg.table(thresholds.items(), header=("Type", "Threshold"), aligns=("l", "r"))
    msg.good(f"Best threshold: {found.common} with F1 {percent(candidates.f1(found))}")
    chosen = {"best": describe(candidates, found)}
    if precision is not None:
        sure = threshold_of_precision(candidates, precision)
        if sure is None:
            msg.warn(Warnings.DW36.format(precision=percent(precision)))
        else:
            chosen["precision"] = describe(candidates, sure)
            recall = percent(chosen["precision"]["r"])
            msg.good(f"Threshold of precision {percent(precision)}: {sure.common}, recall {recall}")
    if output:
        with replacing(output) as draft:
            srsly.write_json(draft, chosen)
        msg.good(f"Thresholds: {output}")
    before, held_out = rows[0][1], rows[-1][2]
    if write and held_out <= before:
        numbers = {"before": percent(before), "held_out": percent(held_out)}
        msg.warn(Warnings.DW33.format(path=model_path, **numbers))
        if changed:
            save_settings(nlp, model_path, **changed)
    elif write:
        if cfg["thresholds"] and not per_label:
            msg.warn(Warnings.DW32.format(n=len(cfg["thresholds"])))
        save_settings(nlp, model_path, threshold=found.common, thresholds=thresholds, **changed)


def describe(candidates: Candidates, thresholds: Thresholds) -> dict[str, float]:
    """What a threshold leads to.

    candidates (Candidates): The candidates of development data.
    thresholds (Thresholds): The threshold.
    RETURNS (dict[str, float]): The `threshold` of types without their own, and `p`, `r` and `f`.
    """
    correct, predicted, gold = candidates.counts(thresholds).tolist()
    return {
        "threshold": thresholds.common,
        "p": correct / predicted if predicted else 0.0,
        "r": correct / gold if gold else 0.0,
        "f": candidates.f1(thresholds),
    }


def warn_of_test_data(path: Path) -> None:
    """Warn of development data that are called test data."""
    if re.search(r"(?<![a-z])test(?![a-z])", path.name.lower()):
        msg.warn(Warnings.DW31.format(path=path))


def save_settings(nlp: Language, path: Path, **settings: Any) -> None:
    """Save a pipeline whose relation extractor has got other settings.

    nlp (Language): The pipeline.
    path (Path): Where to.
    **settings (Any): The settings.
    """
    change_settings(nlp, **settings)
    replace_files(path, nlp.to_disk)
    msg.good(f"Saved in {path}")
