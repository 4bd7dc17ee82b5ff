"""`evaluate`: the metrics of a pipeline, or of its saved predictions, on an annotated corpus."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import spacy
import srsly
import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.training import Example
from spacy.vocab import Vocab

from ..corpora.docred import read_relation_names
from ..corpora.readers import read_docs
from ..data.keys import DocKeys
from ..errors import Warnings, enumerate_words
from ..evaluation.calibration import Reliability
from ..evaluation.end_to_end import lost_by_step, score_stages
from ..evaluation.evaluate import TrainingData, read_training_data
from ..evaluation.predictions import is_predictions, read_predictions
from ..evaluation.run import annotate_examples, read_examples
from ..extractor.constraints import switch_settings
from ..extractor.limits import count_left_out
from ..extractor.pipeline import find_extractor
from ..extractor.thresholds import pair_outcomes
from ..files import replacing
from ..models.precision import set_precision
from ..scoring.clusters import has_names_only
from ..scoring.confusions import confused_types
from ..scoring.judgement import Judgement, judge_relations
from ..scoring.scorer import score_judgement
from ..scoring.significance import LEVEL, bootstrap_intervals
from .app import new_app
from .messages import GPU_ID, msg
from .pipelines import CONSTRAINTS_OPTION, load_pipeline, read_constraints
from .reports import print_difference, print_evaluation
from .stages import print_stages

app = new_app()

TRAIN_FACTS = typer.Option(
    None,
    "--train-facts",
    help="The training corpus (.spacy), for Ign F1; can be repeated (annotated, distant).",
    exists=True,
)
REL_INFO = typer.Option(
    None,
    "--rel-info",
    "-r",
    help="For predictions in DocRED's format: the rel_info.json that the corpus was converted "
    "with.",
    exists=True,
)
SEED = typer.Option(0, "--seed", help="Of the random samples.")


@app.command()
def evaluate_command(
    model: str = typer.Argument(
        help="The pipeline: a path or the name of a package; or what `predict` wrote."
    ),
    data_path: Path = typer.Argument(help="The annotated corpus (.spacy).", exists=True),
    output: Path | None = typer.Option(None, "--output", "-o", help="Write the metrics here."),
    train_facts: list[Path] | None = TRAIN_FACTS,
    subsets: bool = typer.Option(
        False,
        "--subsets",
        help="Score by numbers of mentions and distance, and with --train-facts by frequency, and "
        "tell which types are confused.",
    ),
    bootstrap: int = typer.Option(
        0, "--bootstrap", min=0, help="95 % confidence intervals by so many samples, say 1000."
    ),
    calibration: bool = typer.Option(
        False, "--calibration", help="Tell whether the scores are probabilities."
    ),
    predicted_clusters: bool = typer.Option(
        False, "--predicted-clusters", help="Run the whole pipeline instead of using gold clusters."
    ),
    end_to_end: bool = typer.Option(
        False,
        "--end-to-end",
        help="Score with gold clusters, gold mentions and raw text, and mentions and clusters too.",
    ),
    constraints: str | None = CONSTRAINTS_OPTION,
    rel_info: Path | None = REL_INFO,
    seed: int = SEED,
    precision: str | None = typer.Option(
        None,
        "--precision",
        help="Evaluate in this precision too, and print what it costs: bf16 or fp16 on a GPU, bf16 "
        "on a CPU.",
    ),
    gpu_id: int = GPU_ID,
) -> None:
    """Evaluate a pipeline's relations on an annotated corpus."""
    switched_on = None if constraints is None else read_constraints(constraints)
    is_saved = is_predictions(model)
    if end_to_end and predicted_clusters:
        raise typer.BadParameter("--end-to-end includes --predicted-clusters; give one of them")
    if end_to_end and (subsets or calibration or precision):
        raise typer.BadParameter("--end-to-end goes with no --subsets, --calibration, --precision")
    if is_saved and (end_to_end or predicted_clusters or constraints or precision):
        raise typer.BadParameter(
            f"{model} holds predictions, which --end-to-end, --predicted-clusters, --constraints "
            "and --precision cannot change; give a pipeline"
        )
    setup_gpu(gpu_id, silent=False)
    nlp = spacy.blank("xx") if is_saved else _load(model, switched_on)
    keys = _keys(nlp)
    training = read_training_data(train_facts or [], nlp.vocab, subsets, keys)
    scores: dict[str, Any]
    if end_to_end:
        scores = _score_stages(nlp, data_path, training, bootstrap, seed)
    else:
        reliability = Reliability() if calibration and not is_saved else None
        left_out: dict[str, int] = {}
        start = time.perf_counter()
        if is_saved:
            examples = read_saved(model, data_path, rel_info, nlp.vocab)
        else:
            examples = _annotate(nlp, data_path, not predicted_clusters, reliability)
            left_out = _warn_of_left_out(nlp, examples)
        seconds = time.perf_counter() - start
        judgement = judge_relations(examples, train_facts=training.facts, **keys)
        scores = score_judgement(judgement, train_counts=training.counts, subsets=subsets)
        if left_out:
            scores["left_out"] = left_out
        if subsets:
            scores["confused_types"] = confused_types(judgement)
        if bootstrap:
            scores["intervals"] = bootstrap_intervals(
                judgement,
                n=bootstrap,
                seed=seed,
                train_counts=training.counts,
                subsets=subsets,
            )
        if calibration:
            scores["calibration"] = _calibration(judgement, reliability)
        print_evaluation(scores)
        if precision:
            _set_precision(nlp, precision, gpu_id)
            start = time.perf_counter()
            examples = _annotate(nlp, data_path, not predicted_clusters, None)
            rates = len(examples) / seconds, len(examples) / (time.perf_counter() - start)
            judgement = judge_relations(examples, train_facts=training.facts, **keys)
            other = score_judgement(judgement)
            title = f"Relations in {precision}"
            print_difference(scores, other, precision, title=title, rates=rates)
            scores[precision] = other
    if bootstrap:
        scores["bootstrap"] = {"samples": bootstrap, "seed": seed, "level": LEVEL}
    if output:
        with replacing(output) as draft:
            srsly.write_json(draft, scores)
        msg.good(f"Metrics: {output}")


def read_saved(
    predictions: str | Path, data_path: Path, rel_info: Path | None, vocab: Vocab
) -> list[Example]:
    """Read saved predictions beside their corpus.

    predictions (Union[str, Path]): What `predict` wrote.
    data_path (Path): The corpus.
    rel_info (Optional[Path]): The names of relations.
    vocab (Vocab): A vocabulary.
    RETURNS (list[Example]): The predicted documents beside the references.
    RAISES (DocreError): If one does not go with the other.
    """
    names = read_relation_names(rel_info) if rel_info else None
    references = list(read_docs(data_path, vocab))
    return read_predictions(predictions, references, relation_names=names)


def _load(model: str, switched_on: list[str] | None) -> Language:
    nlp = load_pipeline(model)
    _, extractor = find_extractor(nlp)
    if switched_on is not None:
        extractor.cfg["constraints"] = switch_settings(extractor.cfg["constraints"], switched_on)
    return nlp


def _set_precision(nlp: Language, precision: str, gpu_id: int) -> None:
    _, extractor = find_extractor(nlp)
    side = "cpu" if gpu_id < 0 else "gpu"
    set_precision(extractor.model, **{"gpu": "fp32", "cpu": "fp32", side: precision})


def _keys(nlp: Language) -> DocKeys:
    return DocKeys.of(find_extractor(nlp)[1].cfg) if nlp.pipe_names else DocKeys()


def _annotate(
    nlp: Language, data_path: Path, gold_clusters: bool, reliability: Reliability | None
) -> list[Example]:
    _, extractor = find_extractor(nlp)
    examples = []
    scored = annotate_examples(nlp, read_examples(nlp, data_path), gold_clusters=gold_clusters)
    for eg, pairs in scored:
        examples.append(eg)
        if reliability is not None:
            for outcome in pair_outcomes([(eg, pairs)], extractor.labels, **_keys(nlp)):
                reliability.add(*outcome)
    return examples


def _warn_of_left_out(nlp: Language, examples: Sequence[Example]) -> dict[str, int]:
    name, extractor = find_extractor(nlp)
    left_out = count_left_out((eg.predicted for eg in examples), attr=extractor.cfg["attr"])
    if left_out:
        sizes = [f"{n:,} {what}" for what, n in left_out.items() if n and what != "docs"]
        msg.warn(
            Warnings.DW51.format(
                n_docs=left_out["docs"],
                n_all=len(examples),
                name=name,
                left_out=enumerate_words(sizes),
            )
        )
    return left_out


def _score_stages(
    nlp: Language, data_path: Path, training: TrainingData, bootstrap: int, seed: int
) -> dict[str, Any]:
    examples = read_examples(nlp, data_path)
    names_only = has_names_only((eg.reference for eg in examples), _keys(nlp).prefix)
    if names_only:
        msg.info(
            "The gold clusters hold names only: pronouns and descriptions that the "
            "pipeline finds do not count."
        )
    stages = score_stages(
        nlp,
        examples,
        names_only=names_only,
        train_facts=training.facts or None,
        bootstrap=bootstrap,
        seed=seed,
    )
    lost = lost_by_step(stages)
    print_stages(nlp, stages, lost)
    return {**stages, "lost": lost, "names_only": names_only}


def _calibration(judgement: Judgement, pairs: Reliability | None) -> dict[str, Any]:
    relations = Reliability()
    relations.add(judgement.score[judgement.predicted], judgement.gold[judgement.predicted])
    found = {"relations": relations.to_dict()}
    return found if pairs is None else {"pairs": pairs.to_dict(), **found}
