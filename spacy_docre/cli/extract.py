"""`extract`: the relations of raw texts as tables."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.tokens import Doc

from ..corpora.text import check_length, tokenize
from ..data.relation import get_relations
from ..extractor.pipeline import find_extractor
from .app import new_app
from .messages import GPU_ID, msg
from .pipelines import load_pipeline

app = new_app()

MAX_COLUMN = 60


@app.command()
def extract_command(
    model: str = typer.Argument(help="The pipeline: a path or the name of a package."),
    texts_path: Path = typer.Argument(help="Texts, one a line.", exists=True, dir_okay=False),
    gpu_id: int = GPU_ID,
) -> None:
    """Print the relations of raw texts."""
    setup_gpu(gpu_id, silent=False)
    nlp = load_pipeline(model)
    _, extractor = find_extractor(nlp)
    texts = [line for line in texts_path.read_text(encoding="utf8").splitlines() if line]
    for doc in nlp.pipe(_tokenized(nlp, texts)):
        _print_relations(doc, extractor.cfg["attr"])


def _tokenized(nlp: Language, texts: Iterable[str]) -> Iterator[Doc]:
    for text in texts:
        check_length(nlp, text)
        yield tokenize(nlp, text)


def _print_relations(doc: Doc, attr: str) -> None:
    print()
    msg.text(doc.text)
    rows = [
        (relation.head.text, relation.label, relation.tail.text, f"{relation.score:.2f}")
        for relation in get_relations(doc, attr=attr)
    ]
    if rows:
        header = ("Head", "Relation", "Tail", "Score")
        msg.table(rows, header=header, aligns=("l", "l", "l", "r"), max_col=MAX_COLUMN)
    else:
        msg.text("(no relation)")
