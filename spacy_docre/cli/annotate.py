"""`annotate`: the relations of a corpus of raw texts, in files that other programs read."""

import re
import time
from collections.abc import Iterator
from dataclasses import asdict
from enum import Enum
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import srsly
import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from tqdm import tqdm

from ..about import __version__
from ..annotation.checkpoint import ERRORS, Checkpoint, Progress
from ..annotation.engine import Annotation, describe_model, model_name
from ..annotation.records import Failure, Record
from ..annotation.run import ReadInput, Tally, annotate_corpus, check_complete
from ..annotation.sinks import DEFAULT_BASE_URI, Format, SinkSettings, make_sinks
from ..annotation.sources import STDIN, SourceSettings, read_records
from ..annotation.workers import LOCAL, PartSettings, Workers
from ..errors import DocreError, Errors, Warnings, shortened
from ..extractor.pipeline import find_extractor
from ..files import displayed
from .app import new_app
from .messages import GPU_ID, msg
from .pipelines import load_pipeline

app = new_app()


class Engine(str, Enum):
    """What runs the pipeline."""

    local = "local"
    ray = "ray"


# An absolute IRI, to which a path can be added.
BASE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|\\^`#?]*")


@app.command()
def annotate_command(
    model: str = typer.Argument(help="The pipeline: a path or the name of a package."),
    inputs: list[str] = typer.Argument(
        metavar="INPUT...",
        help="Text files, .jsonl, .csv, .tsv, .spacy, folders of them, or - for the lines of "
        "standard input.",
    ),
    out: Path = typer.Argument(metavar="OUT", help="The folder for the results."),
    formats: list[Format] = typer.Option(
        [Format.jsonl], "--format", "-f", help="A format of the results; can be repeated."
    ),
    lines: bool = typer.Option(False, "--lines", help="Each line of a text file is a document."),
    text_field: str = typer.Option("text", "--text-field", help="The field with the text."),
    id_field: str = typer.Option("id", "--id-field", help="The field with the identifier."),
    title_field: str = typer.Option("title", "--title-field", help="The field with the title."),
    delimiter: str | None = typer.Option(
        None, "--delimiter", help="What separates CSV columns; a comma, or a tab for .tsv."
    ),
    keep_clusters: bool = typer.Option(
        False, "--keep-clusters", help="Use the entities and clusters of .spacy files."
    ),
    base_uri: str = typer.Option(
        DEFAULT_BASE_URI, "--base-uri", help="What RDF resources' names start with."
    ),
    part_size: int = typer.Option(1000, "--part-size", help="Documents in a part.", min=1),
    batch_size: int | None = typer.Option(
        None, "--batch-size", "-b", help="Documents in a batch; the pipeline's own by default."
    ),
    n_process: int = typer.Option(1, "--n-process", "-n", help="The number of processes."),
    limit: int = typer.Option(0, "--limit", help="Read that many documents; 0 for all.", min=0),
    fail_fast: bool = typer.Option(
        False, "--fail-fast", help="Stop at a broken document instead of setting it aside."
    ),
    overwrite: bool = typer.Option(False, "--overwrite", help="Remove former results."),
    gpu_id: int = GPU_ID,
    engine: Engine = typer.Option(
        Engine.local, "--engine", help="This process, or a cluster of Ray."
    ),
    address: str | None = typer.Option(
        None,
        "--address",
        help="The Ray cluster, or 'auto' to find it; a new one on this machine by default.",
    ),
    workers: int | None = typer.Option(
        None, "--workers", help="Workers on Ray; as many as there is room for by default.", min=1
    ),
    cores_per_worker: int | None = typer.Option(
        None, "--cores-per-worker", help="Cores of each worker; 1 by default.", min=1
    ),
    gpus_per_worker: float | None = typer.Option(
        None, "--gpus-per-worker", help="GPUs of each worker; 0 by default.", min=0
    ),
) -> None:
    """Annotate a corpus. Killed and started again, it resumes after the last complete part."""
    if engine is Engine.ray:
        _refuse_options(engine, {"--n-process": n_process != 1, "--gpu-id": gpu_id != -1})
        _check_ray(inputs)
    else:
        sizes = {"--cores-per-worker": cores_per_worker, "--gpus-per-worker": gpus_per_worker}
        _refuse_options(engine, {"--address": address, "--workers": workers, **sizes})
        if gpu_id >= 0 and n_process != 1:
            # A process that is forked cannot use the GPU of its parent.
            _refuse_setting("--n-process", "1 with --gpu-id", n_process)
    setup_gpu(gpu_id, silent=False)
    reading = SourceSettings(
        text_field=text_field,
        id_field=id_field,
        title_field=title_field,
        delimiter="\t" if delimiter == "\\t" else delimiter,
        lines=lines,
    )
    formats = sorted(set(formats))
    _check_settings(inputs, reading, keep_clusters, base_uri)
    read = partial(_read, inputs, reading, out, limit)
    records = read()
    nlp = load_pipeline(model)
    find_extractor(nlp)
    naming = SinkSettings(base_uri, model_name(nlp))
    sinks = make_sinks(formats, naming)
    command: dict[str, Any] = {
        "inputs": [name if name == STDIN else displayed(name) for name in inputs],
        **asdict(reading),
        "formats": [name.value for name in formats],
        "part_size": part_size,
        "limit": limit,
        "keep_clusters": keep_clusters,
        "base_uri": base_uri,
        "model": describe_model(nlp),
        "spacy_docre": __version__,
    }
    corpus: dict[str, Any] = {"part_size": part_size, "fail_fast": fail_fast}
    with Checkpoint(out, command, overwrite=overwrite) as checkpoint:
        if checkpoint.progress.complete:
            check_complete(records, checkpoint)
            msg.info(f"{displayed(out)} is complete already; --overwrite starts anew.")
        else:
            with _Bar(checkpoint.progress) as bar:
                if engine is Engine.ray:
                    _annotate_on_ray(
                        read,
                        checkpoint,
                        PartSettings(
                            model=_on_every_machine(model),
                            description=command["model"],
                            formats=formats,
                            sinks=naming,
                            batch_size=batch_size,
                            keep_clusters=keep_clusters,
                        ),
                        Workers(workers or 0, cores_per_worker or 1, gpus_per_worker or 0.0),
                        address or LOCAL,
                        observe=bar.advance,
                        **corpus,
                    )
                else:
                    annotate_corpus(
                        nlp,
                        records,
                        checkpoint,
                        sinks,
                        batch_size=batch_size,
                        n_process=n_process,
                        keep_clusters=keep_clusters,
                        observe=bar.show,
                        **corpus,
                    )
        _report(checkpoint.progress, nlp, out)


class _Bar:
    """The progress bar; silent where there is no terminal.

    progress (Progress): What was done before.
    """

    def __init__(self, progress: Progress) -> None:
        self.bar = tqdm(desc="Annotating", unit="doc", initial=progress.records, disable=None)
        self.started = time.monotonic()
        self.words = 0
        self.errors = progress.errors

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.bar.close()

    def show(self, item: Annotation | Failure) -> None:
        """item (Union[Annotation, Failure]): The next result."""
        tally = Tally()
        tally.add(item)
        self.advance(tally)

    def advance(self, tally: Tally) -> None:
        """tally (Tally): The next results."""
        self.errors += len(tally.failures)
        self.words += tally.words
        rate = self.words / max(time.monotonic() - self.started, 1e-9)
        postfix = {"words/s": f"{rate:.0f}", "errors": self.errors}
        self.bar.set_postfix(postfix, refresh=False)
        self.bar.update(tally.documents + len(tally.failures))


def _read(
    inputs: list[str], settings: SourceSettings, out: Path, limit: int
) -> Iterator[Record | Failure]:
    return islice(read_records(inputs, settings, ignore=out), limit or None)


def _annotate_on_ray(
    read: ReadInput,
    checkpoint: Checkpoint,
    settings: PartSettings,
    workers: Workers,
    address: str,
    **corpus: Any,
) -> None:
    from ..annotation.ray_cluster import connected
    from ..annotation.ray_engine import annotate_corpus_on_ray

    with connected(address, workers) as workers:
        annotate_corpus_on_ray(read, checkpoint, settings, workers, **corpus)


def _on_every_machine(model: str) -> str:
    """The pipeline's name as a worker understands it, whose working folder is another."""
    return str(Path(model).resolve()) if Path(model).exists() else model


def _check_ray(inputs: list[str]) -> None:
    if STDIN in inputs:
        raise DocreError(Errors.D074)
    try:
        import ray.data  # noqa: F401
    except ImportError:
        raise DocreError(
            Errors.D021.format(package="ray[data]", purpose="--engine ray", extra="ray")
        ) from None


def _refuse_options(engine: Engine, options: dict[str, Any]) -> None:
    for option, given in options.items():
        if given:
            raise DocreError(Errors.D070.format(option=option, engine=engine.value))


def _check_settings(
    inputs: list[str], reading: SourceSettings, keep_clusters: bool, base_uri: str
) -> None:
    if reading.delimiter is not None and len(reading.delimiter) != 1:
        _refuse_setting("--delimiter", "one character", reading.delimiter)
    if not BASE_URI.fullmatch(base_uri):
        condition = "an absolute URI such as https://example.org/kg/, without '#' and '?'"
        _refuse_setting("--base-uri", condition, base_uri)
    for name in inputs if keep_clusters else ():
        path = Path(name)
        if not path.is_dir() and path.suffix.lower() != ".spacy":
            raise DocreError(Errors.D041.format(path=name))


def _refuse_setting(setting: str, condition: str, value: Any) -> None:
    raise DocreError(Errors.D020.format(setting=setting, condition=condition, value=repr(value)))


def _report(progress: Progress, nlp: Language, out: Path) -> None:
    rate = progress.documents / max(progress.seconds, 1e-9)
    words = progress.words / max(progress.seconds, 1e-9)
    msg.good(
        f"{progress.documents} documents with {progress.relations} relations in "
        f"{progress.seconds:.1f} s ({rate:.1f} documents, {words:.0f} words a second): "
        f"{displayed(out)}"
    )
    if progress.documents and not progress.clusters:
        names = ", ".join(nlp.pipe_names)
        msg.warn(Warnings.DW08.format(n_documents=progress.documents, names=names))
    if progress.errors:
        first = next(iter(srsly.read_jsonl(out / ERRORS)))
        reason = shortened(f"{first['source']}: {first['reason']}")
        file = displayed(out / ERRORS)
        msg.warn(f"{progress.errors} documents were set aside: {file}. The first: {reason}")
        if not progress.documents:
            raise typer.Exit(1)
