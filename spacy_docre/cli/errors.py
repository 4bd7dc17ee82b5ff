"""`errors`: what a pipeline gets wrong on an annotated corpus."""

from pathlib import Path

import spacy
import srsly
import typer
from spacy.cli._util import setup_gpu

from ..data.keys import DocKeys
from ..evaluation.mistakes import KINDS, Counts, ErrorAnalysis, Mistake, analyse_errors
from ..evaluation.predictions import is_predictions
from ..evaluation.run import annotate_examples, read_examples
from ..extractor.pipeline import find_extractor
from ..files import replacing
from ..visual.mistakes import mistakes_page
from .app import new_app
from .evaluate import REL_INFO, read_saved
from .messages import GPU_ID, msg, percent
from .pipelines import load_pipeline

app = new_app()

SHOWN_TYPES = 20


@app.command()
def errors_command(
    model: str = typer.Argument(
        help="The pipeline: a path or the name of a package; or what `predict` wrote."
    ),
    data_path: Path = typer.Argument(help="The annotated corpus (.spacy).", exists=True),
    output: Path | None = typer.Option(
        None, "--output", "-o", help="Write the mistakes here, one a line (JSON Lines)."
    ),
    html: Path | None = typer.Option(None, "--html", help="Write a page to look at."),
    limit: int = typer.Option(10, "--limit", "-n", min=0, help="Mistakes of each kind to print."),
    predicted_clusters: bool = typer.Option(
        False, "--predicted-clusters", help="Run the whole pipeline instead of using gold clusters."
    ),
    rel_info: Path | None = REL_INFO,
    gpu_id: int = GPU_ID,
) -> None:
    """Show what a pipeline gets wrong: gold beside predicted, the most confident mistakes first."""
    analysis = find_errors(model, data_path, rel_info, predicted_clusters, gpu_id)
    _print(analysis, limit)
    if output:
        with replacing(output) as draft:
            srsly.write_jsonl(draft, (mistake.to_dict() for mistake in analysis.mistakes))
        msg.good(f"{len(analysis.mistakes)} mistakes: {output}")
    if html:
        write_page(analysis, f"{Path(model).name or model} · {data_path.name}", html)


def find_errors(
    model: str, data_path: Path, rel_info: Path | None, predicted_clusters: bool, gpu_id: int
) -> ErrorAnalysis:
    """Run a pipeline over a corpus, or read its predictions, and find the mistakes.

    model (str): The pipeline or the file of its predictions.
    data_path (Path): The annotated corpus.
    rel_info (Optional[Path]): The names of relations, for predictions in DocRED's format.
    predicted_clusters (bool): Whether to run the whole pipeline instead of using gold clusters.
    gpu_id (int): The number of the GPU, or -1.
    RETURNS (ErrorAnalysis): The mistakes.
    """
    if is_predictions(model):
        if predicted_clusters:
            raise typer.BadParameter(f"{model} holds predictions: --predicted-clusters has no use")
        return analyse_errors(read_saved(model, data_path, rel_info, spacy.blank("xx").vocab))
    setup_gpu(gpu_id, silent=False)
    nlp = load_pipeline(model)
    keys = DocKeys.of(find_extractor(nlp)[1].cfg)
    examples = read_examples(nlp, data_path)
    scored = annotate_examples(nlp, examples, gold_clusters=not predicted_clusters)
    return analyse_errors([eg for eg, _ in scored], **keys)


def write_page(analysis: ErrorAnalysis, title: str, path: Path) -> None:
    """Write the page of mistakes.

    analysis (ErrorAnalysis): The mistakes.
    title (str): The page's title.
    path (Path): The page.
    """
    with replacing(path) as draft:
        draft.write_text(mistakes_page(analysis, title), encoding="utf8")
    msg.good(f"{len(analysis.mistakes)} mistakes: {path}")


def _print(analysis: ErrorAnalysis, limit: int) -> None:
    for title, rows in (
        ("By type", dict(list(analysis.by_type.items())[:SHOWN_TYPES])),
        ("By distance and number of mentions", analysis.by_distance | analysis.by_mentions),
    ):
        msg.divider(title)
        table = [(name, *_numbers(counts)) for name, counts in rows.items()]
        table.append(("All", *_numbers(analysis.total)))
        header = ("", "Gold", "Predicted", "F1", *(kind.capitalize() for kind in KINDS))
        msg.table(table, header=header, aligns=("l", *"r" * 7))
    for kind, title in KINDS.items():
        found = [mistake for mistake in analysis.mistakes if mistake.kind == kind]
        msg.divider(f"{title}: {len(found)}")
        for mistake in found[:limit]:
            msg.text(_line(mistake))


def _numbers(counts: Counts) -> tuple[str, ...]:
    numbers = (counts.gold, counts.predicted)
    return (*map(str, numbers), percent(counts.f1), *map(str, counts.mistakes.values()))


def _line(mistake: Mistake) -> str:
    head, tail = mistake.head.name, mistake.tail.name
    where = mistake.title or f"document {mistake.document + 1}"
    if mistake.kind == "missed":
        return f"      {head} —{mistake.gold}→ {tail}  [{where}]"
    text = f"{mistake.score:.2f}  {head} —{mistake.predicted}→ {tail}"
    if mistake.kind == "type":
        text += f", but {mistake.gold}"
    elif mistake.kind == "direction":
        text += f", but from {tail} to {head}"
    return f"{text}  [{where}]"
