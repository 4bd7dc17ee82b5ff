"""Running a pipeline over records. Where they come from and where the rows go is not known here, so
that any engine can call it for a part of a corpus."""

import hashlib
import json
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, cast

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import minibatch, raise_error

from ..corpora.jsonl import to_jsonl
from ..corpora.readers import copy_sentences
from ..corpora.text import check_length, tokenize
from ..data.clusters import copy_clusters, copy_span, get_clusters, remove_clusters
from ..data.docs import bare_doc
from ..data.relation import get_relations, set_relations
from ..extractor.pipeline import find_extractor
from ..files.folders import checksum
from .processes import map_in_processes
from .records import Failure, Record

# Beyond that, the scores of one document differ between batches and machines.
SCORE_DIGITS = 4


@dataclass(frozen=True)
class Annotation:
    """An annotated document.

    record (Record): Where it comes from.
    doc (Doc): The document.
    row (dict[str, Any]): The same as plain values, see `docs/how-to/annotate.md`.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    """

    record: Record
    doc: Doc
    row: dict[str, Any]
    prefix: str
    attr: str


def annotate(
    nlp: Language,
    records: Iterable[Record | Failure],
    *,
    batch_size: int | None = None,
    n_process: int = 1,
    keep_clusters: bool = False,
) -> Generator[Annotation | Failure, None, None]:
    """Annotate documents. If a component fails on a batch, its documents are tried one by one, and
    those that fail again become failures with the reason.

    nlp (Language): The pipeline, with a relation extractor.
    records (Iterable[Union[Record, Failure]]): The documents; failures are passed on.
    batch_size (Optional[int]): How many documents go through a component at once. None takes the
        pipeline's.
    n_process (int): The number of processes; -1 for as many as there are cores. They are ended
        when the iterator is closed, or when this process ends.
    keep_clusters (bool): Whether records with a `doc` keep its sentences, entities and clusters,
        instead of getting the pipeline's.
    YIELDS (Union[Annotation, Failure]): One for each record, in their order.
    RAISES (DocreError): If the pipeline has no relation extractor, or if one of the processes is
        killed.
    """
    annotator = _Annotator(nlp, batch_size, keep_clusters)
    if n_process == 1:
        yield from annotator.run(records)
        return
    n_process = n_process if n_process > 0 else os.cpu_count() or 1
    batches = minibatch(records, annotator.batch_size)
    with closing(map_in_processes(annotator.run_packed, batches, n_process)) as results:
        for batch, packed in results:
            for item, result in zip(batch, packed, strict=True):
                yield annotator.unpacked(item, result)


def annotate_rows(
    nlp: Language, records: Iterable[Record | Failure], **settings: Any
) -> Iterator[dict[str, Any]]:
    """Annotate documents, from plain values to plain values: what a distributed engine calls for
    each of its batches.

    nlp (Language): The pipeline, with a relation extractor.
    records (Iterable[Union[Record, Failure]]): The documents.
    **settings (Any): As for `annotate`.
    YIELDS (dict[str, Any]): The row of each document; of a failure the row with a `reason`.
    """
    with closing(annotate(nlp, records, **settings)) as items:
        for item in items:
            yield item.row() if isinstance(item, Failure) else item.row


class _Annotator:
    def __init__(self, nlp: Language, batch_size: int | None, keep_clusters: bool) -> None:
        name, extractor = find_extractor(nlp)
        self.nlp = nlp
        self.prefix = extractor.cfg["prefix"]
        self.attr = extractor.cfg["attr"]
        self.keep_clusters = keep_clusters
        self.batch_size = batch_size or nlp.batch_size
        place = nlp.pipe_names.index(name)
        self.before, self.after = nlp.pipe_names[:place], nlp.pipe_names[place:]
        self.waiting: dict[int, Record | Failure] = {}

    def run(self, records: Iterable[Record | Failure]) -> Iterator[Annotation | Failure]:
        with _error_handler(self.nlp, _leave_out):
            for doc, place in self._pipe(self._docs(records)):
                yield from self._overdue(place)
                yield self._finish(cast(Record, self.waiting.pop(place)), doc)
            yield from self._overdue(None)

    def run_packed(self, records: list[Record | Failure]) -> "list[_Packed | Failure]":
        """The results of a batch, for another process."""
        return [
            item if isinstance(item, Failure) else _Packed(_to_bytes(item.doc, self.attr), item.row)
            for item in self.run(records)
        ]

    def unpacked(
        self, record: Record | Failure, result: "_Packed | Failure"
    ) -> Annotation | Failure:
        """The result of a record, from another process."""
        if isinstance(record, Failure):
            return record
        if isinstance(result, Failure):
            return result
        doc = Doc(self.nlp.vocab).from_bytes(result.doc)
        return Annotation(record, doc, result.row, self.prefix, self.attr)

    def _docs(self, records: Iterable[Record | Failure]) -> Iterator[tuple[Doc, int]]:
        for place, item in enumerate(records):
            self.waiting[place] = item
            if isinstance(item, Failure):
                continue
            try:
                doc = self._make_doc(item)
            except Exception as error:
                self.waiting[place] = item.failure(error)
            else:
                yield doc, place

    def _make_doc(self, record: Record) -> Doc:
        check_length(self.nlp, record.text)
        if record.doc is None:
            doc = tokenize(self.nlp, record.text)
        else:
            given = Doc(self.nlp.vocab).from_bytes(record.doc)
            doc = bare_doc(given, self.nlp.vocab)
            if self.keep_clusters:
                copy_sentences(given, doc)
        doc.user_data["title"] = record.title
        return doc

    def _pipe(self, docs: Iterable[tuple[Doc, int]]) -> Iterator[tuple[Doc, int]]:
        if not self.keep_clusters:
            return self._run(docs, leaving_out=[])
        docs = self._with_given_clusters(self._run(docs, leaving_out=self.after))
        return self._run(docs, leaving_out=self.before)

    def _run(
        self, docs: Iterable[tuple[Doc, int]], *, leaving_out: list[str]
    ) -> Iterator[tuple[Doc, int]]:
        # Not `set_error_handler`: spaCy's parser and recogniser cannot be given one.
        for batch in minibatch(docs, self.batch_size):
            tuples = cast(Iterable[tuple[str | Doc, int]], batch)
            try:
                annotated = list(
                    self.nlp.pipe(
                        tuples, as_tuples=True, batch_size=self.batch_size, disable=leaving_out
                    )
                )
            except Exception:
                continue  # its documents are missing, and tried one by one
            yield from annotated

    def _with_given_clusters(self, docs: Iterable[tuple[Doc, int]]) -> Iterator[tuple[Doc, int]]:
        for doc, place in docs:
            try:
                self._give_clusters(cast(Record, self.waiting[place]), doc)
            except Exception:
                continue  # the document is missing, and tried by itself
            yield doc, place

    def _give_clusters(self, record: Record, doc: Doc) -> None:
        if record.doc is None:
            return
        given = Doc(self.nlp.vocab).from_bytes(record.doc)
        remove_clusters(doc, self.prefix)
        copy_clusters(given, doc, self.prefix)
        if given.has_annotation("ENT_IOB"):
            spans = (copy_span(ent, doc) for ent in given.ents)
            doc.ents = [span for span in spans if span is not None]

    def _overdue(self, place: int | None) -> Iterator[Annotation | Failure]:
        """What the pipeline left out before a place, or at all."""
        while self.waiting and (place is None or next(iter(self.waiting)) < place):
            item = self.waiting.pop(next(iter(self.waiting)))
            yield self._annotate_one(item) if isinstance(item, Record) else item

    def _annotate_one(self, record: Record) -> Annotation | Failure:
        try:
            with _error_handler(self.nlp, raise_error):
                doc = self._make_doc(record)
                if self.keep_clusters:
                    doc = self.nlp(doc, disable=self.after)
                    self._give_clusters(record, doc)
                    doc = self.nlp(doc, disable=self.before)
                else:
                    doc = self.nlp(doc)
        except Exception as error:
            return record.failure(error)
        return self._finish(record, doc)

    def _finish(self, record: Record, doc: Doc) -> Annotation | Failure:
        try:
            _settle_relations(doc, self.attr)
            row = {
                "id": record.id,
                "source": record.source,
                **to_jsonl(doc, prefix=self.prefix, attr=self.attr),
                "meta": record.meta,
            }
        except Exception as error:
            return record.failure(error)
        clusters = get_clusters(doc, self.prefix)
        for cluster, cluster_row in zip(clusters, row["clusters"], strict=True):
            cluster_row["kb_id"] = cluster.kb_id
        return Annotation(record, doc, row, self.prefix, self.attr)


@dataclass(frozen=True)
class _Packed:
    """What one process sends to another of an `Annotation`."""

    doc: bytes
    row: dict[str, Any]


def _to_bytes(doc: Doc, attr: str) -> bytes:
    try:
        return doc.to_bytes()
    except Exception:
        # What components leave in `doc.user_data` is anything, such as coreferee's chains.
        relations = get_relations(doc, attr=attr)
        doc.user_data = {"title": doc.user_data["title"]}
        set_relations(doc, relations, attr=attr)
        return doc.to_bytes()


def model_name(nlp: Language) -> str:
    """nlp (Language): A pipeline.
    RETURNS (str): Its name and version.
    """
    return f"{nlp.lang}_{nlp.meta['name']}-{nlp.meta['version']}"


def describe_model(nlp: Language) -> dict[str, str]:
    """What tells a pipeline from others: its name, and a checksum of its config, its meta data and,
    if it was loaded from a folder, of all files there, the weights among them.

    nlp (Language): The pipeline.
    RETURNS (dict[str, str]): The "name" and the "checksum".
    """
    description = nlp.config.to_str() + json.dumps(nlp.meta, sort_keys=True, default=str)
    if nlp.path is not None:
        description += checksum(nlp.path)
    return {"name": model_name(nlp), "checksum": hashlib.sha256(description.encode()).hexdigest()}


def _settle_relations(doc: Doc, attr: str) -> None:
    """Take the noise from scores, and from the order that they gave."""
    relations = [
        {**relation, "score": round(relation.score, SCORE_DIGITS)}
        for relation in get_relations(doc, attr=attr)
    ]
    relations.sort(key=lambda row: (-row["score"], row["head"], row["label"], row["tail"]))
    set_relations(doc, relations, attr=attr)


def _leave_out(name: Any, component: Any, docs: Any, error: Exception) -> None:
    """Nothing: spaCy goes on without a batch that failed, whose documents are then found to be
    missing."""


@contextmanager
def _error_handler(nlp: Language, handler: Any) -> Iterator[None]:
    own = nlp.default_error_handler
    nlp.default_error_handler = handler
    try:
        yield
    finally:
        nlp.default_error_handler = own
