"""`view`: documents and their relations as a page to look at."""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import spacy
import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.tokens import Doc

from ..corpora.jsonl import read_jsonl
from ..corpora.readers import read_docs
from ..data.clusters import DEFAULT_PREFIX, get_clusters
from ..data.relation import DEFAULT_ATTR, install_extension
from ..errors import DocreError, Errors
from ..evaluation.run import annotate_examples, read_examples
from ..extractor.pipeline import find_extractor
from ..files import read_text, replacing
from ..visual.page import to_page
from .app import new_app
from .errors import find_errors, write_page
from .messages import GPU_ID, msg

app = new_app()

CORPUS = ".spacy"
ROWS = {".jsonl", ".ndjson"}
STDIN = Path("-")


@app.command()
def view_command(
    source: str = typer.Argument(
        metavar="MODEL_OR_FILE",
        help="A pipeline (a path or the name of a package), or documents with relations: .spacy "
        "or .jsonl.",
    ),
    texts: Path | None = typer.Argument(
        None,
        help="What a pipeline is to read: texts, one a line, or - for standard input; or a corpus "
        "(.spacy), whose entity clusters it is given.",
    ),
    text: list[str] | None = typer.Option(None, "--text", "-t", help="A text; can be repeated."),
    output: Path = typer.Option(Path("relations.html"), "--output", "-o", help="The page."),
    limit: int = typer.Option(100, "--limit", "-n", min=0, help="Documents to show; 0 for all."),
    graph: bool = typer.Option(True, "--graph/--no-graph", help="Draw the graphs."),
    predicted_clusters: bool = typer.Option(
        False, "--predicted-clusters", help="Run the whole pipeline on a corpus."
    ),
    errors: bool = typer.Option(
        False,
        "--errors",
        help="Show what the pipeline gets wrong on a corpus (.spacy), as the command errors does.",
    ),
    lang: str = typer.Option("en", "--lang", "-l", help="The language's code, for a file."),
    prefix: str = typer.Option(
        DEFAULT_PREFIX, "--prefix", help="What clusters' keys start with, in a file."
    ),
    attr: str = typer.Option(
        DEFAULT_ATTR, "--attr", help="The attribute with the relations, in a file."
    ),
    gpu_id: int = GPU_ID,
) -> None:
    """Write documents with their entities and relations as an HTML page that needs nothing else."""
    if errors:
        if texts is None or texts.suffix != CORPUS:
            raise typer.BadParameter("--errors needs a pipeline or its predictions, and a corpus")
        analysis = find_errors(source, texts, None, predicted_clusters, gpu_id)
        write_page(analysis, _title(source, texts), output)
        return
    if is_document_file(source):
        if texts or text:
            raise typer.BadParameter(f"{source} holds documents already: give no texts")
        docs = _read_file(Path(source), lang, prefix, attr)
        settings = {"prefix": prefix, "attr": attr}
    else:
        setup_gpu(gpu_id, silent=False)
        nlp = load_pipeline(source)
        settings = {key: find_extractor(nlp)[1].cfg[key] for key in ("prefix", "attr")}
        if text or texts is None or texts.suffix != CORPUS:
            docs = nlp.pipe(_texts(texts, text))
        else:
            docs = annotated_corpus(
                nlp, texts, limit=limit and limit + 1, gold_clusters=not predicted_clusters
            )
    shown = list(islice(docs, limit or None))
    n_left = next((1 for _ in docs), 0) if limit else 0
    if not shown:
        raise DocreError(Errors.D015.format(path=texts or source, reason="it holds no document"))
    page = to_page(shown, _title(source, texts), graph=graph, **settings)
    with replacing(output) as draft:
        draft.write_text(page, encoding="utf8")
    if n_left:
        msg.warn(f"Only the first {limit} documents are shown (--limit).")
    msg.good(f"{len(shown)} document{'s' if len(shown) > 1 else ''}: {output}")


def is_document_file(source: str) -> bool:
    """Whether a person means a file of documents, or else a pipeline.

    source (str): A path, or the name of a package.
    RETURNS (bool): Whether it is a corpus or a folder of corpora.
    """
    path = Path(source)
    if path.is_dir():
        return not (path / "config.cfg").exists() and any(path.rglob(f"*{CORPUS}"))
    return path.suffix in {CORPUS, *ROWS}


def load_pipeline(source: str) -> Language:
    """Load a pipeline.

    source (str): A path, or the name of a package.
    RETURNS (Language): The pipeline.
    RAISES (DocreError): If there is none.
    """
    try:
        return spacy.load(source)
    except OSError as error:
        raise DocreError(Errors.D045.format(source=source, reason=error)) from None


def annotated_corpus(
    nlp: Language, path: Path, *, limit: int = 0, gold_clusters: bool = True
) -> Iterator[Doc]:
    """Run a pipeline over a corpus.

    nlp (Language): The pipeline.
    path (Path): The corpus, a `.spacy` file.
    limit (int): Read at most that many documents; 0 sets no limit.
    gold_clusters (bool): Whether it gets the corpus' clusters, or makes its own.
    YIELDS (Doc): The documents, with their titles.
    """
    examples = read_examples(nlp, path, limit=limit)
    for eg, _ in annotate_examples(nlp, examples, gold_clusters=gold_clusters):
        eg.predicted.user_data["title"] = eg.reference.user_data.get("title", "")
        yield eg.predicted


def _read_file(path: Path, lang: str, prefix: str, attr: str) -> Iterator[Doc]:
    if not path.exists():
        raise DocreError(Errors.D015.format(path=path, reason="there is no such file"))
    nlp = spacy.blank(lang)
    install_extension(attr)
    if path.suffix in ROWS:
        yield from read_jsonl(path, nlp, prefix=prefix, attr=attr)
        return
    has_clusters = False
    for doc in read_docs(path, nlp.vocab):
        has_clusters = has_clusters or bool(get_clusters(doc, prefix))
        yield doc
    if not has_clusters:
        raise DocreError(Errors.D017.format(path=path, prefix=prefix, attr=attr))


def read_texts(path: Path) -> list[str]:
    """Read texts.

    path (Path): A file with one text a line, or "-" for standard input.
    RETURNS (list[str]): The texts; empty lines are left out.
    RAISES (DocreError): If the file cannot be read.
    """
    try:
        source = sys.stdin.read() if path == STDIN else read_text(path)
    except UnicodeDecodeError as error:
        raise DocreError(Errors.D015.format(path=path, reason=error)) from None
    return [line for line in source.splitlines() if line.strip()]


def _texts(path: Path | None, texts: list[str] | None) -> list[str]:
    if texts and path:
        raise typer.BadParameter("give texts in a file or by --text, not both")
    if texts:
        return texts
    if path is None and sys.stdin.isatty():
        raise typer.BadParameter("give a pipeline something to read: a file of texts or --text")
    return read_texts(path or STDIN)


def _title(source: str, texts: Path | None) -> str:
    names = [Path(source).name or source]
    if texts is not None and texts != STDIN:
        names.append(texts.name)
    return " · ".join(names)
