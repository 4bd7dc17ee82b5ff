"""The `.data` form of CDR and GDA: a document a line, 17 columns for each pair of entities.

Christopoulou et al. (2019), "Connecting the dots: document-level neural relation extraction with
edge-oriented graphs"; the methods that report on these corpora train and test on it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..folders import write_file
from ..formats import Format, Option
from .reader import has_pairs, read_edge_oriented
from .writer import HEAD_TYPES, TAIL_TYPES, to_edge_oriented

__all__ = ["FORMAT", "read_edge_oriented", "to_edge_oriented"]


def _read(path: Path, nlp: Language, **settings: Any) -> Iterator[Doc]:
    return read_edge_oriented(path, nlp.vocab, **settings)


def _write(docs: Iterable[Doc], path: Path, **settings: Any) -> int:
    return write_file(docs, path, lambda doc: f"{to_edge_oriented(doc, **settings)}\n")


FORMAT = Format(
    "edge-oriented",
    "the 17-column .data form",
    "a file in the 17-column .data form (CDR and GDA as papers use them)",
    _read,
    _write,
    lambda sample: any(map(has_pairs, sample.text.splitlines()[:100])),
    suffix=".data",
    write_options=(
        Option(
            "head_types",
            list[str],
            list(HEAD_TYPES),
            "A type of entity that relations start from.",
            flags=("--head",),
        ),
        Option(
            "tail_types",
            list[str],
            list(TAIL_TYPES),
            "A type of entity that relations point to.",
            flags=("--tail",),
        ),
    ),
)
