"""`find-threshold`: the decision threshold with the best F1 on development data."""

from pathlib import Path

import numpy as np
import spacy
import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.training import Example
from wasabi import msg

from ..decoding import PairScores
from ..evaluation import annotate_examples, find_extractor, read_examples
from ..scoring import score_relations
from .app import app
from .messages import GPU_ID, percent, readable_errors


@app.command("find-threshold")
def find_threshold_command(
    model_path: Path = typer.Argument(help="The pipeline.", exists=True, file_okay=False),
    data_path: Path = typer.Argument(help="Development data (.spacy), never test.", exists=True),
    n_trials: int = typer.Option(19, "--n-trials", help="How many thresholds between 0 and 1."),
    write: bool = typer.Option(False, "--write", help="Save the best threshold in the pipeline."),
    gpu_id: int = GPU_ID,
) -> None:
    """Find the threshold of the relation extractor that gives the best F1."""
    setup_gpu(gpu_id, silent=False)
    with readable_errors():
        nlp = spacy.load(model_path)
        scored = list(annotate_examples(nlp, read_examples(nlp, data_path)))
        trials = np.linspace(0, 1, n_trials + 2)[1:-1].round(4).tolist()
        results = {threshold: f1_at(nlp, scored, threshold) for threshold in trials}
    best = max(results, key=results.__getitem__)
    rows = [(threshold, percent(f1)) for threshold, f1 in results.items()]
    msg.table(rows, header=("Threshold", "F1"), aligns=("r", "r"))
    msg.good(f"Best threshold: {best} with F1 {percent(results[best])}")
    if write:
        name, extractor = find_extractor(nlp)
        extractor.cfg["threshold"] = best
        nlp.config["components"][name]["threshold"] = best
        nlp.to_disk(model_path)
        msg.good(f"Saved in {model_path}")


def f1_at(nlp: Language, scored: list[tuple[Example, PairScores]], threshold: float) -> float:
    """The micro F1 of scored documents at a threshold.

    nlp (Language): The pipeline that scored them.
    scored (list[tuple[Example, PairScores]]): What `annotate_examples` gave.
    threshold (float): The threshold.
    RETURNS (float): F1, in 0..1.
    """
    _, extractor = find_extractor(nlp)
    former = extractor.cfg["threshold"]
    extractor.cfg["threshold"] = threshold
    extractor.set_annotations([eg.predicted for eg, _ in scored], [scores for _, scores in scored])
    extractor.cfg["threshold"] = former
    settings = {name: extractor.cfg[name] for name in ("prefix", "attr")}
    return score_relations([eg for eg, _ in scored], **settings)["rel_f"]
