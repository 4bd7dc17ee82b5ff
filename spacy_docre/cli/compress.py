"""`compress`: store the weights of a pipeline in fewer bits."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast

import typer

from ..errors import DocreError, Errors
from ..evaluation.compression import Measured, compress_pipeline, largest_change, measure, sizes
from ..files import displayed, write_folder
from .app import new_app
from .messages import decimal, msg
from .pipelines import load_pipeline
from .reports import print_difference
from .stages import STAGE_NAMES

app = new_app()


@app.command()
def compress_command(
    model: str = typer.Argument(help="The pipeline: a path or the name of a package."),
    output: Path = typer.Argument(help="The folder to write it to.", file_okay=False),
    bits: int = typer.Option(
        8, "--bits", help="8: integers by row with their scales. 16: floating point numbers."
    ),
    data_path: Path | None = typer.Option(
        None, "--data", help="Score it on this corpus (.spacy), before and after.", exists=True
    ),
) -> None:
    """Store the weights of a pipeline in 8 or 16 bits each. `spacy.load` restores them."""
    if bits not in (8, 16):
        raise typer.BadParameter("--bits must be 8 or 16")
    check_output(output)
    nlp = load_pipeline(model)
    before = None if data_path is None else measure(nlp, data_path)
    sizes_before = sizes(Path(nlp.path))
    compress_pipeline(nlp, cast(Literal[8, 16], bits))
    write_folder(output, nlp.to_disk)
    if before is not None and data_path is not None:
        print_scores(before, measure(load_pipeline(output), data_path), f"{bits} bits")
    print_sizes(sizes_before, sizes(output))
    msg.good(f"Written to {output}")


def check_output(output: Path) -> None:
    """Refuse to write a pipeline over something else.

    output (Path): The folder to write it to.
    RAISES (DocreError): If it holds something, but no pipeline.
    """
    if output.exists() and any(output.iterdir()) and not (output / "meta.json").exists():
        raise DocreError(Errors.D175.format(path=displayed(output)))


def print_scores(before: Measured, after: Measured, form: str) -> None:
    """Print what another form of the weights does to the scores.

    before (Measured): How the pipeline does.
    after (Measured): How it does in the other form.
    form (str): The form's name.
    """
    for stage, scores in before.scores.items():
        title = f"{STAGE_NAMES[stage]}, in {form}"
        print_difference(scores, after.scores[stage], form, title=title)
    change = largest_change(before.pairs, after.pairs)
    msg.info(f"The largest change of a pair's score: {decimal(change)}")


def print_sizes(
    before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]]
) -> None:
    """Print how large two pipelines are.

    before (Mapping[str, tuple[int, int]]): See `sizes`, also for the other.
    after (Mapping[str, tuple[int, int]]): The other.
    """
    parts = sorted(before.keys() | after.keys(), key=lambda part: (not part, part))
    rows = [
        (part or "Other files", *before.get(part, (0, 0)), *after.get(part, (0, 0)))
        for part in parts
    ]
    rows.append(("All", *(sum(column) for column in list(zip(*rows, strict=True))[1:])))
    shown = [(part, *(f"{n_bytes / 1e6:.2f}" for n_bytes in counts)) for part, *counts in rows]
    header = ("Megabytes", "Before", "zipped", "After", "zipped")
    msg.table(shown, title="Size", header=header, aligns=("l", "r", "r", "r", "r"))
