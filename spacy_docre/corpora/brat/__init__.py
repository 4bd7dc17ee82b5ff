"""brat's standoff format (https://brat.nlplab.org/standoff.html)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from ..folders import write_folder
from ..formats import Format, Option
from .reader import read_brat
from .writer import to_brat

__all__ = ["FORMAT", "read_brat", "to_brat"]


def _write(docs: Iterable[Doc], path: Path, **settings: Any) -> int:
    return write_folder(
        docs, path, lambda doc: {".txt": doc.text, ".ann": to_brat(doc, **settings)}
    )


FORMAT = Format(
    "brat",
    "brat's standoff format",
    "a folder of brat's .txt and .ann files, two a document",
    read_brat,
    _write,
    lambda sample: ".ann" in sample.suffixes,
    is_folder=True,
    read_options=(
        Option(
            "coref_types",
            list[str],
            [],
            "A type of relations that join mentions of one entity. Repeatable.",
            flags=("--coref-type",),
        ),
        Option(
            "join_ids",
            bool,
            False,
            "Join entities that are normalized to the same identifier.",
            flags=("--join-ids",),
        ),
    ),
)
