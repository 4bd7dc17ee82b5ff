"""Annotating a corpus part by part."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain, islice

from spacy.language import Language

from ..errors import DocreError, Errors
from .checkpoint import Checkpoint, Progress
from .engine import Annotation, annotate
from .records import Failure, Record
from .sinks import Sink, SinkMaker

Observer = Callable[[Annotation | Failure], None]
ReadInput = Callable[[], Iterable[Record | Failure]]


@dataclass
class Tally:
    """What a part has.

    documents (int): The documents that were annotated.
    words (int): Their tokens.
    clusters (int): Their entity clusters.
    relations (int): Their relations.
    failures (list[Failure]): The documents that were set aside.
    """

    documents: int = 0
    words: int = 0
    clusters: int = 0
    relations: int = 0
    failures: list[Failure] = field(default_factory=list)

    def add(self, item: Annotation | Failure) -> None:
        """item (Union[Annotation, Failure]): The next result."""
        if isinstance(item, Failure):
            self.failures.append(item)
            return
        self.documents += 1
        self.words += len(item.doc)
        self.clusters += len(item.row["clusters"])
        self.relations += len(item.row["relations"])

    def added_to(self, progress: Progress, seconds: float, digest: str) -> Progress:
        """How far a run is after the part.

        progress (Progress): How far it was before.
        seconds (float): The time that the part took.
        digest (str): A checksum of everything that was read.
        RETURNS (Progress): How far it is now.
        """
        return replace(
            progress,
            documents=progress.documents + self.documents,
            errors=progress.errors + len(self.failures),
            words=progress.words + self.words,
            clusters=progress.clusters + self.clusters,
            relations=progress.relations + self.relations,
            seconds=round(progress.seconds + seconds, 3),
            digest=digest,
        )


class Reader:
    """Reads documents and keeps a checksum of them.

    records (Iterable[Union[Record, Failure]]): The documents.
    """

    def __init__(self, records: Iterable[Record | Failure]) -> None:
        self.records = iter(records)
        self.digest = ""

    def read(self, number: int) -> Iterator[Record | Failure]:
        """number (int): How many documents to read at most.
        YIELDS (Union[Record, Failure]): The documents.
        """
        for item in islice(self.records, number):
            fingerprint = self.digest.encode() + item.fingerprint()
            self.digest = hashlib.sha256(fingerprint).hexdigest()
            yield item

    def skip(self, number: int) -> None:
        """number (int): How many documents to read over."""
        for _ in self.read(number):
            pass


def skip_done(records: Iterable[Record | Failure], checkpoint: Checkpoint) -> Reader:
    """Read over the documents that are done.

    records (Iterable[Union[Record, Failure]]): The documents, from the first one on.
    checkpoint (Checkpoint): The folder of the results.
    RETURNS (Reader): Reads the others.
    RAISES (DocreError): If the documents that are done are not those of the input any more.
    """
    reader = Reader(records)
    done = checkpoint.progress.records
    reader.skip(done)
    if reader.digest != checkpoint.progress.digest:
        checkpoint.refuse(f"the first {done} documents of the input were others")
    return reader


def check_complete(records: Iterable[Record | Failure], checkpoint: Checkpoint) -> None:
    """Check that results that are complete are those of the input as it is now.

    records (Iterable[Union[Record, Failure]]): The documents, from the first one on.
    checkpoint (Checkpoint): The folder of the results.
    RAISES (DocreError): If other or more documents are to be annotated now.
    """
    reader = skip_done(records, checkpoint)
    for _ in reader.read(1):
        checkpoint.refuse(f"the input had {checkpoint.progress.records} documents and has more")


def annotate_part(
    nlp: Language,
    records: Iterable[Record | Failure],
    sinks: Iterable[Sink],
    *,
    batch_size: int | None = None,
    n_process: int = 1,
    keep_clusters: bool = False,
    observe: Observer | None = None,
) -> Tally:
    """Annotate the documents of one part and write its files. What the vocabulary learns from them
    is forgotten.

    nlp (Language): The pipeline.
    records (Iterable[Union[Record, Failure]]): The documents.
    sinks (Iterable[Sink]): The files.
    batch_size (Optional[int]): See `annotate`.
    n_process (int): See `annotate`.
    keep_clusters (bool): See `annotate`.
    observe (Optional[Observer]): Called with each result.
    RETURNS (Tally): What the part has.
    """
    tally = Tally()
    sinks = list(sinks)
    annotations = annotate(
        nlp, records, batch_size=batch_size, n_process=n_process, keep_clusters=keep_clusters
    )
    # Closed at once, not when an exception is forgotten: other processes may be at work.
    with nlp.memory_zone(), closing(annotations) as results:
        for item in results:
            tally.add(item)
            if isinstance(item, Annotation):
                for sink in sinks:
                    sink.add(item)
            if observe:
                observe(item)
        for sink in sinks:
            sink.close()
    return tally


def refuse_failure(failure: Failure) -> None:
    """RAISES (DocreError): Says which document was to be set aside, and why."""
    place = {"source": failure.source, "number": failure.number, "id": failure.id}
    raise DocreError(Errors.D040.format(**place, reason=failure.reason))


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
    reader = skip_done(records, checkpoint)

    def show(item: Annotation | Failure) -> None:
        if fail_fast and isinstance(item, Failure):
            refuse_failure(item)
        if observe:
            observe(item)

    while True:
        part = reader.read(part_size)
        first = next(part, None)
        if first is None:
            break
        started = time.monotonic()
        tally = annotate_part(
            nlp,
            chain([first], part),
            [make(checkpoint.draft(suffix)) for suffix, make in sinks.items()],
            batch_size=batch_size,
            n_process=n_process,
            keep_clusters=keep_clusters,
            observe=show,
        )
        seconds = time.monotonic() - started
        progress = tally.added_to(checkpoint.progress, seconds, reader.digest)
        checkpoint.commit(sinks, tally.failures, progress)
    checkpoint.finish()
    return checkpoint.progress
