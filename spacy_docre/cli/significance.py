"""`significance`: whether two systems differ."""

from dataclasses import asdict
from pathlib import Path

import spacy
import srsly
import typer

from ..errors import DocreError, Errors
from ..evaluation.evaluate import read_training_data
from ..evaluation.predictions import SUFFIXES
from ..files import replacing
from ..scoring.judgement import judge_relations
from ..scoring.metrics import metric_titles
from ..scoring.significance import LEVEL, Comparison, compare
from ..scoring.subsets import SUBSET_TITLES
from .app import new_app
from .evaluate import REL_INFO, SEED, TRAIN_FACTS, read_saved
from .messages import msg, percent
from .reports import interval

app = new_app()

METRICS = ("rel_f", "rel_p", "rel_r", "rel_intra_f", "rel_inter_f", "rel_pair_f", "rel_macro_f")
PREDICTIONS = f"What `predict` wrote ({', '.join(SUFFIXES)})"


@app.command()
def significance_command(
    first: Path = typer.Argument(help=f"{PREDICTIONS}.", exists=True, dir_okay=False),
    second: Path = typer.Argument(
        help=f"{PREDICTIONS} with another pipeline.", exists=True, dir_okay=False
    ),
    data_path: Path = typer.Argument(help="The annotated corpus (.spacy).", exists=True),
    output: Path | None = typer.Option(None, "--output", "-o", help="Write the comparison here."),
    train_facts: list[Path] | None = TRAIN_FACTS,
    subsets: bool = typer.Option(False, "--subsets", help="Compare subsets, too."),
    samples: int = typer.Option(10000, "--samples", "-n", min=1, help="How many random samples."),
    rel_info: Path | None = REL_INFO,
    seed: int = SEED,
) -> None:
    """Compare two systems' predictions for the same corpus: paired bootstrap and approximate
    randomisation over documents."""
    vocab = spacy.blank("xx").vocab
    training = read_training_data(train_facts or [], vocab, subsets)
    judgements = [
        judge_relations(read_saved(path, data_path, rel_info, vocab), train_facts=training.facts)
        for path in (first, second)
    ]
    if not judgements[0].n_docs:
        raise DocreError(Errors.D088.format(path=first, reason=f"{data_path} has no relations"))
    compared = compare(
        *judgements, n=samples, seed=seed, train_counts=training.counts, subsets=subsets
    )
    titles = {name: metric_titles()[name] for name in METRICS}
    titles |= {f"rel_ign {name}": f"Ign F1, {name}" for name in training.facts}
    titles |= SUBSET_TITLES
    rows = [_row(title, compared[name]) for name, title in titles.items() if name in compared]
    header = ("", "First", "Second", "Difference", "95 % interval", "p")
    msg.table(rows, header=header, aligns=("l", "r", "r", "r", "r", "r"))
    if output:
        result = {
            "samples": samples,
            "seed": seed,
            "level": LEVEL,
            "metrics": {
                name: {**asdict(c), "difference": c.difference} for name, c in compared.items()
            },
        }
        with replacing(output) as draft:
            srsly.write_json(draft, result)
        msg.good(f"Comparison: {output}")


def _row(title: str, comparison: Comparison) -> tuple[str, ...]:
    return (
        title,
        percent(comparison.a),
        percent(comparison.b),
        f"{100 * comparison.difference:+.2f}",
        interval([comparison.low, comparison.high]),
        f"{comparison.p:.4f}",
    )
