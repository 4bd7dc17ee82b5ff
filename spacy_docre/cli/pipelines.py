"""Pipelines that a user names, and their constraints."""

from pathlib import Path
from typing import Any

import spacy
import typer
from spacy.language import Language

from ..errors import DocreError, Errors, shortened
from ..extractor.constraints import CONSTRAINTS
from ..files import displayed

CONSTRAINTS_OPTION = typer.Option(
    None,
    "--constraints",
    "-c",
    help="The constraints to apply instead of the pipeline's own: any of types,symmetric,"
    "inverse with commas between (learned where the pipeline gives none), or none.",
)


def load_pipeline(name: str | Path, **settings: Any) -> Language:
    """Load a pipeline.

    name (Union[str, Path]): A folder or the name of a package.
    **settings (Any): As for `spacy.load`.
    RETURNS (Language): The pipeline.
    RAISES (DocreError): If there is something of that name, but it cannot be loaded.
    """
    try:
        return spacy.load(name, **settings)
    except (DocreError, ImportError, OSError, MemoryError):
        raise
    except Exception as error:  # files of other packages, which are damaged in all ways
        reason = shortened(str(error).strip()) or type(error).__name__
        raise DocreError(Errors.D147.format(name=displayed(name), reason=reason)) from error


def read_constraints(text: str) -> list[str]:
    """Read which constraints are to be on.

    text (str): Their names with commas between, or "none".
    RETURNS (list[str]): The names.
    RAISES (typer.BadParameter): If there is no constraint of a name.
    """
    names = [] if text == "none" else text.split(",")
    for name in names:
        if name not in CONSTRAINTS:
            raise typer.BadParameter(f"'{name}' is none of {', '.join(CONSTRAINTS)} and 'none'")
    return names
