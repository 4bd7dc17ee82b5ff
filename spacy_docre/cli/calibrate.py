"""`calibrate`: make probabilities of a pipeline's scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import typer
from spacy.cli._util import setup_gpu

from ..evaluation.calibration import Reliability, fit_calibration
from ..evaluation.run import annotate_examples, read_examples
from ..extractor.calibration import Calibration, with_calibration, without_calibration
from ..extractor.decoding import select, threshold_of_labels
from ..extractor.pipeline import find_extractor
from ..extractor.thresholds import Outcomes, pair_outcomes
from .app import new_app
from .find_threshold import DATA, MODEL, save_settings, warn_of_test_data
from .messages import GPU_ID, decimal, msg, percent
from .pipelines import load_pipeline

app = new_app()


@app.command()
def calibrate_command(
    model_path: Path = MODEL,
    data_path: Path = DATA,
    bias: bool = typer.Option(
        True, "--bias/--no-bias", help="Fit a bias beside the temperature, as Platt did."
    ),
    write: bool = typer.Option(False, "--write", help="Save the calibration in the pipeline."),
    gpu_id: int = GPU_ID,
) -> None:
    """Fit the calibration that makes probabilities of scores. The relations stay the same: the
    thresholds are mapped along."""
    setup_gpu(gpu_id, silent=False)
    warn_of_test_data(data_path)
    nlp = load_pipeline(model_path)
    _, extractor = find_extractor(nlp)
    extractor.cfg |= without_calibration(extractor.cfg)
    settings = {name: extractor.cfg[name] for name in ("prefix", "attr")}
    scored = list(annotate_examples(nlp, read_examples(nlp, data_path)))
    outcomes = list(pair_outcomes(scored, extractor.labels, **settings))
    calibration = fit(outcomes, bias)
    halves = outcomes[0::2], outcomes[1::2]
    parts = {"As the model gives them": [(outcomes, Calibration())]}
    if all(halves):
        parts["Calibrated, held out"] = [
            (halves[0], fit(halves[1], bias)),
            (halves[1], fit(halves[0], bias)),
        ]
    parts["Calibrated"] = [(outcomes, calibration)]
    rows = [(title, *_errors(extractor.cfg, part)) for title, part in parts.items()]
    header = ("Scores", "ECE", "Brier", "ECE, predicted", "Brier, predicted")
    msg.table(rows, header=header, aligns=("l", "r", "r", "r", "r"))
    calibrated = with_calibration(extractor.cfg, calibration)
    msg.good(
        f"Temperature {calibration.temperature:.4f}, bias {calibration.bias:.4f}, threshold "
        f"{calibrated['threshold']:.4f}"
    )
    if write:
        save_settings(nlp, model_path, **calibrated)


def fit(outcomes: Sequence[Outcomes], bias: bool) -> Calibration:
    """Fit a calibration to the pairs of documents; see `fit_calibration`."""
    scores, correct = (
        np.concatenate([a.ravel() for a in part]) for part in zip(*outcomes, strict=True)
    )
    return fit_calibration(scores, correct, bias=bias)


def _errors(
    cfg: Mapping[str, Any], parts: Sequence[tuple[Sequence[Outcomes], Calibration]]
) -> list[str]:
    pairs, relations = Reliability(), Reliability()
    labels, max_labels = cfg["labels"], cfg["max_labels"]
    threshold = threshold_of_labels(cfg["threshold"], cfg["thresholds"], labels, name="")
    for outcomes, calibration in parts:
        for scores, correct in outcomes:
            calibrated = calibration.apply(scores)
            pairs.add(calibrated, correct)
            chosen = select(scores, threshold=threshold, max_labels=max_labels)
            relations.add(calibrated[chosen], correct[chosen])
    found = [reliability.to_dict() for reliability in (pairs, relations)]
    return [text for f in found for text in (percent(f["ece"]), decimal(f["brier"]))]
