"""Annotating a corpus on many machines, through Ray Data.

A part of the corpus is one row of a Ray dataset: a task on this machine reads the parts, a pool of
actors, each of which holds the pipeline, makes a part's files in memory, and this process writes
them to the folder of the results, in the order of the parts. So a part goes through the pipeline in
the same batches as on one machine, whichever worker gets it; a worker that dies takes with it only
parts that nobody has seen yet, and which are done again; the folder is that of the local engine,
and either can go on with it; and the workers share no file system."""

import os
import pickle
import platform
import tempfile
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import ray
import spacy
import torch
from ray.data import ActorPoolStrategy, DataContext, Dataset, Datasource
from ray.data.block import BlockMetadata
from ray.data.datasource import ReadTask
from ray.exceptions import RayError
from ray.util.annotations import RayDeprecationWarning
from thinc.api import require_gpu

from ..about import __version__
from ..errors import DocreError, Errors
from .checkpoint import Checkpoint, Progress, differences
from .engine import describe_model
from .records import Failure, Record
from .run import Reader, ReadInput, Tally, annotate_part, refuse_failure, skip_done
from .sinks import make_sinks
from .workers import PartSettings, Workers

# How often a part is tried again after its worker died: a document that takes every worker down
# must not keep the cluster busy for ever.
RETRIES = 3

COLUMN = "part"


@dataclass(frozen=True)
class _Part:
    """Documents that go through the pipeline together, and a checksum of everything up to them."""

    records: list[Record | Failure]
    digest: str


@dataclass(frozen=True)
class _DonePart:
    """What a worker has made of a part: the contents of its files, by their suffixes."""

    files: dict[str, bytes]
    tally: Tally
    digest: str


def annotate_corpus_on_ray(
    read: ReadInput,
    checkpoint: Checkpoint,
    settings: PartSettings,
    workers: Workers,
    *,
    part_size: int,
    fail_fast: bool = False,
    observe: Callable[[Tally], None] | None = None,
) -> Progress:
    """Annotate what is not annotated yet, on the Ray cluster that this process is connected to.

    read (Callable[[], Iterable[Union[Record, Failure]]]): Reads the documents, from the first one
        on, the same ones each time. It is called on this machine, in a process of its own, too.
    checkpoint (Checkpoint): The folder of the results.
    settings (PartSettings): How a part is annotated.
    workers (Workers): How many workers, and what each of them gets.
    part_size (int): The documents of a part, those that are set aside among them.
    fail_fast (bool): Whether a document that would be set aside is an error instead.
    observe (Optional[Callable[[Tally], None]]): Called with what each part has.
    RETURNS (Progress): How far the run is: complete.
    RAISES (DocreError): If the documents that are done are not those of the input any more, or if
        the workers cannot go on.
    """
    skip_done(read(), checkpoint)
    source = _Parts(read, checkpoint.progress.records, part_size)
    started = time.monotonic()
    try:
        with closing(_run(source, settings, workers)) as parts:
            for part in parts:
                if fail_fast and part.tally.failures:
                    refuse_failure(part.tally.failures[0])
                for suffix, content in part.files.items():
                    checkpoint.draft(suffix).write_bytes(content)
                now = time.monotonic()
                progress = part.tally.added_to(checkpoint.progress, now - started, part.digest)
                started = now
                checkpoint.commit(part.files, part.tally.failures, progress)
                if observe:
                    observe(part.tally)
    except RayError as error:
        names = {"folder": checkpoint.folder, "parts": checkpoint.progress.parts}
        raise DocreError(Errors.D073.format(reason=_reason(error), **names)) from error
    checkpoint.finish()
    return checkpoint.progress


def _run(
    source: Datasource, settings: PartSettings, workers: Workers
) -> Generator[_DonePart, None, None]:
    context = DataContext.get_current().copy()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # Ray joins rows up to that size, in bytes, to the blocks that workers get: here, a row is one.
    context.target_max_block_size = 1
    with DataContext.current(context):
        parts: Dataset = ray.data.read_datasource(source, num_cpus=0, override_num_blocks=1)
        with warnings.catch_warnings():
            # Ray up to 2.63 has no other way to limit the retries.
            warnings.simplefilter("ignore", RayDeprecationWarning)
            done = parts.map_batches(
                _Worker,
                fn_constructor_args=[settings, workers],
                compute=ActorPoolStrategy(size=workers.number),
                batch_size=1,
                batch_format="pyarrow",
                num_cpus=workers.cores,
                num_gpus=workers.gpus,
                ray_remote_args_fn=_fault_tolerance,
            )
        for row in done.iter_rows():
            yield pickle.loads(row[COLUMN])


def _fault_tolerance() -> dict[str, int]:
    return {"max_restarts": -1, "max_task_retries": RETRIES}


class _Parts(Datasource):
    """The parts of the corpus that are not done.

    read (Callable[[], Iterable[Union[Record, Failure]]]): Reads the documents.
    n_done (int): How many of them are done.
    part_size (int): The documents of a part.
    """

    # The files are on this machine, and perhaps on no other.
    supports_distributed_reads = False

    def __init__(self, read: ReadInput, n_done: int, part_size: int) -> None:
        super().__init__()
        # Without this object, which Ray's own reading tasks are not to be sent.
        self.blocks = partial(_read_parts, read, n_done, part_size, os.getcwd())

    def estimate_inmemory_data_size(self) -> int | None:
        """RETURNS (Optional[int]): Nothing: nobody has read the input yet."""
        return None

    def get_read_tasks(self, parallelism: int, *args: Any, **kwargs: Any) -> list[ReadTask]:
        """parallelism (int): How many tasks there could be.
        RETURNS (list[ReadTask]): One, since the checksum goes from one document to the next.
        """
        unknown = BlockMetadata(num_rows=None, size_bytes=None, exec_stats=None, input_files=None)
        return [ReadTask(self.blocks, unknown)]


def _read_parts(read: ReadInput, n_done: int, part_size: int, folder: str) -> Iterator[pa.Table]:
    with _working_folder(folder):
        reader = Reader(read())
        reader.skip(n_done)
        while records := list(reader.read(part_size)):
            yield _to_block(_Part(records, reader.digest))


@contextmanager
def _working_folder(folder: str) -> Iterator[None]:
    """Inputs are named, in the results too, as seen from where the command was started."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


class _Worker:
    """An actor that holds the pipeline.

    settings (PartSettings): How a part is annotated.
    workers (Workers): What the worker got.
    RAISES (DocreError): If this machine has another pipeline than that of the run.
    """

    def __init__(self, settings: PartSettings, workers: Workers) -> None:
        torch.set_num_threads(workers.cores)
        self.settings = settings
        self.on_gpu = workers.gpus > 0
        self._choose_device()
        self.nlp = spacy.load(settings.model)
        expected = {**settings.description, "spacy_docre": settings.version}
        found = {**describe_model(self.nlp), "spacy_docre": __version__}
        if found != expected:
            names = {"machine": platform.node(), "model": settings.model}
            raise DocreError(Errors.D071.format(differences=differences(expected, found), **names))
        self.sinks = make_sinks(settings.formats, settings.sinks)

    def __call__(self, block: pa.Table) -> pa.Table:
        self._choose_device()
        part: _Part = pickle.loads(block[COLUMN][0].as_py())
        with tempfile.TemporaryDirectory() as folder:
            paths = {suffix: Path(folder, f"part{suffix}") for suffix in self.sinks}
            tally = annotate_part(
                self.nlp,
                part.records,
                [make(paths[suffix]) for suffix, make in self.sinks.items()],
                batch_size=self.settings.batch_size,
                keep_clusters=self.settings.keep_clusters,
            )
            files = {suffix: path.read_bytes() for suffix, path in paths.items()}
        return _to_block(_DonePart(files, tally, part.digest))

    def _choose_device(self) -> None:
        # Thinc's choice is one of the thread, and Ray may call from another than that of the start.
        if self.on_gpu:
            require_gpu(0)


def _to_block(value: _Part | _DonePart) -> pa.Table:
    return pa.table({COLUMN: pa.array([pickle.dumps(value)], pa.large_binary())})


def _reason(error: RayError) -> str:
    """What went wrong, without the stacks of all processes that the error went through."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
