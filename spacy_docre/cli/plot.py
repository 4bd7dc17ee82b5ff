"""`plot`: heat maps of what a pipeline's head looked at, and charts of what `evaluate` measured."""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.tokens import Doc

from ..errors import DocreError, Errors
from ..files import read_json, replacing
from ..visual.charts import plot_reliability, plot_subsets
from ..visual.heatmap import plot_key_mentions, plot_mention_attention
from .app import new_app
from .messages import GPU_ID, msg
from .view import CORPUS, annotated_corpus, load_pipeline, read_texts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

app = new_app(
    help="Draw what a head looked at, as a heat map, or what `evaluate` measured, as a chart.",
    no_args_is_help=True,
)

MODEL = typer.Argument(help="The pipeline: a path or the name of a package.")
DATA = typer.Argument(
    help="Texts, one a line, or a corpus (.spacy), whose entity clusters are used.",
    exists=True,
    dir_okay=False,
)
OUTPUT = typer.Option(
    Path("heatmap.png"), "--output", "-o", help="The picture: .png, .svg or .pdf."
)
METRICS = typer.Argument(
    help="What `evaluate --output` wrote, one file a system; its name becomes the system's.",
    exists=True,
    dir_okay=False,
)
CHART = typer.Option(Path("chart.png"), "--output", "-o", help="The picture: .png, .svg or .pdf.")
NUMBER = typer.Option(1, "--document", "-d", min=1, help="Which of the documents, from 1.")
ENTITY = "by its number (from 1), its name or one of its mentions."


@app.command("attention")
def plot_attention_command(
    model: str = MODEL,
    data_path: Path = DATA,
    entity: str = typer.Option(..., "--entity", "-e", help=f"The entity, {ENTITY}"),
    labels: list[str] | None = typer.Option(
        None, "--label", help="A relation type; can be repeated. By default the entity's own."
    ),
    number: int = NUMBER,
    output: Path = OUTPUT,
    gpu_id: int = GPU_ID,
) -> None:
    """RSMAN: which of an entity's mentions each relation type attends to."""
    setup_gpu(gpu_id, silent=False)
    nlp, doc = _read(model, data_path, number)
    _save(plot_mention_attention(nlp, doc, entity, labels or None), output)


@app.command("key-mentions")
def plot_key_mentions_command(
    model: str = MODEL,
    data_path: Path = DATA,
    head: str = typer.Option(..., "--head", help=f"The head entity, {ENTITY}"),
    tail: str = typer.Option(..., "--tail", help=f"The tail entity, {ENTITY}"),
    number: int = NUMBER,
    output: Path = OUTPUT,
    gpu_id: int = GPU_ID,
) -> None:
    """KMGRE: which pairs of mentions tell of the relations of two entities."""
    setup_gpu(gpu_id, silent=False)
    nlp, doc = _read(model, data_path, number)
    _save(plot_key_mentions(nlp, doc, head, tail), output)


@app.command("subsets")
def plot_subsets_command(
    metrics: list[Path] = METRICS,
    output: Path = CHART,
) -> None:
    """Bars of the F1 of subsets, of one system or of several."""
    _save(plot_subsets(_read_metrics(metrics)), output)


@app.command("reliability")
def plot_reliability_command(
    metrics: list[Path] = METRICS,
    output: Path = CHART,
) -> None:
    """How often relations of a score are right, of one system or of several."""
    _save(plot_reliability(_read_metrics(metrics)), output)


def _read_metrics(paths: list[Path]) -> dict[str, Any]:
    metrics = {}
    for path in paths:
        scores = read_json(path)
        if not isinstance(scores, dict):
            raise DocreError(Errors.D015.format(path=path, reason="expected an object"))
        metrics[path.stem] = scores
    if len(metrics) < len(paths):
        raise typer.BadParameter("files of the same name, which would be the systems' names")
    return metrics


def _read(model: str, data_path: Path, number: int) -> tuple[Language, Doc]:
    nlp = load_pipeline(model)
    if data_path.suffix == CORPUS:
        docs = annotated_corpus(nlp, data_path, limit=number)
    else:
        docs = nlp.pipe(islice(read_texts(data_path), number))
    doc = next(islice(docs, number - 1, None), None)
    if doc is None:
        reason = f"it has fewer than {number} documents (--document)"
        raise DocreError(Errors.D015.format(path=data_path, reason=reason))
    return nlp, doc


def _save(figure: "Figure", output: Path) -> None:
    kind = output.suffix.lstrip(".").lower()
    if kind not in figure.canvas.get_supported_filetypes():
        raise typer.BadParameter(f"{output}: a picture ends in .png, .svg or .pdf")
    with replacing(output) as draft:
        figure.savefig(draft, format=kind)
    msg.good(f"Picture: {output}")
