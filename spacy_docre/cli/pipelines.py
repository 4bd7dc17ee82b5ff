"""Pipelines that a user names."""

from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language

from ..errors import DocreError, Errors, shortened
from ..files import displayed


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
