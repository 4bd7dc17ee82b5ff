"""Prodigy's JSON Lines, as its recipe rel.manual writes them (https://prodi.gy/docs/api-interfaces)."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field
from spacy.language import Language
from spacy.tokens import Doc

from .folders import write_file
from .formats import Format
from .lines import read_lines
from .mentions import READ_OPTIONS, GivenDocument, GivenMention, from_doc, to_doc
from .report import ConversionReport
from .validation import DocumentError, Row, validate

ACCEPTED = "accept"
# What Prodigy keeps for itself.
OWN_KEYS = frozenset(
    {
        "_input_hash",
        "_task_hash",
        "_session_id",
        "_annotator_id",
        "_timestamp",
        "_view_id",
        "_is_binary",
        "config",
        "options",
        "accept",
        "session",
    }
)


class ProdigySpan(Row):
    """A mention: its first character and the character after its last."""

    NAME = "spans"
    UNREAD = frozenset({"type", "source", "pattern", "input_hash", "rank"})

    start: int
    end: int
    token_start: int | None = None
    token_end: int | None = None
    label: str = ""
    text: str | None = None
    kb_id: str | None = None


class ProdigyToken(BaseModel):
    """A token. Others of its keys are not needed."""

    text: str


class ProdigyRelation(Row):
    """A relation from the span `head_span` to `child_span`; `head` and `child` are their tokens."""

    NAME = "relations"
    UNREAD = frozenset({"head", "child", "color"})

    head_span: ProdigySpan
    child_span: ProdigySpan
    label: str


class ProdigyDocument(Row):
    """A document."""

    UNREAD = OWN_KEYS

    text: str
    tokens: list[ProdigyToken] = Field(default_factory=list)
    spans: list[ProdigySpan] = Field(default_factory=list)
    relations: list[ProdigyRelation] | None = None
    answer: str = ACCEPTED
    meta: dict[str, Any] | None = None


def read_prodigy(
    path: Path, nlp: Language, *, report: ConversionReport, **options: Any
) -> Iterator[Doc]:
    """Read a file of Prodigy's. Answers other than "accept" are skipped. The document's meta data
    are `doc.user_data["meta"]`, the "title" among them its title.

    path (Path): The file.
    nlp (Language): The pipeline whose tokenizer cuts the texts.
    report (ConversionReport): Counts what is not kept as it was.
    **options: As for `to_doc`.
    YIELDS (Doc): The documents.
    RAISES (DocreError): If a line is malformed; names the document and the field.
    """

    def make(row: Any) -> Doc | None:
        document = validate(ProdigyDocument, row, report)
        meta = document.meta or {}
        title = str(meta.get("title", ""))
        if document.answer != ACCEPTED:
            report.count(f"documents with another answer than {ACCEPTED!r}, skipped", title)
            return None
        ids: dict[tuple[int, int, str], str] = {}
        mentions = []
        for span in document.spans:
            place = (span.start, span.end, span.label)
            if place in ids:
                report.count("mentions listed twice, kept once", title)
                continue
            ids[place] = str(len(ids) + 1)
            text = _text_of(span, document.tokens)
            mentions.append(GivenMention(ids[place], *place, text, span.kb_id or ""))
        given = GivenDocument(title, document.text, mentions, data={"meta": meta} if meta else {})
        if document.relations is not None:
            given.relations = [_relation(r, i, ids) for i, r in enumerate(document.relations)]
        return to_doc(given, nlp, report, **options)

    return read_lines(path, make)


def _text_of(span: ProdigySpan, tokens: list[ProdigyToken]) -> str | None:
    """A mention's text, as far as the row says it beside the offsets."""
    if span.text is None and span.token_start is not None and span.token_end is not None:
        # Nothing, where the numbers of tokens are not in order.
        words = tokens[max(span.token_start, 0) : max(span.token_end, 0) + 1]
        return " ".join(token.text for token in words) or None
    return span.text


def _relation(
    relation: ProdigyRelation, number: int, ids: dict[tuple[int, int, str], str]
) -> tuple[str, str, str]:
    ends = []
    for name, span in (("head_span", relation.head_span), ("child_span", relation.child_span)):
        place = (span.start, span.end, span.label)
        if place not in ids:
            reason = f"there is no span {span.start}-{span.end} of the type {span.label!r}"
            raise DocumentError(f"relations[{number}].{name}", reason)
        ends.append(ids[place])
    return ends[0], relation.label, ends[1]


def _write(docs: Iterable[Doc], path: Path, *, report: ConversionReport, **settings: Any) -> int:
    def line(doc: Doc) -> str:
        given = from_doc(doc, report, has_ids=True, **settings)
        spans = {}
        for mention in given.mentions:
            span = doc.char_span(mention.start, mention.end)
            assert span is not None
            place = {"start": mention.start, "end": mention.end, "label": mention.label}
            tokens = {"token_start": span.start, "token_end": span.end - 1}
            kb_id = {"kb_id": mention.kb_id} if mention.kb_id else {}
            spans[mention.id] = {**place, **tokens, **kb_id}
        meta = dict(doc.user_data.get("meta") or {})
        row = {
            "text": given.text,
            "tokens": [
                {
                    "text": token.text,
                    "start": token.idx,
                    "end": token.idx + len(token),
                    "id": token.i,
                    "ws": bool(token.whitespace_),
                }
                for token in doc
            ],
            "spans": list(spans.values()),
            "relations": [
                {
                    "head": spans[head]["token_end"],
                    "child": spans[tail]["token_end"],
                    "head_span": spans[head],
                    "child_span": spans[tail],
                    "label": label,
                }
                for head, label, tail in given.relations or []
            ],
            "meta": {**meta, "title": given.title} if given.title else meta,
            "answer": ACCEPTED,
        }
        return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"

    return write_file(docs, path, line)


FORMAT = Format(
    "prodigy",
    "Prodigy's JSON Lines",
    "a JSON Lines file of Prodigy (rel.manual)",
    read_prodigy,
    _write,
    lambda sample: (
        sample.is_rows
        and "text" in sample.first_object
        and bool(sample.first_object.keys() & {"spans", "_task_hash", "answer"})
    ),
    suffix=".jsonl",
    read_options=READ_OPTIONS,
)
