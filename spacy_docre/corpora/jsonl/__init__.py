"""The package's own JSON Lines format: raw text with character offsets, one document a line."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from ..folders import write_file
from ..formats import Format, Sample
from .reader import JsonlDocument, read_jsonl
from .writer import to_jsonl

__all__ = ["FORMAT", "read_jsonl", "to_jsonl"]


def _looks_like(sample: Sample) -> bool:
    row = sample.first_object
    others = row.keys() - JsonlDocument.model_fields.keys()
    return sample.is_rows and "text" in row and ("clusters" in row or not others)


def _write(docs: Iterable[Doc], path: Path, **settings: Any) -> int:
    def line(doc: Doc) -> str:
        return json.dumps(to_jsonl(doc, **settings), ensure_ascii=False, allow_nan=False) + "\n"

    return write_file(docs, path, line)


FORMAT = Format(
    "jsonl",
    "the package's JSON Lines format",
    "a file in the package's own JSON Lines format",
    read_jsonl,
    _write,
    _looks_like,
    suffix=".jsonl",
)
