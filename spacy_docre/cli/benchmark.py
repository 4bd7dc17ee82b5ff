"""`benchmark`: what extractors cost beside their bare encoders."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import spacy
import torch
import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.training import Example
from thinc.api import fix_random_seed

from ..benchmark.machine import describe_run
from ..benchmark.pipelines import (
    calibrate_on,
    docred_like,
    find_methods,
    from_config,
    initialize,
    initialize_for,
    read_labels,
)
from ..benchmark.results import Results
from ..benchmark.steps import STEPS, benchmark
from ..benchmark.synthetic import DOCRED
from ..benchmark.tables import Table, method_tables
from ..errors import Warnings
from ..evaluation.run import read_examples
from ..models.compat import has_transformers
from .app import new_app
from .messages import GPU_ID, msg

app = new_app()

CONFIG = ".cfg"
ALL = "all"

METHOD = typer.Option(
    ALL,
    "--method",
    help="The methods, by the names of their configs, separated by commas; or 'all'.",
)
CONFIGS = typer.Option(
    Path("configs"), "--configs", help="The folder with the methods' training configs."
)
ENCODER = typer.Option(None, "--encoder", help="The encoder of training configs: paths.encoder.")
LAYERS = typer.Option(
    0, "--layers", min=0, help="Use only that many of the encoder's layers; 0 for all."
)
STEP_HELP = f"What to time: {', '.join(STEPS)}. Can be repeated."
THREADS = typer.Option(0, "--threads", min=0, help="PyTorch's threads; 0 for its default.")
SEED = typer.Option(0, "--seed", help="The seed of synthetic documents and of new weights.")
JSON = typer.Option(None, "--json", help="Write all timings here, as they come.")


@app.command()
def benchmark_command(
    model: str | None = typer.Argument(
        None,
        help="A pipeline instead of the methods: a path, the name of a package, or a training "
        "config (.cfg), which is initialised on the documents and not trained.",
    ),
    data_path: Path | None = typer.Argument(None, help="The same as --docs.", exists=True),
    method: str = METHOD,
    configs: Path = CONFIGS,
    docs_path: Path | None = typer.Option(
        None,
        "--docs",
        exists=True,
        help="A corpus with clusters (.spacy). By default synthetic documents of DocRED's sizes.",
    ),
    steps: list[str] = typer.Option(list(STEPS), "--step", help=STEP_HELP),
    encoder: str | None = ENCODER,
    layers: int = LAYERS,
    n_docs: int = typer.Option(16, "--n-docs", min=1, help="How many documents."),
    batch_size: int = typer.Option(
        4, "--batch-size", min=1, help="Documents in a batch of training; else the pipeline's."
    ),
    repeats: int = typer.Option(5, "--repeats", min=1, help="How often each step is timed."),
    threads: int = THREADS,
    seed: int = SEED,
    json_path: Path | None = JSON,
    gpu_id: int = GPU_ID,
) -> None:
    """Time inference, `nlp.pipe` and training steps of methods, as multiples of the bare encoder's
    forward pass, and forward and backward pass."""
    if model is not None and method != ALL:
        raise typer.BadParameter("give a pipeline or --method, not both")
    if data_path is not None and docs_path is not None:
        raise typer.BadParameter("give DATA_PATH or --docs, not both")
    docs_path = docs_path or data_path
    steps = [known("--step", step, STEPS) for step in dict.fromkeys(steps)]
    if model is not None and not model.endswith(CONFIG) and docs_path is None:
        raise typer.BadParameter("a trained pipeline needs documents of its own: give --docs")
    prepare(gpu_id, threads, layers)
    settings = {
        "documents": str(docs_path or "synthetic"),
        "n_docs": n_docs,
        "batch_size": batch_size,
        "repeats": repeats,
        "encoder": encoder,
        "layers": layers or "all",
    }
    results = Results(describe_run(gpu_id=gpu_id, seed=seed), settings, {}, {})
    models = [model] if model else [str(path) for path in find(configs, method)]
    for path in models:
        fix_random_seed(seed)
        name = Path(path).stem if path.endswith(CONFIG) else Path(path).name
        msg.info(name)
        is_config = path.endswith(CONFIG)
        nlp = from_config(path, encoder=encoder, layers=layers) if is_config else spacy.load(path)
        examples = _documents(nlp, is_config, docs_path, n_docs, seed)
        results.methods[name] = benchmark(
            nlp, examples, steps=steps, batch_size=batch_size, repeats=repeats
        )
        save(results, json_path)
    print_tables(method_tables(results.methods))


def _documents(
    nlp: Language, is_config: bool, path: Path | None, n_docs: int, seed: int
) -> list[Example]:
    """Read or make the documents, and initialise the pipeline on them if nobody has trained it."""
    if path is not None:
        examples = read_examples(nlp, path, limit=n_docs)
        if is_config:
            initialize(nlp, read_labels(nlp, path), examples)
    else:
        words = initialize_for(nlp, DOCRED)
        examples = docred_like(nlp, n_docs, seed=seed, words=words)
    if is_config:
        calibrate_on(nlp, examples)
    return examples


def prepare(gpu_id: int, threads: int, layers: int) -> None:
    """Choose device and threads, and warn if others use the machine.

    gpu_id (int): The GPU, or -1.
    threads (int): PyTorch's threads, or 0.
    layers (int): The encoder's layers, or 0.
    """
    setup_gpu(gpu_id, silent=False)
    if layers and has_transformers:
        from transformers.utils import logging

        # It would list the weights of all the layers that are left out.
        logging.set_verbosity_error()
    if threads:
        torch.set_num_threads(threads)
    if hasattr(os, "getloadavg"):
        load, cores = os.getloadavg()[0], os.cpu_count() or 1
        if load > cores / 4:
            msg.warn(Warnings.DW20.format(load=load, cores=cores))


def find(configs: Path, method: str) -> list[Path]:
    """The configs of the methods that were named on the command line.

    configs (Path): The folder.
    method (str): Their names, separated by commas, or "all".
    RETURNS (list[Path]): The configs.
    """
    names = [] if method == ALL else [name.strip() for name in method.split(",") if name.strip()]
    return find_methods(configs, names)


def known(option: str, name: str, names: Collection[str]) -> str:
    """Check a name that was given on the command line.

    option (str): The option.
    name (str): The name.
    names (Collection[str]): The names that there are.
    RETURNS (str): The name.
    """
    if name not in names:
        raise typer.BadParameter(f"{option} {name}: choose from {', '.join(names)}")
    return name


def save(results: Results, path: Path | None) -> None:
    """Write what there is so far, so that what took long is not lost.

    results (Results): The results.
    path (Optional[Path]): Where; None for nowhere.
    """
    if path is not None:
        results.save(path)


def print_tables(tables: Sequence[Table]) -> None:
    """Print tables to the terminal.

    tables (Sequence[Table]): The tables.
    """
    for table in tables:
        aligns: Any = ("l", *"r" * (len(table.header) - 1))
        msg.table(table.rows, title=table.title, header=table.header, aligns=aligns)
