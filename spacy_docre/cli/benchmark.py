"""`benchmark`: what the extractor costs beside its bare encoder."""

import platform
import statistics
from pathlib import Path

import spacy
import srsly
import torch
import typer
from spacy.cli._util import setup_gpu
from wasabi import msg

from ..benchmark import benchmark
from ..corpora.validation import replacing
from ..evaluation import find_extractor, read_examples
from .app import app
from .messages import GPU_ID, readable_errors


@app.command("benchmark")
def benchmark_command(
    model: str = typer.Argument(help="The pipeline: a path or the name of a package."),
    data_path: Path = typer.Argument(help="A corpus with clusters (.spacy).", exists=True),
    n_docs: int = typer.Option(16, "--n-docs", help="How many of its documents."),
    batch_size: int = typer.Option(4, "--batch-size", help="Documents in a batch."),
    repeats: int = typer.Option(5, "--repeats", help="How often each step is timed."),
    threads: int = typer.Option(0, "--threads", help="PyTorch's threads; 0 for its default."),
    json_path: Path | None = typer.Option(None, "--json", help="Write the timings here."),
    gpu_id: int = GPU_ID,
) -> None:
    """Time inference and training steps, as ratios to the bare encoder."""
    setup_gpu(gpu_id, silent=False)
    if threads:
        torch.set_num_threads(threads)
    with readable_errors():
        nlp = spacy.load(model)
        _, extractor = find_extractor(nlp)
        examples = read_examples(nlp, data_path, limit=n_docs)
        timings = benchmark(extractor, examples, batch_size=batch_size, repeats=repeats)
    rows = [
        (
            name,
            f"{statistics.median(timing.bare):.2f}",
            f"{statistics.median(timing.full):.2f}",
            f"{timing.ratio:.3f}",
            f"{len(examples) / statistics.median(timing.full):.1f}",
        )
        for name, timing in timings.items()
    ]
    header = ("", "Bare encoder (s)", "Extractor (s)", "Ratio", "Docs/s")
    msg.table(rows, header=header, aligns=("l", "r", "r", "r", "r"))
    if json_path:
        result = {
            "machine": platform.platform(),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "gpu_id": gpu_id,
            "documents": len(examples),
            "batch_size": batch_size,
            **{
                name: {"bare": timing.bare, "full": timing.full, "ratio": timing.ratio}
                for name, timing in timings.items()
            },
        }
        with replacing(json_path) as draft:
            srsly.write_json(draft, result)
