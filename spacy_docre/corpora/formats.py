"""The registry of corpus formats. Each module of this room that defines `FORMAT` is one, so that to
add a format is to add `corpora/NAME.py`: `convert`, `export`, the round-trip tests and the fuzzer
find it here."""

import json
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from .. import corpora
from ..errors import DocreError, Errors
from ..files import displayed, read_text
from ..files.folders import regular_files

# Characters of a corpus that its format is told by.
SAMPLE = 1 << 20
ZLIB = (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")
KEY = re.compile(r'"([^"\\]{1,40})"\s{0,9}:')

# Reads the documents of a file or folder: `read(path, nlp, report=..., prefix=..., **options)`. The
# pipeline has a tokenizer and is the reader's own to change; everything that is not kept as it was
# is counted in the report.
Read = Callable[..., Iterator[Doc]]
# Writes documents to a file or folder, as a whole or not at all, and returns their number:
# `write(docs, path, report=..., prefix=..., **options)`.
Write = Callable[..., int]


@dataclass(frozen=True)
class Sample:
    """The beginning of a corpus, to tell its format by.

    path (Path): The file or folder.
    text (str): The beginning of the file, or of the first file of a folder that is JSON.
    suffixes (frozenset[str]): What the names of the files in a folder end in.
    is_packed (bool): Whether the file is compressed, as `.spacy` files are.
    """

    path: Path
    text: str = ""
    suffixes: frozenset[str] = frozenset()
    is_packed: bool = False

    @cached_property
    def keys(self) -> frozenset[str]:
        """The keys of JSON objects in it, at any depth."""
        return (
            frozenset(KEY.findall(self.text))
            if self.text.lstrip()[:1] in ("{", "[")
            else frozenset()
        )

    @cached_property
    def is_rows(self) -> bool:
        """Whether it is JSON objects, in lines or in a list."""
        return self.text.lstrip()[:1] in ("{", "[") and bool(self.first_object)

    @cached_property
    def first_object(self) -> dict[str, Any]:
        """The first JSON object; empty if there is none, or it is longer than the sample."""
        start = self.text.find("{")
        try:
            return json.JSONDecoder().raw_decode(self.text, start)[0] if start >= 0 else {}
        except (ValueError, RecursionError):
            return {}


def take_sample(path: Path) -> Sample:
    """The beginning of a corpus.

    path (Path): The file or folder.
    RETURNS (Sample): The sample.
    RAISES (DocreError): If it is a text of another encoding than UTF-8.
    """
    if path.is_dir():
        files = regular_files(path).files
        first = next((file for file in files if file.suffix == ".json"), None)
        text = read_text(first)[:SAMPLE] if first else ""
        return Sample(path, text, frozenset(file.suffix for file in files))
    if not path.is_file():
        return Sample(path)
    with path.open("rb") as file:
        is_packed = file.read(2) in ZLIB
    return Sample(path, "" if is_packed else read_text(path)[:SAMPLE], is_packed=is_packed)


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
    looks_like (Callable[[Sample], bool]): Whether a file or folder is of the format, by its
        beginning.
    is_folder (bool): Whether a corpus is a folder.
    suffix (str): What the name of such a file ends in.
    read_options (tuple[Option, ...]): What `read` takes beside the usual.
    write_options (tuple[Option, ...]): What `write` takes beside the usual.
    package (str): The module that it needs, of an extra of this package; empty for none.
    """

    name: str
    title: str
    summary: str
    read: Read
    write: Write | None = None
    looks_like: Callable[[Sample], bool] = lambda sample: False
    is_folder: bool = False
    suffix: str = ""
    read_options: tuple[Option, ...] = ()
    write_options: tuple[Option, ...] = ()
    package: str = ""

    @property
    def is_available(self) -> bool:
        """Whether what it needs is installed."""
        return not self.package or find_spec(self.package) is not None


def all_formats() -> dict[str, Format]:
    """RETURNS (dict[str, Format]): The formats by their names, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(corpora.__path__))
    modules = (import_module(f"{corpora.__name__}.{name}") for name in names)
    found = (getattr(module, "FORMAT", None) for module in modules)
    return {entry.name: entry for entry in found if isinstance(entry, Format)}


def guess_format(path: Path) -> Format:
    """The format of a corpus, by its beginning.

    path (Path): The file or folder.
    RETURNS (Format): The format.
    RAISES (DocreError): If it looks like none, or like several.
    """
    found = _candidates(path)
    if not found:
        what, formats = "folders" if path.is_dir() else "files", all_formats().items()
        names = ", ".join(name for name, entry in formats if entry.is_folder == path.is_dir())
        raise DocreError(Errors.D153.format(path=displayed(path), what=what, names=names))
    if len(found) > 1:
        names = ", ".join(entry.name for entry in found)
        raise DocreError(Errors.D154.format(path=displayed(path), names=names))
    return found[0]


def check_format(entry: Format, path: Path) -> None:
    """Refuse a corpus that looks like another format than the one that it is said to be.

    entry (Format): The format that it should be of.
    path (Path): The file or folder.
    RAISES (DocreError): If it looks like another; names that.
    """
    found = _candidates(path)
    if found and entry not in found:
        other = found[0]
        names = {"expected": entry.title, "found": other.title, "name": other.name}
        raise DocreError(Errors.D152.format(path=displayed(path), **names))


def _candidates(path: Path) -> list[Format]:
    sample = take_sample(path)
    return [
        entry
        for entry in all_formats().values()
        if entry.is_folder == path.is_dir() and entry.looks_like(sample)
    ]
