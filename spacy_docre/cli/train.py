"""`train`: `spacy train` with checkpoints."""

from pathlib import Path

import typer
from spacy.cli._util import import_code, parse_config_overrides, setup_gpu, show_validation_error
from spacy.training.initialize import init_nlp
from spacy.util import load_config

from ..training.loop import train
from .app import new_app
from .messages import GPU_ID, msg, readable_errors

app = new_app()


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def train_command(
    ctx: typer.Context,
    config_path: Path = typer.Argument(help="The config.", exists=True, allow_dash=True),
    output: Path = typer.Option(..., "--output", "-o", help="The folder for the trained pipeline."),
    resume: bool = typer.Option(
        False, "--resume", help="Go on from the checkpoint in the folder, if there is one."
    ),
    checkpoint_every: int | None = typer.Option(
        None,
        "--checkpoint-every",
        min=1,
        help="Steps between checkpoints; by default one after each evaluation.",
    ),
    code: Path | None = typer.Option(
        None, "--code", "-c", help="A Python file with registered functions.", exists=True
    ),
    gpu_id: int = GPU_ID,
) -> None:
    """Train a pipeline as `spacy train` does, with checkpoints. Settings of the config can be
    changed by options such as --training.max_steps 100."""
    overrides = parse_config_overrides(ctx.args)
    import_code(code)
    setup_gpu(gpu_id)
    with readable_errors():
        with show_validation_error(config_path):
            config = load_config(config_path, overrides=overrides, interpolate=False)
        msg.divider("Initializing pipeline")
        with show_validation_error(config_path, hint_fill=False):
            nlp = init_nlp(config, use_gpu=gpu_id)
        msg.good("Initialized pipeline")
        msg.divider("Training pipeline")
        train(nlp, output, resume=resume, checkpoint_every=checkpoint_every, use_gpu=gpu_id)
