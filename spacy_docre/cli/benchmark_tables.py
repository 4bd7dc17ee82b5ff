"""`benchmark-tables`: the results of benchmarks as Markdown, and on a page."""

from pathlib import Path

import typer
from wasabi import msg

from ..benchmark.plots import draw_growth
from ..benchmark.results import Results
from ..benchmark.tables import fill_page, to_markdown
from .app import app
from .benchmark_growth import PLOTS
from .messages import readable_errors


@app.command("benchmark-tables")
def benchmark_tables_command(
    paths: list[Path] = typer.Argument(
        metavar="RESULTS...", help="What --json wrote.", exists=True, dir_okay=False
    ),
    page: Path | None = typer.Option(
        None,
        "--into",
        exists=True,
        dir_okay=False,
        help="A Markdown page: the tables of results/NAME.json replace what stands there between "
        "'<!-- tables: NAME -->' and '<!-- end of tables -->'.",
    ),
    plots: Path | None = PLOTS,
) -> None:
    """Turn results of `benchmark` and `benchmark-growth` into Markdown tables and plots."""
    with readable_errors():
        for path in paths:
            results = Results.load(path)
            text = to_markdown(results)
            if page is None:
                print(text)
            else:
                fill_page(page, path.stem, text)
                msg.good(f"{path.stem}: {page}")
            if plots is not None:
                for picture in draw_growth(results.growth, plots):
                    msg.good(f"Plot: {picture}")
