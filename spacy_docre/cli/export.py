"""`export`: `.spacy` corpora to other formats."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import srsly
import typer
from spacy.tokens import Doc
from spacy.vocab import Vocab

from ..corpora.brat_export import to_brat
from ..corpora.dwie import to_dwie
from ..corpora.edge_oriented_export import HEAD_TYPES, TAIL_TYPES, to_edge_oriented
from ..corpora.folders import new_folder
from ..corpora.jsonl import to_jsonl
from ..corpora.pubtator import SymmetricTypes
from ..corpora.pubtator_export import to_pubtator
from ..corpora.readers import read_docs
from ..corpora.report import ConversionReport
from ..data.clusters import DEFAULT_PREFIX
from ..data.relation import install_extension
from ..files import replacing
from .app import new_app
from .convert import SEPARATORS_OPTION, SYMMETRIC
from .messages import msg, readable_errors

app = new_app(help="Write a corpus in another format.", no_args_is_help=True)

INPUT = typer.Argument(help="The corpus (.spacy).", exists=True)
OUTPUT = typer.Argument(help="The file to write.")
OUTPUT_DIR = typer.Argument(help="The folder to write, which must be new or empty.")
PREFIX = typer.Option(DEFAULT_PREFIX, "--prefix", help="What the clusters' keys start with.")


@app.command("jsonl")
def export_jsonl(
    input_path: Path = INPUT, output_path: Path = OUTPUT, prefix: str = PREFIX
) -> None:
    """Write a corpus in the package's own JSON Lines format."""
    with readable_errors():
        rows = [to_jsonl(doc, prefix=prefix) for doc in read(input_path)]
        with replacing(output_path) as draft:
            srsly.write_jsonl(draft, rows)
    msg.good(f"{len(rows)} documents: {output_path}")


@app.command("dwie")
def export_dwie(
    input_path: Path = INPUT, output_path: Path = OUTPUT_DIR, prefix: str = PREFIX
) -> None:
    """Write a corpus as JSON files of DWIE, one a document."""

    def files(doc: Doc, report: ConversionReport) -> dict[str, str]:
        row = to_dwie(doc, report=report, prefix=prefix)
        return {".json": json.dumps(row, ensure_ascii=False, indent=1)}

    _write_folder(input_path, output_path, files)


@app.command("brat")
def export_brat(
    input_path: Path = INPUT, output_path: Path = OUTPUT_DIR, prefix: str = PREFIX
) -> None:
    """Write a corpus as brat's .txt and .ann files, two a document."""

    def files(doc: Doc, report: ConversionReport) -> dict[str, str]:
        return {".txt": doc.text, ".ann": to_brat(doc, report=report, prefix=prefix)}

    _write_folder(input_path, output_path, files)


@app.command("pubtator")
def export_pubtator(
    input_path: Path = INPUT,
    output_path: Path = OUTPUT,
    symmetric: str | None = SYMMETRIC,
    separators: str = SEPARATORS_OPTION,
    prefix: str = PREFIX,
) -> None:
    """Write a corpus in PubTator's format."""
    report = ConversionReport()
    types = SymmetricTypes(symmetric)
    with readable_errors():
        blocks = [
            to_pubtator(doc, report=report, symmetric=types, separators=separators, prefix=prefix)
            for doc in read(input_path)
        ]
        with replacing(output_path) as draft:
            draft.write_bytes("".join(blocks).encode("utf8"))
    msg.good(f"{len(blocks)} documents: {output_path}")
    report.print()


@app.command("edge-oriented")
def export_edge_oriented(
    input_path: Path = INPUT,
    output_path: Path = OUTPUT,
    head: list[str] = typer.Option(
        list(HEAD_TYPES), "--head", help="A type of entity that relations start from."
    ),
    tail: list[str] = typer.Option(
        list(TAIL_TYPES), "--tail", help="A type of entity that relations point to."
    ),
    prefix: str = PREFIX,
) -> None:
    """Write a corpus in the 17-column .data form."""
    report = ConversionReport()
    with readable_errors():
        lines = [
            to_edge_oriented(doc, report=report, head_types=head, tail_types=tail, prefix=prefix)
            + "\n"
            for doc in read(input_path)
        ]
        with replacing(output_path) as draft:
            draft.write_bytes("".join(lines).encode("utf8"))
    msg.good(f"{len(lines)} documents: {output_path}")
    report.print()


def _write_folder(
    input_path: Path,
    output_path: Path,
    files: Callable[[Doc, ConversionReport], Mapping[str, str]],
) -> None:
    # Of each document the files of each suffix.
    n_docs, report = 0, ConversionReport()
    with readable_errors():
        with new_folder(output_path) as folder:
            for doc in read(input_path):
                folder.write(doc, files(doc, report))
                n_docs += 1
        msg.good(f"{n_docs} documents: {output_path}")
        report.print()


def read(input_path: Path) -> Iterator[Doc]:
    """The documents of a corpus, with relations."""
    install_extension()
    return read_docs(input_path, Vocab())
