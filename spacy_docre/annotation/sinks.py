"""Writing annotated documents, in each of the formats."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from spacy.tokens import DocBin

from ..corpora.docred import to_docred
from ..data.relation import get_relations, set_relations
from ..errors import DocreError, Errors
from ..files import json_text
from .cypher import START, cypher_text
from .engine import Annotation
from .tables import PART_OF_ENTITIES, RELATION_COLUMNS, EntitySink, csv_text, relation_rows

DEFAULT_BASE_URI = "urn:spacy-docre:"


class Format(str, Enum):
    """The formats of annotated documents."""

    jsonl = "jsonl"
    parquet = "parquet"
    spacy = "spacy"
    docred = "docred"
    turtle = "turtle"
    ntriples = "ntriples"
    graphml = "graphml"
    csv = "csv"
    cypher = "cypher"


SUFFIXES = {
    Format.jsonl: ".jsonl",
    Format.parquet: ".parquet",
    Format.spacy: ".spacy",
    Format.docred: ".json",
    Format.turtle: ".ttl",
    Format.ntriples: ".nt",
    Format.graphml: ".graphml",
    Format.csv: ".csv",
    Format.cypher: ".cypher",
}


class Sink(Protocol):
    """Writes the documents of one part to a file."""

    def add(self, annotation: Annotation) -> None:
        """annotation (Annotation): The next document."""

    def close(self) -> None:
        """Complete the file."""


SinkMaker = Callable[[Path], Sink]


@dataclass(frozen=True)
class SinkSettings:
    """What the formats need to know.

    base_uri (str): What the names of resources start with in RDF.
    model (str): The name and version of the pipeline.
    """

    base_uri: str = DEFAULT_BASE_URI
    model: str = ""


def make_sinks(formats: list[Format], settings: SinkSettings) -> dict[str, SinkMaker]:
    """What makes the files of a part.

    formats (list[Format]): The formats.
    settings (SinkSettings): What they need to know.
    RETURNS (dict[str, SinkMaker]): For each suffix, what opens a file. Tables and graph databases
        come with a table of the entities that were merged.
    RAISES (DocreError): If a library is missing.
    """
    makers = {SUFFIXES[name]: _maker(name, settings) for name in formats}
    if {Format.csv, Format.cypher} & set(formats):
        makers[PART_OF_ENTITIES] = EntitySink
    return makers


def _maker(name: Format, settings: SinkSettings) -> SinkMaker:
    if name is Format.jsonl:
        return lambda path: TextSink(path, lambda annotation: json_text(annotation.row) + "\n")
    if name is Format.spacy:
        return DocBinSink
    if name is Format.docred:
        return lambda path: TextSink(path, _docred_text, start="[\n", between=",\n", end="\n]\n")
    if name is Format.graphml:
        # Other formats, and other commands, need not wait for networkx.
        from .graph import GraphSink

        return GraphSink
    if name is Format.parquet:
        return _parquet_sink()
    if name is Format.csv:
        header = csv_text([], RELATION_COLUMNS, header=True)
        return lambda path: TextSink(path, _csv_lines, start=header)
    if name is Format.cypher:
        return lambda path: TextSink(path, lambda ann: cypher_text(ann.row), start=START)
    writer = _rdf_writer(settings, "turtle" if name is Format.turtle else "nt")
    between = "\n" if name is Format.turtle else ""
    return lambda path: TextSink(path, lambda ann: writer(ann.row), between=between)


class TextSink:
    """Writes a text for each document.

    path (Path): The file.
    render (Callable[[Annotation], str]): Gives the text of a document.
    start (str): What the file begins with.
    between (str): What stands between documents.
    end (str): What the file ends with.
    """

    def __init__(
        self,
        path: Path,
        render: Callable[[Annotation], str],
        *,
        start: str = "",
        between: str = "",
        end: str = "",
    ) -> None:
        self.file = path.open("w", encoding="utf8", newline="\n")
        self.render = render
        self._write(start)
        self.before, self.between, self.end = "", between, end

    def add(self, annotation: Annotation) -> None:
        """annotation (Annotation): The next document."""
        self._write(self.before + self.render(annotation))
        self.before = self.between

    def close(self) -> None:
        """Complete the file."""
        self._write(self.end)
        self.file.close()

    def _write(self, text: str) -> None:
        try:
            self.file.write(text)
        except OSError:
            # Or Python tries to write the rest when it is done with the file, and complains.
            with suppress(OSError):
                self.file.close()
            raise


class DocBinSink:
    """Writes a `.spacy` file. Of the documents' user data it has the relations, the title, the id,
    the source and the meta data (as JSON): what other components leave there often cannot be saved
    (coreferee's chains) or is large (the output of transformers).

    path (Path): The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.doc_bin = DocBin(store_user_data=True)

    def add(self, annotation: Annotation) -> None:
        """annotation (Annotation): The next document."""
        doc, record = annotation.doc, annotation.record
        own = doc.user_data
        relations = get_relations(doc, attr=annotation.attr)
        doc.user_data = {
            "title": record.title,
            "id": record.id,
            "source": record.source,
            "meta": json_text(record.meta),
        }
        set_relations(doc, relations, attr=annotation.attr)
        self.doc_bin.add(doc)
        doc.user_data = own

    def close(self) -> None:
        """Complete the file."""
        self.doc_bin.to_disk(self.path)


def _csv_lines(annotation: Annotation) -> str:
    return csv_text(relation_rows(annotation.row), RELATION_COLUMNS, header=False)


def _docred_text(annotation: Annotation) -> str:
    title = annotation.record.title or annotation.record.id
    row = to_docred(annotation.doc, title, prefix=annotation.prefix, attr=annotation.attr)
    return json_text(row)


def _parquet_sink() -> SinkMaker:
    try:
        from .parquet import ParquetSink
    except ImportError:
        raise DocreError(
            Errors.D021.format(package="pyarrow", purpose="Parquet", extra="parquet")
        ) from None
    return ParquetSink


def _rdf_writer(settings: SinkSettings, rdf_format: str) -> Callable[[dict[str, Any]], str]:
    try:
        from .rdf import RdfWriter
    except ImportError:
        raise DocreError(
            Errors.D021.format(package="rdflib", purpose="RDF", extra="export")
        ) from None
    return RdfWriter(settings.base_uri, settings.model, rdf_format)
