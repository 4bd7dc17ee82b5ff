"""doccano's JSON Lines of its relation projects (https://github.com/doccano/doccano)."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from spacy.language import Language
from spacy.tokens import Doc

from .folders import write_file
from .formats import Format
from .lines import read_lines
from .mentions import READ_OPTIONS, GivenDocument, GivenMention, from_doc, to_doc
from .report import ConversionReport
from .validation import Row, validate


class DoccanoEntity(Row):
    """A mention: its first character and the character after its last."""

    NAME = "entities"

    id: int | str
    label: str
    start_offset: int
    end_offset: int


class DoccanoRelation(Row):
    """A relation between the mentions of two ids."""

    NAME = "relations"
    UNREAD = frozenset({"id"})

    from_id: int | str
    to_id: int | str
    type: str


class DoccanoDocument(Row):
    """A document. Files of projects without relations have none."""

    UNREAD = frozenset({"Comments", "cats"})
    MEANT: ClassVar = {"data": "text", "spans": "entities", "label": "entities"}

    id: int | str | None = None
    text: str
    entities: list[DoccanoEntity]
    relations: list[DoccanoRelation] | None = None
    meta: Any = None


def read_doccano(
    path: Path, nlp: Language, *, report: ConversionReport, **options: Any
) -> Iterator[Doc]:
    """Read a file of doccano. Its ids are `doc.user_data["id"]`, other fields `["meta"]`.

    path (Path): The file.
    nlp (Language): The pipeline whose tokenizer cuts the texts.
    report (ConversionReport): Counts what is not kept as it was.
    **options: As for `to_doc`.
    YIELDS (Doc): The documents.
    RAISES (DocreError): If a line is malformed; names the document and the field.
    """

    def make(row: Any) -> Doc:
        document = validate(DoccanoDocument, row, report)
        mentions = [
            GivenMention(str(e.id), e.start_offset, e.end_offset, e.label)
            for e in document.entities
        ]
        data = {"meta": document.meta} if document.meta else {}
        given = GivenDocument(str(document.id or ""), document.text, mentions, data=data)
        if document.relations is not None:
            given.relations = [(str(r.from_id), r.type, str(r.to_id)) for r in document.relations]
        return to_doc(given, nlp, report, **options)

    return read_lines(path, make)


def _write(docs: Iterable[Doc], path: Path, *, report: ConversionReport, **settings: Any) -> int:
    def line(doc: Doc) -> str:
        given = from_doc(doc, report, **settings)
        row: dict[str, Any] = {
            "id": given.title,
            "text": given.text,
            "entities": [
                {"id": int(m.id), "label": m.label, "start_offset": m.start, "end_offset": m.end}
                for m in given.mentions
            ],
            "relations": [
                {"id": number, "from_id": int(head), "to_id": int(tail), "type": label}
                for number, (head, label, tail) in enumerate(given.relations or [], start=1)
            ],
            "Comments": [],
        }
        if "meta" in doc.user_data:
            row["meta"] = doc.user_data["meta"]
        return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"

    return write_file(docs, path, line)


FORMAT = Format(
    "doccano",
    "doccano's JSON Lines",
    "a JSON Lines file of doccano with entities and relations",
    read_doccano,
    _write,
    lambda sample: (
        sample.is_rows
        and {"text", "entities"} <= sample.first_object.keys()
        and "vertexSet" not in sample.first_object
    ),
    suffix=".jsonl",
    read_options=READ_OPTIONS,
)
