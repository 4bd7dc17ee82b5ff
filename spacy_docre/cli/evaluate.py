"""`evaluate`: the metrics of a pipeline on an annotated corpus."""

import time
from pathlib import Path
from typing import Any

import spacy
import srsly
import typer
from spacy.cli._util import setup_gpu
from wasabi import msg

from ..cluster_scoring import has_names_only
from ..constraints import CONSTRAINTS, switch_settings
from ..corpora.validation import replacing
from ..end_to_end import lost_by_step, score_stages
from ..evaluation import annotate_examples, find_extractor, read_examples
from ..models.precision import set_precision
from ..scoring import METRIC_TITLES, collect_facts, score_relations
from .app import app
from .messages import GPU_ID, percent, readable_errors
from .stages import print_stages


@app.command("evaluate")
def evaluate_command(
    model: str = typer.Argument(help="The pipeline: a path or the name of a package."),
    data_path: Path = typer.Argument(help="The annotated corpus (.spacy).", exists=True),
    output: Path | None = typer.Option(None, "--output", "-o", help="Write the metrics here."),
    train_facts: Path | None = typer.Option(
        None, "--train-facts", help="The training corpus (.spacy), for Ign F1.", exists=True
    ),
    predicted_clusters: bool = typer.Option(
        False, "--predicted-clusters", help="Run the whole pipeline instead of using gold clusters."
    ),
    end_to_end: bool = typer.Option(
        False,
        "--end-to-end",
        help="Score with gold clusters, gold mentions and raw text, and mentions and clusters too.",
    ),
    constraints: str | None = typer.Option(
        None,
        "--constraints",
        "-c",
        help="The constraints to apply instead of the pipeline's own: any of types,symmetric,"
        "inverse with commas between (learned where the pipeline gives none), or none.",
    ),
    precision: str | None = typer.Option(
        None,
        "--precision",
        help="Evaluate in this precision too, and print what it costs: bf16 or fp16 on a GPU, bf16 "
        "or int8 on a CPU.",
    ),
    gpu_id: int = GPU_ID,
) -> None:
    """Evaluate a pipeline's relations on an annotated corpus."""
    switched_on = None if constraints is None else _read_constraints(constraints)
    setup_gpu(gpu_id, silent=False)
    if end_to_end and predicted_clusters:
        raise typer.BadParameter("--end-to-end includes --predicted-clusters; give one of them")
    if end_to_end and precision:
        raise typer.BadParameter("--precision compares relations alone: leave --end-to-end out")
    with readable_errors():
        nlp = spacy.load(model)
        _, extractor = find_extractor(nlp)
        if switched_on is not None:
            extractor.cfg["constraints"] = switch_settings(
                extractor.cfg["constraints"], switched_on
            )
        settings = {name: extractor.cfg[name] for name in ("prefix", "attr")}
        examples = read_examples(nlp, data_path)
        facts = None
        if train_facts:
            references = (eg.reference for eg in read_examples(nlp, train_facts))
            facts = collect_facts(references, **settings)
        scores: dict[str, Any]
        if end_to_end:
            names_only = has_names_only((eg.reference for eg in examples), settings["prefix"])
            if names_only:
                msg.info(
                    "The gold clusters hold names only: pronouns and descriptions that the "
                    "pipeline finds do not count."
                )
            stages = score_stages(nlp, examples, names_only=names_only, train_facts=facts)
            lost = lost_by_step(stages)
            print_stages(nlp, stages, lost)
            scores = {**stages, "lost": lost, "names_only": names_only}
        else:

            def score() -> tuple[dict[str, Any], float]:
                start = time.perf_counter()
                annotated = annotate_examples(nlp, examples, gold_clusters=not predicted_clusters)
                done = [eg for eg, _ in annotated]
                seconds = time.perf_counter() - start
                return score_relations(done, train_facts=facts, **settings), seconds

            scores, seconds = score()
            _print_scores(scores)
            if precision:
                side = "cpu" if gpu_id < 0 else "gpu"
                set_precision(extractor.model, **{"gpu": "fp32", "cpu": "fp32", side: precision})
                other, other_seconds = score()
                rates = (len(examples) / seconds, len(examples) / other_seconds)
                _print_difference(scores, other, rates, precision)
                scores = {**scores, precision: other}
    if output:
        with replacing(output) as draft:
            srsly.write_json(draft, scores)
        msg.good(f"Metrics: {output}")


def _read_constraints(text: str) -> list[str]:
    names = [] if text == "none" else text.split(",")
    for name in names:
        if name not in CONSTRAINTS:
            raise typer.BadParameter(f"'{name}' is none of {', '.join(CONSTRAINTS)} and 'none'")
    return names


def _print_difference(
    scores: dict[str, Any], other: dict[str, Any], rates: tuple[float, float], precision: str
) -> None:
    rows = [
        (name, percent(scores[key]), percent(other[key]), _points(other[key], scores[key]))
        for key, name in METRIC_TITLES.items()
        if key in scores
    ]
    before, after = rates
    rows.append(("Docs/s", f"{before:.1f}", f"{after:.1f}", f"x {after / before:.2f}"))
    header = ("", "As loaded", precision, "Difference")
    msg.table(rows, title=f"Relations in {precision}", header=header, aligns=("l", "r", "r", "r"))


def _points(value: float | None, base: float | None) -> str:
    return "-" if value is None or base is None else f"{100 * (value - base):+.2f}"


def _print_scores(scores: dict[str, Any]) -> None:
    rows = [(name, percent(scores[key])) for key, name in METRIC_TITLES.items() if key in scores]
    msg.table(rows, title="Relations", aligns=("l", "r"))
    per_type = scores["rel_per_type"] or {}
    rows_per_type = [
        (label, *(percent(values[name]) for name in ("p", "r", "f")))
        for label, values in per_type.items()
    ]
    msg.table(
        rows_per_type, title="By type", header=("", "P", "R", "F"), aligns=("l", "r", "r", "r")
    )
