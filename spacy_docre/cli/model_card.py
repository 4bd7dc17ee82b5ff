"""`model-card`: what a pipeline says about itself when it is packaged."""

from pathlib import Path
from typing import Any

import srsly
import typer

from ..errors import DocreError, Errors
from ..evaluation.model_card import complete_meta
from ..files import replacing
from .app import new_app
from .messages import msg
from .pipelines import load_pipeline
from .stages import STAGE_NAMES

app = new_app()


@app.command()
def model_card_command(
    model: Path = typer.Argument(help="The pipeline's folder.", exists=True, file_okay=False),
    metrics: list[Path] = typer.Option(
        [], "--metrics", "-m", help="A file of `evaluate --output`; repeatable.", exists=True
    ),
    name: str = typer.Option("", "--name", "-n", help="Its name, without the language."),
    version: str = typer.Option("", "--version", "-v", help="Its version."),
    data: str = typer.Option("", "--data", help="What it was trained on, in Markdown."),
    thresholds: Path | None = typer.Option(
        None, "--thresholds", help="A file of `find-threshold --output`.", exists=True
    ),
    speed: Path | None = typer.Option(
        None, "--speed", help="A file of `benchmarks/speed.py`.", exists=True
    ),
    license_name: str = typer.Option("", "--license", help="The licence of the model."),
) -> None:
    """Complete the meta.json of a pipeline for `spacy package`: the requirements with which pip
    installs all that it needs, and the text of its model card, in which each file of metrics is a
    column, or with `--end-to-end` each stage. What is not given stays as it is."""
    nlp = load_pipeline(model)
    columns: dict[str, Any] = {}
    for path in metrics:
        for column, scores in _read_columns(path).items():
            columns[column] = columns.get(column, {}) | scores
    given = {"name": name, "version": version, "license": license_name}
    nlp.meta.update({key: value for key, value in given.items() if value})
    meta = complete_meta(
        nlp,
        data=data,
        metrics=columns,
        thresholds=None if thresholds is None else _read(thresholds),
        speed=[] if speed is None else _read(speed)["pipelines"],
    )
    with replacing(model / "meta.json") as draft:
        srsly.write_json(draft, meta)
    msg.good(f"Completed {model / 'meta.json'}", f"Requirements: {', '.join(meta['requirements'])}")


def _read_columns(path: Path) -> dict[str, dict[str, Any]]:
    scores = _read(path)
    stages = {name: scores[stage] for stage, name in STAGE_NAMES.items() if stage in scores}
    return stages or {path.stem.replace("_", " ").capitalize(): scores}


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(srsly.read_json(path))
    except (ValueError, TypeError) as error:
        raise DocreError(Errors.D015.format(path=path, reason=error)) from None
