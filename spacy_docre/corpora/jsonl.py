"""The package's own JSON Lines format: raw text with character offsets, one document a line."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from ..data.clusters import DEFAULT_PREFIX, cluster_key, get_clusters, set_clusters
from ..data.relation import (
    DEFAULT_ATTR,
    check_entities,
    get_relations,
    has_relations,
    install_extension,
    set_relations,
)
from ..errors import DocreError, Errors
from ..files import parse_json
from .folders import write_file
from .formats import Format
from .report import ConversionReport
from .validation import DocumentError, export, validate

Offsets = tuple[int, int]


class JsonlMention(BaseModel):
    """A mention: its first character and the character after its last. Only mentions by name, not
    pronouns and descriptions, become the document's entities."""

    start: int
    end: int
    named: bool = True


class JsonlCluster(BaseModel):
    """An entity: its type and its mentions."""

    type: str = ""
    mentions: list[JsonlMention]


class JsonlRelation(BaseModel):
    """A relation between the clusters `head` and `tail` (their numbers from 0), and the offsets of
    the text that supports it."""

    head: int
    label: str
    tail: int
    score: float = Field(default=1.0, ge=0, le=1)
    evidence: list[Offsets] = []


class JsonlDocument(BaseModel):
    """A document. Without `sentences` (first and last offsets) it has no sentence boundaries,
    without `relations` it is not annotated."""

    title: str = ""
    text: str
    sentences: list[Offsets] = []
    clusters: list[JsonlCluster] = []
    relations: list[JsonlRelation] | None = None


def read_jsonl(
    path: str | Path,
    nlp: Language,
    *,
    report: ConversionReport | None = None,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
) -> Iterator[Doc]:
    """Read documents in the JSON Lines format. What begins or ends inside a token is widened to
    whole tokens.

    path (Union[str, Path]): The file.
    nlp (Language): The pipeline whose tokenizer cuts the texts.
    report (Optional[ConversionReport]): Counts what was not kept as it was.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    YIELDS (Doc): The documents.
    RAISES (DocreError): If a line is malformed; names the document and the field.
    """
    install_extension(attr)
    try:
        lines = Path(path).read_text(encoding="utf8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DocreError(Errors.D015.format(path=path, reason=error)) from None
    for index, line in enumerate(line for line in lines if line.strip()):
        row = None
        try:
            row = _parse(line)
            doc = _to_doc(validate(JsonlDocument, row), nlp, prefix, attr)
        except DocumentError as error:
            raise error.in_file(path, index, row) from None
        yield doc


@export("JSON Lines")
def to_jsonl(
    doc: Doc,
    *,
    report: ConversionReport | None = None,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
) -> dict[str, Any]:
    """A document as a row of the JSON Lines format, which `read_jsonl` reads again. Clusters and
    mentions also carry their texts, for people.

    doc (Doc): The document.
    report (Optional[ConversionReport]): Counts what the format has no place for.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    RETURNS (dict[str, Any]): The row.
    RAISES (DocreError): If a relation names no cluster of the document.
    """
    clusters = get_clusters(doc, prefix)
    numbers = {cluster.key: i for i, cluster in enumerate(clusters)}
    entities = {(ent.start, ent.end) for ent in doc.ents}
    row: dict[str, Any] = {"title": doc.user_data.get("title", ""), "text": doc.text}
    if doc.has_annotation("SENT_START"):
        row["sentences"] = [[sent.start_char, sent.end_char] for sent in doc.sents]
    row["clusters"] = [
        {
            "type": cluster.label,
            "name": cluster.text,
            "mentions": [
                {
                    "start": span.start_char,
                    "end": span.end_char,
                    "named": (span.start, span.end) in entities,
                    "text": span.text,
                }
                for span in cluster.mentions
            ],
        }
        for cluster in clusters
    ]
    if has_relations(doc, attr=attr):
        for relation in get_relations(doc, attr=attr):
            check_entities(relation, doc, numbers, prefix)
        row["relations"] = [
            {
                "head": numbers[relation["head"]],
                "label": relation.label,
                "tail": numbers[relation["tail"]],
                "score": relation.score,
                "evidence": [[span.start_char, span.end_char] for span in relation.evidence],
            }
            for relation in get_relations(doc, attr=attr)
        ]
    return row


def _parse(line: str) -> Any:
    try:
        return parse_json(line)
    except (ValueError, RecursionError) as error:
        raise DocumentError("document", f"not JSON: {error}") from None


def _to_doc(document: JsonlDocument, nlp: Language, prefix: str, attr: str) -> Doc:
    # Not `nlp.make_doc`, which refuses what is too long for parsers.
    doc = nlp.tokenizer(document.text)
    doc.user_data["title"] = document.title
    if document.sentences:
        starts = {
            _place(doc, offsets, f"sentences[{i}]").start
            for i, offsets in enumerate(document.sentences)
        }
        for token in doc:
            token.is_sent_start = token.i in starts
    clusters, named = [], []
    for i, cluster in enumerate(document.clusters):
        spans = []
        for j, mention in enumerate(cluster.mentions):
            field = f"clusters[{i}].mentions[{j}]"
            span = _span(doc, (mention.start, mention.end), field, label=cluster.type)
            spans.append(span)
            if mention.named:
                named.append(span)
        clusters.append(spans)
    set_clusters(doc, clusters, prefix)
    doc.ents = filter_spans(named)
    if document.relations is not None:
        relations = [
            _relation(relation, f"relations[{i}]", doc, len(clusters), prefix)
            for i, relation in enumerate(document.relations)
        ]
        set_relations(doc, relations, attr=attr)
    return doc


def _relation(
    relation: JsonlRelation, field: str, doc: Doc, n_clusters: int, prefix: str
) -> dict[str, Any]:
    for name, cluster in (("head", relation.head), ("tail", relation.tail)):
        if not 0 <= cluster < n_clusters:
            raise DocumentError(f"{field}.{name}", f"there is no cluster {cluster}")
    spans = [
        _span(doc, offsets, f"{field}.evidence[{i}]") for i, offsets in enumerate(relation.evidence)
    ]
    return {
        "head": cluster_key(prefix, relation.head + 1),
        "label": relation.label,
        "tail": cluster_key(prefix, relation.tail + 1),
        "score": relation.score,
        "evidence": [(span.start, span.end) for span in spans],
    }


def _span(doc: Doc, offsets: Offsets, field: str, label: str = "") -> Span:
    span = _place(doc, offsets, field, label)
    if not span:
        raise DocumentError(field, f"{offsets[0]}-{offsets[1]} is nothing but white space")
    return span


def _place(doc: Doc, offsets: Offsets, field: str, label: str = "") -> Span:
    """The whole tokens of some characters; a span without tokens for white space between them."""
    start, end = offsets
    span = None
    if 0 <= start < end <= len(doc.text):
        span = doc.char_span(start, end, label=label, alignment_mode="expand")
    if span is None:
        raise DocumentError(field, f"{start}-{end} is not inside the text")
    return span


def _write(docs: Iterable[Doc], path: Path, **settings: Any) -> int:
    def line(doc: Doc) -> str:
        return json.dumps(to_jsonl(doc, **settings), ensure_ascii=False, allow_nan=False) + "\n"

    return write_file(docs, path, line)


FORMAT = Format(
    "jsonl",
    "the package's JSON Lines format",
    "a file in the package's own JSON Lines format",
    read_jsonl,
    _write,
    suffix=".jsonl",
)
