"""`model-card`: what a pipeline says about itself when it is packaged."""

from pathlib import Path

import spacy
import srsly
import typer
from wasabi import msg

from ..corpora.validation import replacing
from ..errors import DocreError, Errors
from ..model_card import complete_meta
from .app import app
from .messages import readable_errors


@app.command("model-card")
def model_card_command(
    model: Path = typer.Argument(help="The pipeline's folder.", exists=True, file_okay=False),
    metrics: list[Path] = typer.Option(
        [], "--metrics", "-m", help="What `evaluate --output` wrote; repeatable.", exists=True
    ),
    name: str = typer.Option("", "--name", "-n", help="Its name, without the language."),
    version: str = typer.Option("", "--version", "-v", help="Its version."),
    data: str = typer.Option("", "--data", help="What it was trained on, in Markdown."),
    license_name: str = typer.Option("", "--license", help="The licence of the model."),
) -> None:
    """Complete the meta.json of a pipeline for `spacy package`: the requirements with which pip
    installs all that it needs, and the text of its model card, in which each file of metrics is a
    column. What is not given stays as it is."""
    with readable_errors():
        nlp = spacy.load(model)
        columns = {}
        for path in metrics:
            try:
                columns[path.stem.replace("_", " ").capitalize()] = dict(srsly.read_json(path))
            except (ValueError, TypeError) as error:
                raise DocreError(Errors.D015.format(path=path, reason=error)) from None
        given = {"name": name, "version": version, "license": license_name}
        nlp.meta.update({key: value for key, value in given.items() if value})
        meta = complete_meta(nlp, data=data, metrics=columns)
        with replacing(model / "meta.json") as draft:
            srsly.write_json(draft, meta)
    msg.good(f"Completed {model / 'meta.json'}", f"Requirements: {', '.join(meta['requirements'])}")
