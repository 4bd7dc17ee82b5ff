"""DWIE (Zaporojets et al. 2021): one JSON file a document, with text, as the data set's own script
`dwie_download.py` writes them to `annos_with_content`."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from ..folders import write_folder
from ..formats import Format, Option
from .reader import OTHER_TYPE, TYPES, entity_type, read_dwie
from .writer import to_dwie

__all__ = ["FORMAT", "OTHER_TYPE", "TYPES", "entity_type", "read_dwie", "to_dwie"]


def _write(docs: Iterable[Doc], path: Path, **settings: Any) -> int:
    def files(doc: Doc) -> dict[str, str]:
        return {".json": json.dumps(to_dwie(doc, **settings), ensure_ascii=False, indent=1)}

    return write_folder(docs, path, files)


FORMAT = Format(
    "dwie",
    "DWIE (a folder of .json files)",
    "a folder of DWIE's JSON files with text (annos_with_content), one a document",
    read_dwie,
    _write,
    lambda sample: {"content", "mentions", "concepts"} <= sample.keys,
    is_folder=True,
    read_options=(
        Option(
            "splits", Path | None, None, "A JSON file with the ids of each split.", needs="split"
        ),
        Option("split", str | None, None, "The split to convert.", needs="splits"),
    ),
)
