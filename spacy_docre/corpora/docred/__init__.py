"""The DocRED format: DocRED, Re-DocRED, Revisit-DocRED."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..folders import write_file
from ..formats import Format, Option
from .reader import read_docred, read_relation_names
from .writer import to_docred, to_docred_predictions

__all__ = ["FORMAT", "read_docred", "read_relation_names", "to_docred", "to_docred_predictions"]


def _read(
    path: Path, nlp: Language, *, rel_info: Path | None = None, **settings: Any
) -> Iterator[Doc]:
    names = read_relation_names(rel_info) if rel_info else None
    return read_docred(path, nlp.vocab, relation_names=names, **settings)


def _write(docs: Iterable[Doc], path: Path, **settings: Any) -> int:
    def text(doc: Doc) -> str:
        row = to_docred(doc, doc.user_data.get("title") or "", **settings)
        return json.dumps(row, ensure_ascii=False, allow_nan=False)

    return write_file(docs, path, text, start="[\n", between=",\n", end="\n]\n")


FORMAT = Format(
    "docred",
    "the DocRED format",
    "a file in the DocRED format (DocRED, Re-DocRED, Revisit-DocRED)",
    _read,
    _write,
    lambda sample: {"sents", "vertexSet"} <= sample.keys,
    suffix=".json",
    read_options=(
        Option(
            "rel_info",
            Path | None,
            None,
            "DocRED's rel_info.json: names for relations.",
            flags=("--rel-info", "-r"),
        ),
        Option(
            "detokenize",
            bool,
            False,
            'Set the blanks of a printed text, "(1990)," instead of "( 1990 ) ,", for components '
            "that are to read raw text.",
            flags=("--detokenize",),
        ),
    ),
)
