"""The registry of corpus formats. Each module of this room that defines `FORMAT` is one, so that to
add a format is to add `corpora/NAME.py`: `convert`, `export`, the round-trip tests and the fuzzer
find it here."""

import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from spacy.tokens import Doc

from .. import corpora

# Reads the documents of a file or folder: `read(path, nlp, report=..., prefix=..., **options)`. The
# pipeline has a tokenizer and is the reader's own to change; everything that is not kept as it was
# is counted in the report.
Read = Callable[..., Iterator[Doc]]
# Writes documents to a file or folder, as a whole or not at all, and returns their number:
# `write(docs, path, report=..., prefix=..., **options)`.
Write = Callable[..., int]


@dataclass(frozen=True)
class Option:
    """An option of a format's reader or writer.

    name (str): The name of the keyword argument.
    type (Any): Its type; `Path` for a file that must exist.
    default (Any): Its default.
    help (str): What it says in `--help`.
    flags (tuple[str, ...]): What it is called on the command line, if not by its name.
    needs (str): The option that must be given with this one.
    """

    name: str
    type: Any
    default: Any
    help: str
    flags: tuple[str, ...] = ()
    needs: str = ""


@dataclass(frozen=True)
class Format:
    """A corpus format.

    name (str): Its name on the command line.
    title (str): Its name in messages.
    summary (str): What holds a corpus in it, for `--help`: "a file in the DocRED format".
    read (Read): Reads it.
    write (Optional[Write]): Writes it, if it can be written.
    is_folder (bool): Whether a corpus is a folder.
    suffix (str): What the name of such a file ends in.
    read_options (tuple[Option, ...]): What `read` takes beside the usual.
    write_options (tuple[Option, ...]): What `write` takes beside the usual.
    """

    name: str
    title: str
    summary: str
    read: Read
    write: Write | None = None
    is_folder: bool = False
    suffix: str = ""
    read_options: tuple[Option, ...] = ()
    write_options: tuple[Option, ...] = ()


def all_formats() -> dict[str, Format]:
    """RETURNS (dict[str, Format]): The formats by their names, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(corpora.__path__))
    modules = (import_module(f"{corpora.__name__}.{name}") for name in names)
    found = (getattr(module, "FORMAT", None) for module in modules)
    return {entry.name: entry for entry in found if isinstance(entry, Format)}
