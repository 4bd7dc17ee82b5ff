"""`benchmark-memory`: whether memory stays flat over a long stream of documents."""

from pathlib import Path

import typer
from wasabi import msg

from ..annotation.records import Record
from ..annotation.sources import read_records
from ..benchmark.machine import describe_run
from ..benchmark.memory import MEBIBYTE, MemorySeries, measure_memory, plot_memory, unlike_texts
from ..errors import DocreError, Errors
from ..files import replacing
from .app import new_app
from .benchmark import THREADS, prepare
from .messages import GPU_ID
from .pipelines import load_pipeline

app = new_app()


@app.command()
def benchmark_memory_command(
    model: str = typer.Argument(help="The pipeline: a path or the name of a package."),
    inputs: list[str] = typer.Argument(
        metavar="INPUTS...", help="Texts, as `annotate` takes them; they are read again and again."
    ),
    n_docs: int = typer.Option(50_000, "--n-docs", min=1, help="How many documents to read."),
    every: int = typer.Option(500, "--every", min=1, help="Documents between two readings."),
    new_words: int = typer.Option(
        5, "--new-words", min=0, help="Words in each document that no other has."
    ),
    memory_zone: bool = typer.Option(
        True,
        "--zone/--no-zone",
        help="Whether the documents between two readings are a memory zone of spaCy's.",
    ),
    threads: int = THREADS,
    json_path: Path | None = typer.Option(None, "--json", help="Write the readings here."),
    plot: Path | None = typer.Option(None, "--plot", help="Draw them here (extra 'visual')."),
    gpu_id: int = GPU_ID,
) -> None:
    """Read many documents through `nlp.pipe`, none like another, and say whether memory grows."""
    prepare(gpu_id, threads, 0)
    settings = {
        "model": model,
        "inputs": inputs,
        "n_docs": n_docs,
        "every": every,
        "new_words": new_words,
        "memory_zone": memory_zone,
    }
    series = MemorySeries(describe_run(gpu_id=gpu_id, seed=0), settings, [])
    texts = [item.text for item in read_records(inputs) if isinstance(item, Record)]
    if not texts:
        raise DocreError(Errors.D131.format(inputs=", ".join(inputs)))
    nlp = load_pipeline(model)
    stream = unlike_texts(texts, n_docs, new_words)
    for reading in measure_memory(nlp, stream, every=every, memory_zone=memory_zone):
        series.readings.append(reading)
        msg.text(
            f"{reading.docs:,} documents, {reading.rss / MEBIBYTE:,.0f} MiB, "
            f"{reading.strings:,} strings, {reading.seconds:,.0f} s"
        )
        if json_path is not None:
            series.save(json_path)
    msg.info(series.summary())
    if plot is not None:
        figure = plot_memory(series)
        with replacing(plot) as draft:
            figure.savefig(draft, format="png")
        msg.good(f"Plot: {plot}")
