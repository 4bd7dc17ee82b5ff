"""The DocRED format: DocRED, Re-DocRED, Revisit-DocRED."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field
from spacy.tokens import Doc, Span
from spacy.util import filter_spans
from spacy.vocab import Vocab

from ...data.clusters import DEFAULT_PREFIX, cluster_key, set_clusters
from ...data.docs import blanks_after
from ...data.relation import (
    DEFAULT_ATTR,
    Relation,
    install_extension,
    set_relations,
)
from ...errors import DocreError, Errors, shortened
from ...files import parse_rows, read_json
from ..detokenized import printed_blanks
from ..placing import TokenPlacing
from ..report import ConversionReport
from ..validation import DocumentError, Row, check_unicode, validate


class DocredMention(Row):
    """A mention: its name, its sentence, its first token and the token after its last there."""

    NAME = "mentions"
    UNREAD = frozenset({"global_pos", "index"})

    name: str
    sent_id: int = Field(ge=0)
    pos: tuple[int, int]
    type: str


class DocredLabel(Row):
    """A relation between the entities `h` and `t`, and the sentences that support it."""

    NAME = "labels"
    MEANT: ClassVar = {"relation": "r", "label": "r", "type": "r", "head": "h", "tail": "t"}

    r: str
    h: int = Field(ge=0)
    t: int = Field(ge=0)
    evidence: list[int] = Field(default_factory=list)
    score: float = Field(default=1.0, ge=0, le=1)


class DocredDocument(Row):
    """A document. Test files have no labels."""

    MEANT: ClassVar = {
        "relations": "labels",
        "entities": "vertexSet",
        "clusters": "vertexSet",
        "sentences": "sents",
    }

    title: str
    sents: list[list[str]]
    vertexSet: list[list[DocredMention]]  # noqa: N815  the format's name
    labels: list[DocredLabel] | None = None


def read_docred(
    path: str | Path,
    vocab: Vocab,
    *,
    relation_names: Mapping[str, str] | None = None,
    detokenize: bool = False,
    report: ConversionReport | None = None,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
) -> Iterator[Doc]:
    """Read documents in the DocRED format. The tokens, sentences, mentions and their types are
    kept, evidence sentences become the relations' evidence, and the entity `vertexSet[i]` the
    cluster `doc.spans[f"{prefix}_{i + 1}"]`. Mentions are also the documents' entities
    (`doc.ents`; of overlapping ones the longest, without white space at its ends). A relation that
    is listed twice for a pair is kept once, with the evidence of both. The title is
    `doc.user_data["title"]`. A mention whose name is not the text of its tokens is placed by its
    name where that is at one place alone: with its last token as the end, in its sentence, or in
    the document.

    path (Union[str, Path]): The file, a list of JSON or JSON Lines.
    vocab (Vocab): The vocabulary of the documents.
    relation_names (Optional[Mapping[str, str]]): Names for the relations' identifiers ("P19"), as
        in `rel_info.json`; an identifier without a name is kept.
    detokenize (bool): Set the blanks of a printed text, see `printed_blanks`, instead of one after
        every token.
    report (Optional[ConversionReport]): Counts what was not kept as it was.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    YIELDS (Doc): The documents.
    RAISES (DocreError): If the file is malformed; names the document and the field.
    """
    install_extension(attr)
    report = report or ConversionReport()
    for index, row in enumerate(read_json(path, parse_rows)):
        try:
            title = str(row.get("title", "")) if isinstance(row, dict) else ""
            document = validate(DocredDocument, row, report, title)
            doc = _to_doc(document, vocab, report, prefix, detokenize)
            if document.labels is not None:
                names = relation_names or {}
                set_relations(doc, _relations(document, doc, names, prefix), attr=attr)
        except DocumentError as error:
            raise error.in_file(path, index, row) from None
        yield doc


def _to_doc(
    document: DocredDocument, vocab: Vocab, report: ConversionReport, prefix: str, detokenize: bool
) -> Doc:
    words = [word for sent in document.sents for word in sent]
    for number, sent in enumerate(document.sents):
        if not all(sent):
            raise DocumentError(f"sents[{number}]", "a token is empty")
    sent_starts: list[bool | int | None] = [
        i == 0 for sent in document.sents for i in range(len(sent))
    ]
    if detokenize:
        blanks = [blank for sent in document.sents for blank in printed_blanks(sent)]
    else:
        blanks = blanks_after(words, vocab)
    doc = Doc(vocab, words=words, spaces=blanks, sent_starts=sent_starts)
    doc.user_data["title"] = document.title
    offsets, placing = _sentence_offsets(document), TokenPlacing(words)
    clusters = []
    for number, mentions in enumerate(document.vertexSet):
        spans = []
        for place, mention in enumerate(mentions):
            field = f"vertexSet[{number}][{place}]"
            if mention.sent_id >= len(document.sents):
                raise DocumentError(f"{field}.sent_id", f"there is no sentence {mention.sent_id}")
            start, end = mention.pos
            if not 0 <= start < end <= len(document.sents[mention.sent_id]):
                raise DocumentError(f"{field}.pos", f"{start}-{end} is not inside the sentence")
            sentence = (offsets[mention.sent_id], offsets[mention.sent_id + 1])
            start, end = start + sentence[0], end + sentence[0]
            if not placing.agrees(mention.name, start, end):
                start, end = _place(mention, (start, end), sentence, placing, report, doc)
            spans.append(Span(doc, start, end, label=mention.type))
        clusters.append(spans)
    groups = set_clusters(doc, clusters, prefix)
    for group, mentions in zip(groups, document.vertexSet, strict=True):
        names = [mention.name for mention in mentions]
        if names != [span.text for span in group]:
            group.attrs["names"] = names
    doc.ents = filter_spans(_without_blanks(span) for spans in clusters for span in spans)
    return doc


def _without_blanks(span: Span) -> Span:
    """The mention without tokens of white space at its ends, from which no recogniser can learn."""
    kept = [token.i for token in span if not token.text.isspace()] or [span.start, span.end - 1]
    return Span(span.doc, kept[0], kept[-1] + 1, label=span.label)


def _place(
    mention: DocredMention,
    place: tuple[int, int],
    sentence: tuple[int, int],
    placing: TokenPlacing,
    report: ConversionReport,
    doc: Doc,
) -> tuple[int, int]:
    """The tokens of a mention whose name is not theirs."""
    start, end = place
    title = doc.user_data["title"]
    if end < sentence[1] and placing.agrees(mention.name, start, end + 1):
        report.count("mentions whose name is not that of their tokens but of one more", title)
        return start, end + 1
    found = placing.only_place(mention.name, *sentence)
    if found:
        report.count("mentions whose name is not that of their tokens, placed by it", title)
        return found
    found = placing.only_place(mention.name, 0, len(doc))
    if found:
        report.count("mentions whose sentence is not that of their name, placed by it", title)
        return found
    report.count("mentions whose name is not that of their tokens, kept there", title)
    return place


def _relations(
    document: DocredDocument, doc: Doc, relation_names: Mapping[str, str], prefix: str
) -> list[Relation]:
    offsets = _sentence_offsets(document)
    evidence_of: dict[tuple[str, str, str], set[int]] = {}
    score_of: dict[tuple[str, str, str], float] = {}
    for number, label in enumerate(document.labels or []):
        for name, entity in (("h", label.h), ("t", label.t)):
            if entity >= len(document.vertexSet):
                raise DocumentError(f"labels[{number}].{name}", f"there is no entity {entity}")
        for sentence in label.evidence:
            if not 0 <= sentence < len(document.sents):
                raise DocumentError(
                    f"labels[{number}].evidence", f"there is no sentence {sentence}"
                )
        relation_type = relation_names.get(label.r, label.r)
        triple = (cluster_key(prefix, label.h + 1), relation_type, cluster_key(prefix, label.t + 1))
        evidence_of.setdefault(triple, set()).update(label.evidence)
        score_of.setdefault(triple, label.score)
    return [
        Relation(
            *triple,
            score_of[triple],
            evidence=[(offsets[i], offsets[i + 1]) for i in sorted(evidence)],
        )
        for triple, evidence in evidence_of.items()
    ]


def _sentence_offsets(document: DocredDocument) -> list[int]:
    offsets = [0]
    for sent in document.sents:
        offsets.append(offsets[-1] + len(sent))
    return offsets


def read_relation_names(path: str | Path) -> dict[str, str]:
    """Read the names of relations, as in DocRED's `rel_info.json`.

    path (Union[str, Path]): A JSON object from identifiers ("P19") to names ("place of birth").
    RETURNS (dict[str, str]): The names.
    RAISES (DocreError): If the file holds anything else, or a name twice.
    """
    names = read_json(path)
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        reason = "expected an object from relation identifiers to names"
        raise DocreError(Errors.D015.format(path=path, reason=reason))
    try:
        check_unicode(names)
    except DocumentError as error:
        reason = f"field '{error.field}': {error.reason}"
        raise DocreError(Errors.D015.format(path=path, reason=shortened(reason))) from None
    if len(set(names.values())) < len(names):
        reason = "two relation identifiers have the same name"
        raise DocreError(Errors.D015.format(path=path, reason=reason))
    return names
