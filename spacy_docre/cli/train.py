"""`train`: `spacy train` with checkpoints."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from spacy.cli._util import parse_config_overrides, setup_gpu
from spacy.training.initialize import init_nlp
from spacy.util import get_package_path, import_file, is_package, load_config
from thinc.api import Config

from ..errors import DocreError, Errors
from ..files import displayed
from ..training.loop import check_settings, train
from .app import new_app
from .messages import GPU_ID, msg
from .pipelines import load_pipeline

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
    source: str | None = typer.Option(
        None,
        "--source",
        "-s",
        help="A trained pipeline, path or package, whose components learn on, instead of new ones "
        "of their names in the config.",
    ),
    code: Path | None = typer.Option(
        None, "--code", "-c", help="A Python file with registered functions.", exists=True
    ),
    gpu_id: int = GPU_ID,
) -> None:
    """Train a pipeline as `spacy train` does, with checkpoints. Settings of the config can be
    changed by options such as --training.max_steps 100."""
    overrides = parse_config_overrides(ctx.args)
    _run_code(code)
    setup_gpu(gpu_id)
    if str(config_path) == "-" and sys.stdin is None:
        raise DocreError(Errors.D145)
    config = load_config(config_path, overrides=overrides, interpolate=False)
    check_settings(config)
    if source is not None:
        _take_components(config, source, overrides)
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
        stdout=sys.stdout,
        stderr=sys.stderr,
        inputs=_unnamed_inputs(config, code),
    )


def _run_code(path: Path | None) -> None:
    """What spaCy's `import_code` does, which prints a file's name as it is."""
    if path is not None:
        try:
            import_file("python_code", path)
        except Exception as error:
            msg.fail(f"Couldn't load Python code: {displayed(path)}", error, exits=1)


def _take_components(config: Config, source: str, overrides: Mapping[str, Any]) -> None:
    known = load_pipeline(source).pipe_names
    names = [name for name in config["nlp"]["pipeline"] if name in known]
    if not names:
        wanted = ", ".join(config["nlp"]["pipeline"])
        raise typer.BadParameter(f"{source} has none of the config's components ({wanted})")
    for name in names:
        lost = [key for key in overrides if key.startswith(f"components.{name}.")]
        if lost:
            raise typer.BadParameter(
                f"'{name}' comes from {source}, with its settings: leave out --{lost[0]}"
            )
        config["components"][name] = {"source": source}


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
