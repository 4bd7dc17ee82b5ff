"""`predict`: the relations of a corpus as a file."""

from enum import Enum
from pathlib import Path

import srsly
import typer
from spacy.cli._util import setup_gpu
from spacy.tokens import DocBin

from ..corpora.docred import read_relation_names, to_docred_predictions
from ..corpora.jsonl import to_jsonl
from ..evaluation.run import annotate_examples, read_examples
from ..extractor.pipeline import find_extractor
from ..files import replacing
from .app import new_app
from .messages import GPU_ID, msg
from .pipelines import load_pipeline

app = new_app()


class PredictionFormat(str, Enum):
    """How relations are written."""

    docred = "docred"
    jsonl = "jsonl"
    spacy = "spacy"


@app.command()
def predict_command(
    model: str = typer.Argument(help="The pipeline: a path or the name of a package."),
    data_path: Path = typer.Argument(help="The corpus (.spacy).", exists=True),
    output: Path = typer.Argument(help="The file to write."),
    output_format: PredictionFormat | None = typer.Option(
        None,
        "--format",
        "-f",
        help="DocRED's submission format (title, h_idx, t_idx, r), JSON Lines with the texts, or "
        "spaCy's format. By default spaCy's for a file that is called .spacy, else JSON Lines.",
    ),
    rel_info: Path | None = typer.Option(
        None,
        "--rel-info",
        "-r",
        help="The rel_info.json that the corpus was converted with, to write identifiers (P19).",
        exists=True,
    ),
    predicted_clusters: bool = typer.Option(
        False, "--predicted-clusters", help="Run the whole pipeline instead of using gold clusters."
    ),
    gpu_id: int = GPU_ID,
) -> None:
    """Predict the relations of a corpus."""
    setup_gpu(gpu_id, silent=False)
    if output_format is None:
        is_docbin = output.suffix == ".spacy"
        output_format = PredictionFormat.spacy if is_docbin else PredictionFormat.jsonl
    if predicted_clusters and output_format is PredictionFormat.docred:
        raise typer.BadParameter("the docred format numbers gold clusters; use --format jsonl")
    nlp = load_pipeline(model)
    _, extractor = find_extractor(nlp)
    settings = {name: extractor.cfg[name] for name in ("prefix", "attr")}
    examples = read_examples(nlp, data_path)
    docs = []
    for eg, _ in annotate_examples(nlp, examples, gold_clusters=not predicted_clusters):
        eg.predicted.user_data["title"] = eg.reference.user_data.get("title", "")
        docs.append(eg.predicted)
    with replacing(output) as draft:
        if output_format is PredictionFormat.docred:
            names = read_relation_names(rel_info) if rel_info else {}
            ids = {name: identifier for identifier, name in names.items()} or None
            srsly.write_json(draft, to_docred_predictions(docs, relation_ids=ids, **settings))
        elif output_format is PredictionFormat.spacy:
            DocBin(docs=docs, store_user_data=True).to_disk(draft)
        else:
            srsly.write_jsonl(draft, (to_jsonl(doc, **settings) for doc in docs))
    msg.good(f"Relations of {len(docs)} documents: {output}")
