"""`convert`: corpora of other formats to `.spacy`."""

from collections.abc import Iterable
from pathlib import Path

import spacy
import typer
from spacy.tokens import Doc, DocBin

from ..corpora.brat import read_brat
from ..corpora.docred import read_docred, read_relation_names
from ..corpora.dwie import read_dwie
from ..corpora.edge_oriented import read_edge_oriented
from ..corpora.jsonl import read_jsonl
from ..corpora.pubtator import SEPARATORS, SymmetricTypes, read_pubtator
from ..corpora.report import ConversionReport
from ..corpora.tokenizer import create_fine_tokenizer
from ..data.clusters import DEFAULT_PREFIX
from ..data.relation import get_relations
from ..files import replacing
from .app import new_app
from .messages import msg, readable_errors

app = new_app(name="convert", help="Convert a corpus to spaCy's format.", no_args_is_help=True)

INPUT = typer.Argument(help="The file to convert.", exists=True, dir_okay=False)
INPUT_DIR = typer.Argument(help="The folder to convert.", exists=True, file_okay=False)
OUTPUT = typer.Argument(help="The .spacy file to write.")
LANG = typer.Option("en", "--lang", "-l", help="The language's code.")
SYMMETRIC = typer.Option(
    None,
    "--symmetric",
    help="Relation types without a direction: 'all', 'none' or names with commas between. "
    "[default: BioRED's]",
)
SEPARATORS_OPTION = typer.Option(
    SEPARATORS, "--separators", help="The characters that join identifiers of one mention."
)
PREFIX = typer.Option(DEFAULT_PREFIX, "--prefix", help="What the clusters' keys start with.")


@app.command("docred")
def convert_docred(
    input_path: Path = INPUT,
    output_path: Path = OUTPUT,
    rel_info: Path | None = typer.Option(
        None, "--rel-info", "-r", help="DocRED's rel_info.json: names for relations.", exists=True
    ),
    lang: str = LANG,
    prefix: str = PREFIX,
) -> None:
    """Convert a file in the DocRED format (DocRED, Re-DocRED, Revisit-DocRED)."""
    with readable_errors():
        names = read_relation_names(rel_info) if rel_info else None
        vocab = spacy.blank(lang).vocab
        _write(read_docred(input_path, vocab, relation_names=names, prefix=prefix), output_path)


@app.command("jsonl")
def convert_jsonl(
    input_path: Path = INPUT,
    output_path: Path = OUTPUT,
    lang: str = LANG,
    prefix: str = PREFIX,
) -> None:
    """Convert a file in the package's own JSON Lines format."""
    with readable_errors():
        _write(read_jsonl(input_path, spacy.blank(lang), prefix=prefix), output_path)


@app.command("dwie")
def convert_dwie(
    input_path: Path = INPUT_DIR,
    output_path: Path = OUTPUT,
    splits: Path | None = typer.Option(
        None, "--splits", help="A JSON file with the ids of each split.", exists=True
    ),
    split: str | None = typer.Option(None, "--split", help="The split to convert."),
    lang: str = LANG,
    prefix: str = PREFIX,
) -> None:
    """Convert DWIE's JSON files with text (annos_with_content)."""
    if (splits is None) != (split is None):
        raise typer.BadParameter("--splits and --split need each other")
    with readable_errors():
        report = ConversionReport()
        nlp = spacy.blank(lang)
        docs = read_dwie(input_path, nlp, splits=splits, split=split, report=report, prefix=prefix)
        _write(docs, output_path, report)


@app.command("brat")
def convert_brat(
    input_path: Path = INPUT_DIR,
    output_path: Path = OUTPUT,
    coref_types: list[str] = typer.Option(
        [], "--coref-type", help="A type of relations that join mentions of one entity. Repeatable."
    ),
    join_ids: bool = typer.Option(
        False, "--join-ids", help="Join entities that are normalized to the same identifier."
    ),
    lang: str = LANG,
    prefix: str = PREFIX,
) -> None:
    """Convert a folder of brat's .txt and .ann files."""
    with readable_errors():
        report = ConversionReport()
        docs = read_brat(
            input_path,
            spacy.blank(lang),
            coref_types=coref_types,
            join_ids=join_ids,
            report=report,
            prefix=prefix,
        )
        _write(docs, output_path, report)


@app.command("pubtator")
def convert_pubtator(
    input_path: Path = INPUT,
    output_path: Path = OUTPUT,
    symmetric: str | None = SYMMETRIC,
    separators: str = SEPARATORS_OPTION,
    fine: bool = typer.Option(
        True, "--fine/--plain", help="Whether every symbol is a token: '5-HT(1A)'."
    ),
    lang: str = LANG,
    prefix: str = PREFIX,
) -> None:
    """Convert a file in PubTator's format (CDR, BioRED)."""
    report = ConversionReport()
    nlp = spacy.blank(lang)
    if fine:
        nlp.tokenizer = create_fine_tokenizer()(nlp)
    nlp.add_pipe("sentencizer")
    with readable_errors():
        docs = read_pubtator(
            input_path,
            nlp,
            report=report,
            symmetric=SymmetricTypes(symmetric),
            separators=separators,
            prefix=prefix,
        )
        _write(docs, output_path, report)


@app.command("edge-oriented")
def convert_edge_oriented(
    input_path: Path = INPUT,
    output_path: Path = OUTPUT,
    lang: str = LANG,
    prefix: str = PREFIX,
) -> None:
    """Convert a file in the 17-column .data form (CDR and GDA as papers use them)."""
    report = ConversionReport()
    vocab = spacy.blank(lang).vocab
    with readable_errors():
        docs = read_edge_oriented(input_path, vocab, report=report, prefix=prefix)
        _write(docs, output_path, report)


def _write(docs: Iterable[Doc], output_path: Path, report: ConversionReport | None = None) -> None:
    doc_bin = DocBin(store_user_data=True)
    n_relations = 0
    for doc in docs:
        doc_bin.add(doc)
        n_relations += len(get_relations(doc))
    with replacing(output_path) as draft:
        doc_bin.to_disk(draft)
    msg.good(f"{len(doc_bin)} documents with {n_relations} relations: {output_path}")
    if report is not None:
        report.print()
