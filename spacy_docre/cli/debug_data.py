"""`debug-data`: what a corpus holds, and what is wrong with it."""

from pathlib import Path

import spacy
import typer

from ..corpora.checks import check_corpus
from ..corpora.readers import read_docs
from ..data.clusters import DEFAULT_PREFIX
from ..data.relation import DEFAULT_ATTR
from .app import new_app
from .messages import msg

app = new_app()

SHOWN = 20


@app.command()
def debug_data_command(
    data_path: Path = typer.Argument(help="A .spacy file or a folder of them.", exists=True),
    lang: str = typer.Option("en", "--lang", "-l", help="The language's code."),
    prefix: str = typer.Option(DEFAULT_PREFIX, "--prefix", help="What clusters' keys start with."),
    attr: str = typer.Option(DEFAULT_ATTR, "--attr", help="The attribute with the relations."),
) -> None:
    """Check a corpus: counts, relation types, broken offsets, missing clusters."""
    docs = read_docs(data_path, spacy.blank(lang).vocab)
    report = check_corpus(docs, prefix=prefix, attr=attr)
    msg.divider("Contents")
    msg.table([(name, count) for name, count in report.counts.items()], aligns=("l", "r"))
    msg.divider("Entity types")
    msg.table(report.entity_types.most_common(), aligns=("l", "r"))
    msg.divider("Relation types")
    largest = max(report.labels.values(), default=1)
    rows = [(n, c, "█" * -(-40 * c // largest)) for n, c in report.labels.most_common()]
    msg.table(rows, aligns=("l", "r", "l"))
    msg.divider("Problems")
    for text in report.warnings[:SHOWN]:
        msg.warn(text)
    for text in report.errors[:SHOWN]:
        msg.fail(text)
    n_hidden = max(0, len(report.warnings) - SHOWN) + max(0, len(report.errors) - SHOWN)
    if n_hidden:
        msg.info(f"... and {n_hidden} more")
    if report.errors:
        msg.fail(f"{len(report.errors)} errors, {len(report.warnings)} warnings", exits=1)
    msg.good(f"No errors, {len(report.warnings)} warnings")
