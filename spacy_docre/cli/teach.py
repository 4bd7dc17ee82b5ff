"""`teach`: let trained pipelines write soft targets for another to learn from."""

from pathlib import Path

import typer
from spacy.cli._util import setup_gpu
from spacy.tokens import DocBin

from ..data.relation import SOFT_ATTR, get_relations, install_extension, remove_relations
from ..evaluation.teaching import teach
from ..extractor.pipeline import find_extractor
from ..files import replacing
from .app import new_app
from .messages import GPU_ID, msg
from .pipelines import load_pipeline

app = new_app()


@app.command()
def teach_command(
    data_path: Path = typer.Argument(
        help="Documents with entity clusters (.spacy), with or without relations.", exists=True
    ),
    output: Path = typer.Argument(help="The file to write (.spacy)."),
    teachers: list[str] = typer.Option(
        ..., "--teacher", "-t", help="A trained pipeline; given several times, they vote."
    ),
    floor: float = typer.Option(
        0.01, help="The lowest score that is written; those below count as zero.", min=0, max=1
    ),
    unlabelled: bool = typer.Option(
        False,
        "--unlabelled",
        help="Take the relations of the documents away: a model has set them, they are not gold.",
    ),
    gpu_id: int = GPU_ID,
) -> None:
    """Let trained pipelines score documents for another to learn from. It is trained with the
    reader "spacy-docre.DistillationCorpus.v1"."""
    setup_gpu(gpu_id, silent=False)
    install_extension(SOFT_ATTR)
    loaded = [(name, load_pipeline(name)) for name in teachers]
    attr = find_extractor(loaded[0][1])[1].cfg["attr"]
    found = DocBin(store_user_data=True)
    n_relations = 0
    for doc in teach(loaded, data_path, floor=floor):
        if unlabelled:
            remove_relations(doc, attr=attr)
        n_relations += len(get_relations(doc, attr=SOFT_ATTR))
        found.add(doc)
    with replacing(output) as draft:
        found.to_disk(draft)
    msg.good(f"{n_relations} soft targets in {len(found)} documents: {output}")
