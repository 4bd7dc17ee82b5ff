"""PubTator's format: CDR, GDA, BioRED and what PubTator itself gives out."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..folders import write_file
from ..formats import Format, Option
from ..tokenizer import create_fine_tokenizer
from .identifiers import SEPARATORS, split_identifiers
from .reader import SymmetricTypes, read_pubtator
from .writer import to_pubtator

__all__ = ["FORMAT", "SymmetricTypes", "read_pubtator", "split_identifiers", "to_pubtator"]

TITLE_LINE = re.compile(r"[^\t|\n]*\|t\|")


def _read(
    path: Path,
    nlp: Language,
    *,
    symmetric: str | None = None,
    fine: bool = True,
    **settings: Any,
) -> Iterator[Doc]:
    if fine:
        nlp.tokenizer = create_fine_tokenizer()(nlp)
    if not nlp.has_pipe("sentencizer"):
        nlp.add_pipe("sentencizer")
    return read_pubtator(path, nlp, symmetric=SymmetricTypes(symmetric), **settings)


def _write(
    docs: Iterable[Doc], path: Path, *, symmetric: str | None = None, **settings: Any
) -> int:
    types = SymmetricTypes(symmetric)
    return write_file(docs, path, lambda doc: to_pubtator(doc, symmetric=types, **settings))


_OPTIONS = (
    Option(
        "symmetric",
        str | None,
        None,
        "Relation types without a direction: 'all', 'none' or names with commas between. "
        "[default: BioRED's]",
    ),
    Option("separators", str, SEPARATORS, "The characters that join identifiers of one mention."),
)
FORMAT = Format(
    "pubtator",
    "PubTator's format",
    "a file in PubTator's format (CDR, BioRED)",
    _read,
    _write,
    lambda sample: bool(TITLE_LINE.match(sample.text.lstrip("\n"))),
    suffix=".txt",
    read_options=(
        *_OPTIONS,
        Option(
            "fine",
            bool,
            True,
            "Whether every symbol is a token: '5-HT(1A)'.",
            flags=("--fine/--plain",),
        ),
    ),
    write_options=_OPTIONS,
)
