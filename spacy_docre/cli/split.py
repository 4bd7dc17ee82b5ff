"""`split`: a corpus into training, development and test data."""

from pathlib import Path

import typer
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from ..corpora.readers import read_docs
from ..corpora.splits import split_documents
from ..data.relation import get_relations, install_extension
from ..files import displayed, replacing
from .app import new_app
from .messages import msg

app = new_app()


@app.command()
def split(
    input_path: Path = typer.Argument(help="The corpus (.spacy).", exists=True),
    output_path: Path | None = typer.Option(
        None, "--output", "-o", help="The folder of the parts. [default: that of the corpus]"
    ),
    dev: float = typer.Option(0.1, "--dev", help="The share of development data."),
    test: float = typer.Option(0.1, "--test", help="The share of test data; 0 for none."),
    seed: int = typer.Option(0, "--seed", help="What to draw by."),
) -> None:
    """Split a corpus by document; copies of a text and documents of one title stay together."""
    folder = output_path or (input_path if input_path.is_dir() else input_path.parent)
    install_extension()
    docs = list(read_docs(input_path, Vocab()))
    shares = {name: share for name, share in (("dev", dev), ("test", test)) if share}
    parts = split_documents(docs, shares, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name, its_docs in parts.items():
        with replacing(folder / f"{name}.spacy") as draft:
            DocBin(docs=its_docs, store_user_data=True).to_disk(draft)
    for name, its_docs in parts.items():
        n_relations = sum(len(get_relations(doc)) for doc in its_docs)
        path = displayed(folder / f"{name}.spacy")
        msg.good(f"{len(its_docs)} documents with {n_relations} relations: {path}")
