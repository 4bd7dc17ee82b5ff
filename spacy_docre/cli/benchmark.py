"""`benchmark`: what the extractor costs beside its bare encoder."""

import platform
import statistics
from dataclasses import asdict
from pathlib import Path

import spacy
import srsly
import torch
import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from thinc.api import Config
from wasabi import msg

from ..benchmark import benchmark
from ..corpora.validation import replacing
from ..evaluation import find_extractor, read_examples
from .app import app
from .messages import GPU_ID, readable_errors


def _from_config(path: str, encoder: str | None) -> Language:
    overrides = {} if encoder is None else {"paths.encoder": encoder}
    config = spacy.util.load_config(path, overrides=overrides, interpolate=True)
    # The corpora have no paths, and are not needed.
    parts = {name: config[name] for name in ("nlp", "components")}
    return spacy.util.load_model_from_config(Config(parts), auto_fill=True)


def _mebibytes(n_bytes: int | None) -> str:
    return "-" if n_bytes is None else f"{n_bytes / 2**20:.0f}"


@app.command("benchmark")
def benchmark_command(
    model: str = typer.Argument(
        help="The pipeline: a path, the name of a package, or a training config (.cfg), which is "
        "initialised on the documents and not trained."
    ),
    data_path: Path = typer.Argument(help="A corpus with clusters (.spacy).", exists=True),
    encoder: str | None = typer.Option(
        None, "--encoder", help="The encoder of a training config, its paths.encoder."
    ),
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
        is_config = model.endswith(".cfg")
        nlp = _from_config(model, encoder) if is_config else spacy.load(model)
        _, extractor = find_extractor(nlp)
        examples = read_examples(nlp, data_path, limit=n_docs)
        if is_config:
            nlp.initialize(lambda: examples)
        timings = benchmark(extractor, examples, batch_size=batch_size, repeats=repeats)
    rows = [
        (
            name,
            f"{statistics.median(timing.bare):.2f}",
            f"{statistics.median(timing.full):.2f}",
            f"{timing.ratio:.3f}",
            f"{len(examples) / statistics.median(timing.full):.1f}",
            _mebibytes(timing.bare_memory),
            _mebibytes(timing.full_memory),
        )
        for name, timing in timings.items()
    ]
    header = ("", "Bare (s)", "Extractor (s)", "Ratio", "Docs/s", "Bare (MiB)", "Extractor (MiB)")
    msg.table(rows, header=header, aligns=("l", *["r"] * 6))
    if json_path:
        result = {
            "machine": platform.platform(),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "gpu_id": gpu_id,
            "documents": len(examples),
            "batch_size": batch_size,
            **{name: {**asdict(timing), "ratio": timing.ratio} for name, timing in timings.items()},
        }
        with replacing(json_path) as draft:
            srsly.write_json(draft, result)
