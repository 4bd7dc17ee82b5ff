"""`extract`: the relations of raw texts as tables."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.tokens import Doc

from ..corpora.text import check_length, tokenize
from ..data.relation import get_relations
from ..extractor.pipeline import find_extractor
from ..files import read_text, replacing
from ..visual.page import to_page
from .app import new_app
from .messages import GPU_ID, msg
from .pipelines import load_pipeline

app = new_app()

MAX_COLUMN = 60


@app.command()
def extract_command(
    model: str = typer.Argument(help="The pipeline: a path or the name of a package."),
    texts_path: Path = typer.Argument(help="Texts, one a line.", exists=True, dir_okay=False),
    whole: bool = typer.Option(
        False, "--whole", help="The file is one text, however many lines it has."
    ),
    limit: int = typer.Option(0, "--limit", "-n", min=0, help="Texts to read; 0 for all."),
    page: Path | None = typer.Option(
        None, "--page", help="Write them as a page to look at, too, as `view` does."
    ),
    gpu_id: int = GPU_ID,
) -> None:
    """Print the relations of raw texts."""
    setup_gpu(gpu_id, silent=False)
    nlp = load_pipeline(model)
    _, extractor = find_extractor(nlp)
    settings = {key: extractor.cfg[key] for key in ("prefix", "attr")}
    content = read_text(texts_path)
    texts = [content] if whole else content.splitlines()
    docs = []
    for doc in nlp.pipe(_tokenized(nlp, islice(filter(str.strip, texts), limit or None))):
        _print_relations(doc, settings["attr"])
        if page is not None:
            docs.append(doc)
    if page is not None:
        with replacing(page) as draft:
            draft.write_text(to_page(docs, texts_path.name, **settings), encoding="utf8")
        msg.good(f"To look at: {page.resolve()}")


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
