"""`benchmark-tables`: the results of benchmarks as Markdown, and on a page."""

import os
from pathlib import Path
from urllib.parse import quote

import typer

from ..benchmark.plots import draw_growth
from ..benchmark.results import Results
from ..benchmark.tables import fill_page, to_markdown
from .app import new_app
from .benchmark_growth import PLOTS
from .messages import msg

app = new_app()


@app.command()
def benchmark_tables_command(
    paths: list[Path] = typer.Argument(
        metavar="RESULTS...", help="What --json wrote.", exists=True, dir_okay=False
    ),
    page: Path | None = typer.Option(
        None,
        "--into",
        exists=True,
        dir_okay=False,
        help="A Markdown page: the tables of NAME.json replace what stands there between "
        "'<!-- tables: NAME -->' and '<!-- end of tables -->', with the plots of --plots.",
    ),
    plots: Path | None = PLOTS,
) -> None:
    """Turn results of `benchmark` and `benchmark-growth` into Markdown tables and plots."""
    for path in paths:
        results = Results.load(path)
        parts = [to_markdown(results)]
        pictures = [] if plots is None else draw_growth(results.growth, plots)
        if page is None:
            print(*parts)
        else:
            parts += [_image(picture, page) for picture in pictures]
            fill_page(page, path.stem, "\n\n".join(parts))
            msg.good(f"{path.stem}: {page}")
        for picture in pictures:
            msg.good(f"Plot: {picture}")


def _image(picture: Path, page: Path) -> str:
    link = Path(os.path.relpath(picture, page.parent)).as_posix()
    return f"![{picture.stem}]({quote(link)})"
