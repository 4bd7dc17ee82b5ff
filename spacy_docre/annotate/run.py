"""Annotating a corpus part by part."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, islice

from spacy.language import Language

from ..errors import DocreError, Errors
from .checkpoint import Checkpoint, Progress
from .engine import Annotation, annotate
from .records import Failure, Record
from .sinks import SinkMaker

Observer = Callable[[Annotation | Failure], None]


def annotate_corpus(
    nlp: Language,
    records: Iterable[Record | Failure],
    checkpoint: Checkpoint,
    sinks: Mapping[str, SinkMaker],
    *,
    part_size: int,
    batch_size: int | None = None,
    n_process: int = 1,
    keep_clusters: bool = False,
    fail_fast: bool = False,
    observe: Observer | None = None,
) -> Progress:
    """Annotate what is not annotated yet. Each part goes through the pipeline by itself, so that
    its batches are the same whether or not the run was interrupted before.

    nlp (Language): The pipeline.
    records (Iterable[Union[Record, Failure]]): The documents, from the first one on.
    checkpoint (Checkpoint): The folder of the results.
    sinks (Mapping[str, SinkMaker]): What opens a part's file, by its suffix.
    part_size (int): The documents of a part, those that are set aside among them.
    batch_size (Optional[int]): See `annotate`.
    n_process (int): See `annotate`.
    keep_clusters (bool): See `annotate`.
    fail_fast (bool): Whether a document that would be set aside is an error instead.
    observe (Optional[Observer]): Called with each result.
    RETURNS (Progress): How far the run is: complete.
    RAISES (DocreError): If the documents that are done are not those of the input any more.
    """
    reader = _Reader(records)
    reader.skip(checkpoint.progress.records)
    if reader.digest != checkpoint.progress.digest:
        done = checkpoint.progress.records
        checkpoint.refuse(f"the first {done} documents of the input were others")
    while True:
        part = reader.read(part_size)
        first = next(part, None)
        if first is None:
            break
        started = time.monotonic()
        # What the vocabulary learns from a part is forgotten after it.
        with nlp.memory_zone():
            results = annotate(
                nlp,
                chain([first], part),
                batch_size=batch_size,
                n_process=n_process,
                keep_clusters=keep_clusters,
            )
            writer = _PartWriter(checkpoint, sinks, fail_fast, observe)
            for item in results:
                writer.add(item)
            writer.close(time.monotonic() - started, reader.digest)
    checkpoint.finish()
    return checkpoint.progress


class _Reader:
    """Reads documents and keeps a checksum of them."""

    def __init__(self, records: Iterable[Record | Failure]) -> None:
        self.records = iter(records)
        self.digest = ""

    def read(self, number: int) -> Iterator[Record | Failure]:
        for item in islice(self.records, number):
            fingerprint = self.digest.encode() + item.fingerprint()
            self.digest = hashlib.sha256(fingerprint).hexdigest()
            yield item

    def skip(self, number: int) -> None:
        for _ in self.read(number):
            pass


class _PartWriter:
    """Writes the files of one part."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        sinks: Mapping[str, SinkMaker],
        fail_fast: bool,
        observe: Observer | None,
    ) -> None:
        self.checkpoint = checkpoint
        self.sinks = {suffix: make(checkpoint.draft(suffix)) for suffix, make in sinks.items()}
        self.fail_fast = fail_fast
        self.observe = observe
        self.progress = checkpoint.progress
        self.failures: list[Failure] = []

    def add(self, item: Annotation | Failure) -> None:
        if isinstance(item, Failure):
            if self.fail_fast:
                place = {"source": item.source, "number": item.number, "id": item.id}
                raise DocreError(Errors.D040.format(**place, reason=item.reason))
            self.failures.append(item)
            self.progress = replace(self.progress, errors=self.progress.errors + 1)
        else:
            for sink in self.sinks.values():
                sink.add(item)
            self.progress = replace(
                self.progress,
                documents=self.progress.documents + 1,
                words=self.progress.words + len(item.doc),
                clusters=self.progress.clusters + len(item.row["clusters"]),
                relations=self.progress.relations + len(item.row["relations"]),
            )
        if self.observe:
            self.observe(item)

    def close(self, seconds: float, digest: str) -> None:
        for sink in self.sinks.values():
            sink.close()
        seconds += self.progress.seconds
        progress = replace(self.progress, seconds=round(seconds, 3), digest=digest)
        self.checkpoint.commit(self.sinks, self.failures, progress)
