"""`compile`: a pipeline's encoder for inference on a CPU, by OpenVINO."""

from pathlib import Path
from typing import cast, get_args

import typer

from ..evaluation.compiling import compile_pipeline
from ..evaluation.compression import measure, sizes
from ..evaluation.run import read_examples
from ..files import write_folder
from ..models.compiled import Precision
from .app import new_app
from .compress import check_output, print_scores, print_sizes
from .messages import msg
from .pipelines import load_pipeline

app = new_app()

# More say next to nothing of the ranges of numbers.
MAX_DOCS = 100


@app.command()
def compile_command(
    model: str = typer.Argument(help="The pipeline: a path or the name of a package."),
    output: Path = typer.Argument(help="The folder to write it to.", file_okay=False),
    precision: str = typer.Option(
        "fp32",
        "--precision",
        "-p",
        help="fp32: the same scores. bf16: for processors that have it. int8: 8-bit integers.",
    ),
    data_path: Path | None = typer.Option(
        None,
        "--data",
        help="Score it on this corpus (.spacy), before and after; int8 also needs it to choose "
        "ranges.",
        exists=True,
    ),
) -> None:
    """Compile the encoder of a pipeline for inference on a CPU. `spacy.load` needs the extra
    `openvino` to use it."""
    if precision not in get_args(Precision):
        raise typer.BadParameter(f"--precision must be one of {', '.join(get_args(Precision))}")
    check_output(output)
    chosen = cast(Precision, precision)
    nlp = load_pipeline(model)
    if data_path is None:
        compile_pipeline(nlp, chosen)
        write_folder(output, nlp.to_disk)
    else:
        before = measure(nlp, data_path)
        compile_pipeline(nlp, chosen, read_examples(nlp, data_path, limit=MAX_DOCS))
        write_folder(output, nlp.to_disk)
        print_scores(before, measure(load_pipeline(output), data_path), precision)
    print_sizes(sizes(Path(nlp.path)), sizes(output))
    msg.good(f"Written to {output}")
