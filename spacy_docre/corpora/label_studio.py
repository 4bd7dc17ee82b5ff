"""Label Studio's JSON (https://labelstud.io/guide/task_format)."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, Field
from spacy.language import Language
from spacy.tokens import Doc

from ..files import parse_rows, read_json
from .folders import write_file
from .formats import Format, Option
from .mentions import READ_OPTIONS, GivenDocument, GivenMention, from_doc, to_doc
from .report import ConversionReport
from .validation import DocumentError, Row, validate

LABELS, RELATION = "labels", "relation"
# What Label Studio keeps for itself.
OWN_KEYS = frozenset(
    {
        "allow_skip",
        "avg_lead_time",
        "cancelled_annotations",
        "comment_authors",
        "comment_count",
        "created_at",
        "drafts",
        "file_upload",
        "inner_id",
        "is_labeled",
        "last_comment_updated_at",
        "overlap",
        "project",
        "total_annotations",
        "total_predictions",
        "unresolved_comment_count",
        "updated_at",
        "updated_by",
    }
)


class Result(BaseModel):
    """A region of text or a relation between two. Other kinds have other fields."""

    type: str
    id: str | None = None
    value: dict[str, Any] = Field(default_factory=dict)
    from_id: str | None = None
    to_id: str | None = None
    direction: str = "right"
    labels: list[str] = Field(default_factory=list)


class Annotation(BaseModel):
    """What one annotator said."""

    result: list[Result]
    was_cancelled: bool = False
    ground_truth: bool = False


class Task(Row):
    """A task: its data, one of them a text, and its annotations."""

    NAME = "tasks"
    UNREAD = OWN_KEYS
    MEANT: ClassVar = {"completions": "annotations", "annotation": "annotations"}

    data: dict[str, Any]
    annotations: list[Annotation] = Field(default_factory=list)
    predictions: list[Any] = Field(default_factory=list)
    id: int | str | None = None
    meta: Any = None


def read_label_studio(
    path: Path,
    nlp: Language,
    *,
    report: ConversionReport,
    field: str = "text",
    **options: Any,
) -> Iterator[Doc]:
    """Read a file of Label Studio's. Of several annotations of a text that is read which is marked
    as ground truth, or else the first that was not cancelled. A relation without a label is one of
    the type "related".

    path (Path): The file.
    nlp (Language): The pipeline whose tokenizer cuts the texts.
    report (ConversionReport): Counts what is not kept as it was.
    field (str): The name of the text among the data of a task.
    **options: As for `to_doc`.
    YIELDS (Doc): The documents.
    RAISES (DocreError): If the file is malformed; names the document and the field.
    """
    for index, row in enumerate(read_json(path, parse_rows)):
        try:
            given = _given(validate(Task, row, report), field, report)
            doc = to_doc(given, nlp, report, **options)
        except DocumentError as error:
            raise error.in_file(path, index, row) from None
        yield doc


def _given(task: Task, field: str, report: ConversionReport) -> GivenDocument:
    title = str(task.data.get("title") or task.id or "")
    text = task.data.get(field)
    if not isinstance(text, str):
        known = ", ".join(map(repr, task.data))
        raise DocumentError("data", f"there is no text {field!r}; there are: {known}")
    given = GivenDocument(title, text, data={"meta": task.meta} if task.meta else {})
    valid = [annotation for annotation in task.annotations if not annotation.was_cancelled]
    cancelled = len(task.annotations) - len(valid)
    report.count("annotations that were cancelled, skipped", title, cancelled)
    valid.sort(key=lambda annotation: not annotation.ground_truth)
    report.count("annotations beyond the first of a text, skipped", title, max(len(valid) - 1, 0))
    if not valid:
        report.count("predictions of models, which are not read", title, len(task.predictions))
        report.count("documents without an annotation, not annotated", title)
        return given
    relations: list[Any] = []
    unread = set()
    for number, result in enumerate(valid[0].result):
        if result.type == LABELS:
            given.mentions.append(_mention(result, number, report, title))
        elif result.type == RELATION:
            relations += _relation(result, number)
        else:
            report.count(f"results of the type {result.type[:40]!r}, which are not read", title)
            unread.add(result.id)
    unread -= {mention.id for mention in given.mentions}
    given.relations = [row for row in relations if unread.isdisjoint((row[0], row[2]))]
    skipped = len(relations) - len(given.relations)
    report.count("relations of results that are not read, skipped", title, skipped)
    return given


def _mention(result: Result, number: int, report: ConversionReport, title: str) -> GivenMention:
    value = result.value
    labels = value.get("labels") or [""]
    place = (value.get("start"), value.get("end"))
    if not all(isinstance(offset, int) for offset in place) or not isinstance(labels[0], str):
        raise DocumentError(f"result[{number}].value", "expected start, end and labels")
    report.count("labels beyond the first of a mention, skipped", title, len(labels) - 1)
    text = value.get("text")
    return GivenMention(
        result.id or str(number),
        int(value["start"]),
        int(value["end"]),
        labels[0],
        text if isinstance(text, str) else None,
    )


def _relation(result: Result, number: int) -> Iterator[tuple[str, str, str]]:
    if result.from_id is None or result.to_id is None:
        raise DocumentError(f"result[{number}]", "a relation needs from_id and to_id")
    for label in result.labels or ["related"]:
        if result.direction in ("right", "bi"):
            yield result.from_id, label, result.to_id
        if result.direction in ("left", "bi"):
            yield result.to_id, label, result.from_id


def _write(
    docs: Iterable[Doc],
    path: Path,
    *,
    report: ConversionReport,
    field: str = "text",
    **settings: Any,
) -> int:
    def text(doc: Doc) -> str:
        given = from_doc(doc, report, **settings)
        regions = [
            {
                "id": mention.id,
                "type": LABELS,
                "from_name": "label",
                "to_name": field,
                "value": {
                    "start": mention.start,
                    "end": mention.end,
                    "text": mention.text,
                    "labels": [mention.label],
                },
            }
            for mention in given.mentions
        ]
        relations = [
            {"type": RELATION, "from_id": head, "to_id": tail, "direction": "right", "labels": [r]}
            for head, r, tail in given.relations or []
        ]
        data = {field: given.text, **({"title": given.title} if given.title else {})}
        task: dict[str, Any] = {"data": data, "annotations": [{"result": regions + relations}]}
        if "meta" in doc.user_data:
            task["meta"] = doc.user_data["meta"]
        return json.dumps(task, ensure_ascii=False, allow_nan=False)

    return write_file(docs, path, text, start="[\n", between=",\n", end="\n]\n")


_FIELD = Option("field", str, "text", "The name of the text among the data of a task.")
FORMAT = Format(
    "label-studio",
    "Label Studio's JSON",
    "a JSON file of Label Studio with labels and relations",
    read_label_studio,
    _write,
    lambda sample: {"data", "annotations"} <= sample.first_object.keys(),
    suffix=".json",
    read_options=(*READ_OPTIONS, _FIELD),
    write_options=(_FIELD,),
)
