"""The package's own JSON Lines format: raw text with character offsets, one document a line."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from ...data.clusters import DEFAULT_PREFIX, EntityCluster, cluster_key, set_clusters
from ...data.relation import DEFAULT_ATTR, EXCLUDED_PAIRS, install_extension, set_relations
from ..lines import read_lines
from ..placing import Claim, Placing
from ..report import ConversionReport
from ..text import set_sentences, text_length, tokenize
from ..validation import MAX_NESTING, DocumentError, Row, is_too_deep, validate

Offsets = tuple[int, int]
# What is kept of a document beside its text, in `doc.user_data` under the same keys.
KEPT = ("id", "source", "meta")


class JsonlMention(Row):
    """A mention: its first character and the character after its last. Only mentions by name, not
    pronouns and descriptions, become the document's entities. Its type and its knowledge base id
    are those of its cluster if it has none of its own. Its text, if given, is compared with the
    document's; its `name` is the spelling of a source whose tokenisation changed it."""

    NAME = "mentions"
    MEANT: ClassVar = {
        "label": "type",
        "begin": "start",
        "start_offset": "start",
        "start_char": "start",
        "end_offset": "end",
        "end_char": "end",
    }

    start: int
    end: int
    named: bool = True
    text: str | None = None
    type: str | None = None
    kb_id: str | None = None
    name: str | None = None


class JsonlCluster(Row):
    """An entity: its type, its mentions, its name and its knowledge base id."""

    NAME = "clusters"
    MEANT: ClassVar = {"label": "type", "entity_type": "type", "spans": "mentions"}

    type: str = ""
    name: str | None = None
    kb_id: str | None = None
    mentions: list[JsonlMention]


class JsonlRelation(Row):
    """A relation between the clusters `head` and `tail` (their numbers from 0), and the offsets of
    the text that supports it."""

    NAME = "relations"
    MEANT: ClassVar = {"type": "label", "relation": "label", "subject": "head", "object": "tail"}

    head: int
    label: str
    tail: int
    score: float = Field(default=1.0, ge=0, le=1)
    evidence: list[Offsets] = Field(default_factory=list)


class JsonlDocument(Row):
    """A document. Without `sentences` (first and last offsets) it has no sentence boundaries,
    without `relations` it is not annotated."""

    MEANT: ClassVar = {
        "entities": "clusters",
        "spans": "clusters",
        "labels": "relations",
        "sents": "sentences",
    }

    title: str = ""
    text: str
    sentences: list[Offsets] = Field(default_factory=list)
    clusters: list[JsonlCluster] = Field(default_factory=list)
    relations: list[JsonlRelation] | None = None
    excluded_pairs: list[tuple[int, int]] = Field(default_factory=list)
    id: Any = None
    source: Any = None
    meta: Any = None


def read_jsonl(
    path: str | Path,
    nlp: Language,
    *,
    report: ConversionReport | None = None,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
) -> Iterator[Doc]:
    """Read documents in the JSON Lines format. What begins or ends inside a token is widened to
    whole tokens. Mentions whose text is given and not that at their offsets are placed by what the
    source counts (UTF-16 units, inclusive ends, ...) or where their text is, if that is at one
    place alone, and are refused otherwise.

    path (Union[str, Path]): The file.
    nlp (Language): The pipeline whose tokenizer cuts the texts.
    report (Optional[ConversionReport]): Counts what was not kept as it was.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    YIELDS (Doc): The documents.
    RAISES (DocreError): If a line is malformed; names the document and the field.
    """
    install_extension(attr)
    report = report or ConversionReport()

    def make(row: Any) -> Doc:
        title = str(row.get("title", "")) if isinstance(row, dict) else ""
        document = validate(JsonlDocument, row, report, title)
        return _to_doc(document, nlp, report, prefix, attr)

    return read_lines(path, make)


def _to_doc(
    document: JsonlDocument, nlp: Language, report: ConversionReport, prefix: str, attr: str
) -> Doc:
    doc = tokenize(nlp, document.text)
    doc.user_data["title"] = document.title
    kept = {key: getattr(document, key) for key in KEPT if key in document.model_fields_set}
    for key in filter(lambda key: is_too_deep(kept[key]), kept):
        raise DocumentError(key, f"nested more than {MAX_NESTING} deep")
    doc.user_data.update(kept)
    claims = [[_claim(mention) for mention in c.mentions] for c in document.clusters]
    placing = Placing(document.text, list(chain(*claims)), report, document.title)
    if document.sentences:
        set_sentences(doc, _starts(doc, placing, document.sentences))
    clusters, named = [], []
    for i, (cluster, its_claims) in enumerate(zip(document.clusters, claims, strict=True)):
        spans = []
        for j, (mention, claim) in enumerate(zip(cluster.mentions, its_claims, strict=True)):
            field = f"clusters[{i}].mentions[{j}]"
            offsets = _offsets(claim, placing, field)
            label = cluster.type if mention.type is None else mention.type
            span = _span(doc, offsets, field, label, mention.kb_id or cluster.kb_id or "")
            widened = span.start_char < offsets[0] or span.end_char > offsets[1]
            report.count("mentions widened to whole tokens", document.title, widened)
            spans.append(span)
            if mention.named:
                named.append(span)
        clusters.append(spans)
    for group, cluster in zip(set_clusters(doc, clusters, prefix), document.clusters, strict=True):
        _set_names(EntityCluster(group.name, group), cluster)
    doc.ents = filter_spans(named)
    if document.relations is not None:
        relations = [
            _relation(relation, f"relations[{i}]", doc, placing, len(clusters), prefix)
            for i, relation in enumerate(document.relations)
        ]
        set_relations(doc, relations, attr=attr)
    if document.excluded_pairs:
        pairs = enumerate(document.excluded_pairs)
        doc.user_data[EXCLUDED_PAIRS] = [
            [_key(number, f"excluded_pairs[{i}]", len(clusters), prefix) for number in pair]
            for i, pair in pairs
        ]
    return doc


def _claim(mention: JsonlMention) -> Claim:
    texts = () if mention.text is None else (mention.text,)
    return Claim([(mention.start, mention.end)], texts)


def _offsets(claim: Claim, placing: Placing, field: str) -> Offsets:
    place = placing.place(claim)
    if place is None:
        ((start, end),) = claim.fragments
        if not 0 <= start < end <= len(placing.text):
            raise DocumentError(field, f"{start}-{end} is not inside the text")
        found = f"the text at {start}-{end} is {placing.text[start:end][:60]!r}"
        raise DocumentError(field, f"{found}, not {claim.texts[0][:60]!r}")
    return place[0]


def _starts(doc: Doc, placing: Placing, sentences: list[Offsets]) -> set[int]:
    converted = (placing.convert([sentence])[0] for sentence in sentences)
    spans = (_place(doc, place, f"sentences[{i}]") for i, place in enumerate(converted))
    # White space between tokens begins no sentence: the token behind it may go on with one.
    return {span.start for span in spans if span.start < len(doc)}


def _set_names(cluster: EntityCluster, row: JsonlCluster) -> None:
    """The names that the cluster would not have by itself."""
    names = [m.name or span.text for m, span in zip(row.mentions, cluster.group, strict=True)]
    if any(mention.name for mention in row.mentions):
        cluster.group.attrs["names"] = names
    if row.name and row.name != cluster.text:
        cluster.group.attrs["name"] = row.name
    if row.kb_id and row.kb_id != cluster.kb_id:
        cluster.group.attrs["kb_id"] = row.kb_id


def _key(number: int, field: str, n_clusters: int, prefix: str) -> str:
    if not 0 <= number < n_clusters:
        raise DocumentError(field, f"there is no cluster {number}")
    return cluster_key(prefix, number + 1)


def _relation(
    relation: JsonlRelation,
    field: str,
    doc: Doc,
    placing: Placing,
    n_clusters: int,
    prefix: str,
) -> dict[str, Any]:
    spans = [
        _span(doc, offsets, f"{field}.evidence[{i}]")
        for i, offsets in enumerate(placing.convert(relation.evidence))
    ]
    return {
        "head": _key(relation.head, f"{field}.head", n_clusters, prefix),
        "label": relation.label,
        "tail": _key(relation.tail, f"{field}.tail", n_clusters, prefix),
        "score": relation.score,
        "evidence": [(span.start, span.end) for span in spans],
    }


def _span(doc: Doc, offsets: Offsets, field: str, label: str = "", kb_id: str = "") -> Span:
    span = _place(doc, offsets, field, label, kb_id)
    if not span:
        raise DocumentError(field, f"{offsets[0]}-{offsets[1]} is nothing but white space")
    return span


def _place(doc: Doc, offsets: Offsets, field: str, label: str = "", kb_id: str = "") -> Span:
    """The whole tokens of some characters; a span without tokens for white space between them."""
    start, end = offsets
    span = None
    if 0 <= start < end <= text_length(doc):
        span = doc.char_span(start, end, label=label, kb_id=kb_id, alignment_mode="expand")
    if span is None:
        raise DocumentError(field, f"{start}-{end} is not inside the text")
    return span
