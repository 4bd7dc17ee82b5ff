"""`benchmark-growth`: how the cost of methods grows with the sizes of documents."""

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import typer
from thinc.api import fix_random_seed

from ..benchmark.budget import BUDGET, Budget
from ..benchmark.growth import DIMENSIONS, GrowthSettings, Point, measure_growth
from ..benchmark.machine import describe_run
from ..benchmark.pipelines import from_config
from ..benchmark.plots import draw_growth
from ..benchmark.results import Results
from ..benchmark.steps import STEPS
from ..benchmark.tables import given_up, growth_tables
from .app import new_app
from .benchmark import (
    CONFIGS,
    ENCODER,
    JSON,
    LAYERS,
    METHOD,
    SEED,
    STEP_HELP,
    THREADS,
    find,
    known,
    prepare,
    print_tables,
    save,
)
from .messages import GPU_ID, msg

app = new_app()

PLOTS = typer.Option(None, "--plots", help="Draw the growth into this folder (extra 'visual').")


@app.command()
def benchmark_growth_command(
    method: str = METHOD,
    configs: Path = CONFIGS,
    vary: list[str] = typer.Option(
        list(DIMENSIONS),
        "--vary",
        help=f"What to vary: {', '.join(DIMENSIONS)}; with its values if they are not to be the "
        "usual ones, as in 'entities=10,100'. Can be repeated.",
    ),
    base: list[str] = typer.Option(
        [],
        "--base",
        help="A size of the documents where it is not varied, as in 'length=8192'. Repeatable.",
    ),
    steps: list[str] = typer.Option(["inference"], "--step", help=STEP_HELP),
    encoder: str | None = ENCODER,
    layers: int = LAYERS,
    n_docs: int = typer.Option(1, "--n-docs", min=1, help="Documents of each size."),
    repeats: int = typer.Option(3, "--repeats", min=1, help="How often each is timed at least."),
    max_seconds: float = typer.Option(
        BUDGET.seconds, "--max-seconds", help="Give a size up if it takes longer."
    ),
    max_gib: float = typer.Option(
        BUDGET.gibibytes, "--max-gib", help="Give a size up if it needs more memory (GiB)."
    ),
    threads: int = THREADS,
    seed: int = SEED,
    json_path: Path | None = JSON,
    plots: Path | None = PLOTS,
    gpu_id: int = GPU_ID,
) -> None:
    """Measure how inference and training grow with the entities of a document, their mentions, its
    length and the relation types, on synthetic documents."""
    settings = GrowthSettings(
        dimensions=dict(_dimension(text) for text in vary),
        base=replace(GrowthSettings.base, **dict(_base_size(text) for text in base)),
        steps=[known("--step", step, STEPS) for step in dict.fromkeys(steps)],
        n_docs=n_docs,
        repeats=repeats,
        seed=seed,
        budget=Budget(max_seconds, max_gib),
    )
    prepare(gpu_id, threads, layers)
    plain = {
        "base": ", ".join(f"{value} {name}" for name, value in asdict(settings.base).items()),
        "n_docs": n_docs,
        "repeats": repeats,
        "encoder": encoder,
        "layers": layers or "all",
        "max_seconds": max_seconds,
        "max_gib": max_gib,
    }
    results = Results(describe_run(gpu_id=gpu_id, seed=seed), plain, {}, {})
    for path in find(configs, method):
        fix_random_seed(seed)
        make_pipeline = partial(from_config, path, encoder=encoder, layers=layers)
        points = results.growth[path.stem] = []
        for point in measure_growth(make_pipeline, settings):
            points.append(point)
            msg.text(_progress(path.stem, point))
            save(results, json_path)
    print_tables(growth_tables(results.growth))
    for line in given_up(results.growth):
        msg.warn(line)
    if plots is not None:
        for picture in draw_growth(results.growth, plots):
            msg.good(f"Plot: {picture}")


def _progress(name: str, point: Point) -> str:
    timing = point.timing
    outcome = f"{timing.total:.3f} s, bare {timing.floor:.3f} s" if timing else point.skipped
    return f"{name}, {point.step}, {point.dimension} {point.size}: {outcome}"


def _base_size(text: str) -> tuple[str, int]:
    """Read "length=8192"."""
    name, _, size = text.partition("=")
    known("--base", name, DIMENSIONS)
    if not size.isdecimal() or not int(size):
        raise typer.BadParameter(f"--base {text}: a whole number is missing, as in {name}=10")
    return name, int(size)


def _dimension(text: str) -> tuple[str, tuple[int, ...]]:
    """Read "entities" or "entities=10,100"."""
    name, _, values = text.partition("=")
    known("--vary", name, DIMENSIONS)
    if not values:
        return name, DIMENSIONS[name]
    sizes = values.split(",")
    if not all(size.isdecimal() and int(size) for size in sizes):
        raise typer.BadParameter(f"--vary {text}: values are whole numbers, as in {name}=10,100")
    return name, tuple(sorted({int(size) for size in sizes}))
