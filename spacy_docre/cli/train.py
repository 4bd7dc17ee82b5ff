"""`train`: `spacy train` with checkpoints."""

import sys
from pathlib import Path

import typer
from spacy.cli._util import import_code, parse_config_overrides, setup_gpu
from spacy.training.initialize import init_nlp
from spacy.util import get_package_path, is_package, load_config
from thinc.api import Config

from ..errors import DocreError, Errors
from ..training.loop import check_settings, train
from .app import new_app
from .messages import GPU_ID, msg

app = new_app()


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def train_command(
    ctx: typer.Context,
    config_path: Path = typer.Argument(help="The config, or - for standard input."),
    output: Path = typer.Option(..., "--output", "-o", help="The folder for the trained pipeline."),
    resume: bool = typer.Option(
        False, "--resume", help="Resume from the checkpoint in the folder, if there is one."
    ),
    checkpoint_every: int | None = typer.Option(
        None,
        "--checkpoint-every",
        min=1,
        help="Steps between checkpoints; by default one after each evaluation.",
    ),
    until: int | None = typer.Option(
        None, "--until", min=1, help="Stop after that many steps; --resume goes on from there."
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
    if str(config_path) == "-" and sys.stdin is None:
        raise DocreError(Errors.D145)
    config = load_config(config_path, overrides=overrides, interpolate=False)
    check_settings(config)
    msg.divider("Initializing pipeline")
    nlp = init_nlp(config, use_gpu=gpu_id)
    msg.good("Initialized pipeline")
    msg.divider("Training pipeline")
    train(
        nlp,
        output,
        resume=resume,
        checkpoint_every=checkpoint_every,
        until=until,
        use_gpu=gpu_id,
        inputs=_unnamed_inputs(config, code),
    )


def _unnamed_inputs(config: Config, code: Path | None) -> dict[str, Path]:
    """Files that decide the result and that the pipeline's own config does not name: the code, and
    the pipelines that components and vectors are taken from."""
    inputs = {} if code is None else {"--code": code}
    values = config.interpolate()
    sources = {
        f"components.{name}.source": component.get("source")
        for name, component in values.get("components", {}).items()
    }
    sources["initialize.vectors"] = values.get("initialize", {}).get("vectors")
    for name, source in sources.items():
        if source:
            inputs[name] = get_package_path(source) if is_package(source) else Path(source)
    return inputs
