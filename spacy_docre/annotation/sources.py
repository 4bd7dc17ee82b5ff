"""Reading documents to annotate: text files, JSON Lines, CSV, `.spacy`, folders, standard input.

Nothing but the document at hand is kept in memory, except that spaCy's DocBin reads a `.spacy` file
as a whole. What cannot be read becomes a `Failure` and the reading goes on."""

import csv
import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from spacy.vocab import Vocab

from ..corpora.docbin import read_docbin
from ..corpora.validation import MAX_NESTING, is_too_deep
from ..errors import DocreError, Errors, Warnings, printable
from ..files import displayed, json_text, parse_json, parse_rows
from ..files.folders import regular_files
from ..files.kinds import why_no_document
from .records import Failure, Record, escaped, make_record, not_unicode

STDIN = "-"
TEXT_SUFFIXES = (".txt", ".text")
SHOWN_SUFFIXES = 5


@dataclass(frozen=True)
class SourceSettings:
    """How sources are read.

    text_field (str): The field or column with the text.
    id_field (str): That with the identifier; without one, the source and the number are it.
    title_field (str): That with the title.
    delimiter (Optional[str]): What separates the columns of CSV. None takes a tab for `.tsv` and a
        comma for all others.
    lines (bool): Whether each line of a text file is a document.
    """

    text_field: str = "text"
    id_field: str = "id"
    title_field: str = "title"
    delimiter: str | None = None
    lines: bool = False


def read_records(
    inputs: Sequence[str], settings: SourceSettings | None = None, *, ignore: Path | None = None
) -> Iterator[Record | Failure]:
    """Read documents, in the order of the inputs and of the names in a folder.

    inputs (Sequence[str]): Files, folders, or "-" for the lines of standard input. A file whose
        name ends in none of the known suffixes is a text file; in a folder it is left out.
    settings (Optional[SourceSettings]): How they are read.
    ignore (Optional[Path]): A folder to leave out, that of the results.
    YIELDS (Union[Record, Failure]): The documents, and those that cannot be read.
    RAISES (DocreError): If an input does not exist, or standard input is closed.
    """
    for name in inputs:
        if name == STDIN and sys.stdin is None:
            raise DocreError(Errors.D145)
        if name != STDIN and not Path(name).exists():
            raise DocreError(Errors.D036.format(path=displayed(name)))
    return _read_inputs(inputs, settings or SourceSettings(), ignore)


def _read_inputs(
    inputs: Sequence[str], settings: SourceSettings, ignore: Path | None
) -> Iterator[Record | Failure]:
    for name in inputs:
        if name == STDIN:
            # Undecodable bytes come as surrogates, for each document to be judged by itself.
            sys.stdin.reconfigure(  # type: ignore[union-attr]
                encoding="utf-8-sig", errors="surrogateescape", newline="\n"
            )
            yield from _guarded(partial(_read_text_lines, sys.stdin, "stdin"), "stdin")
        elif Path(name).is_dir():
            yield from _read_folder(Path(name), settings, ignore)
        else:
            yield from _read_file(Path(name), settings)


def _read_folder(
    folder: Path, settings: SourceSettings, ignore: Path | None
) -> Iterator[Record | Failure]:
    content = regular_files(folder, ignore=ignore)
    unknown: Counter[str] = Counter()
    for path in content.files:
        suffix = path.suffix.lower()
        if suffix in READERS or suffix in TEXT_SUFFIXES:
            yield from _read_file(path, settings)
        else:
            unknown[suffix] += 1
    for error in content.unreadable:
        reason = f"unreadable folder: {os.strerror(error.errno or 0)}"
        yield Failure(displayed(os.fsdecode(error.filename)), 0, "", reason)
    content.warn(folder)
    if unknown:
        suffixes = ", ".join(repr(suffix) for suffix in sorted(unknown)[:SHOWN_SUFFIXES])
        known = ", ".join([*TEXT_SUFFIXES, *READERS])
        warnings.warn(
            Warnings.DW07.format(
                n_files=unknown.total(),
                folder=displayed(folder),
                suffixes=printable(suffixes),
                known=known,
            ),
            stacklevel=2,
        )


def _read_file(path: Path, settings: SourceSettings) -> Iterator[Record | Failure]:
    if path.is_file():  # what is read of a pipe is gone
        with suppress(OSError), path.open("rb") as file:
            reason = why_no_document(file.read(4096))
            if reason:
                return iter([Failure(displayed(path), 0, "", reason)])
    default = _read_lines if settings.lines else _read_text
    reader = {**READERS, **READ_ALONE}.get(path.suffix.lower(), default)
    return _guarded(partial(reader, path, settings), displayed(path))


def _guarded(
    read: Callable[[], Iterator[Record | Failure]], source: str
) -> Iterator[Record | Failure]:
    """What remains of a file that cannot be read any further is one failure."""
    number = 0
    try:
        for item in read():
            yield item
            number = item.number
    except Exception as error:  # whatever a broken file does to the libraries that read it
        place = number + 1 if number else 0
        what = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        reason = f"the file cannot be read from here on: {type(error).__name__}: {what}"
        yield Failure(source, place, "", reason)


def _read_text(path: Path, settings: SourceSettings) -> Iterator[Record | Failure]:
    source = displayed(path)
    text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    yield make_record(source, 1, source, text, raw=text)


def _read_lines(path: Path, settings: SourceSettings) -> Iterator[Record | Failure]:
    with _open(path) as file:
        yield from _read_text_lines(file, displayed(path))


def _read_text_lines(file: Iterable[str], source: str) -> Iterator[Record | Failure]:
    for number, line in _numbered_lines(file):
        yield make_record(source, number, f"{source}:{number}", line, raw=line)


def _read_jsonl(path: Path, settings: SourceSettings) -> Iterator[Record | Failure]:
    source = displayed(path)
    with _open(path) as file:
        for number, line in _numbered_lines(file):
            reason = not_unicode(line)
            if reason is None:
                try:
                    row = parse_json(line, parse_constant=_refuse_constant)
                    yield _from_row(row, source, number, line, settings)
                    continue
                except (ValueError, RecursionError) as error:
                    reason = f"not JSON: {error}"
            yield Failure(source, number, "", reason, escaped(line))


def _read_json(path: Path, settings: SourceSettings) -> Iterator[Record | Failure]:
    rows = parse_rows(path.read_text(encoding="utf-8-sig"))
    for number, row in enumerate(rows, start=1):
        yield _from_row(row, displayed(path), number, json_text(row), settings)


def _read_csv(path: Path, settings: SourceSettings) -> Iterator[Record | Failure]:
    source = displayed(path)
    delimiter = settings.delimiter or ("\t" if path.suffix.lower() == ".tsv" else ",")
    csv.field_size_limit(sys.maxsize)
    with _open(path, newline="") as file:
        lines: list[str] = []
        rows = csv.reader(_remembered(file, lines), delimiter=delimiter, strict=True)
        header = next(rows, [])
        if settings.text_field not in header:
            columns = ", ".join(map(repr, header)) or "none"
            reason = f"no column '{settings.text_field}'; there are: {columns}"
            other = next((sign for sign in ";\t,|" if sign in header[0]), "") if header else ""
            reason += f". Is it separated by {other!r}? Then give --delimiter" if other else ""
            yield Failure(source, 0, "", escaped(reason))
            return
        number = 0
        while True:
            lines.clear()
            try:
                values = next(rows, None)
            except csv.Error as error:
                number += 1
                raw = escaped("".join(lines))
                yield Failure(source, number, "", f"not CSV: {error}", raw)
                continue
            if values is None:
                return
            if not values:
                continue
            number += 1
            raw = "".join(lines)
            if len(values) != len(header):
                reason = f"expected {len(header)} columns, but found {len(values)}"
                yield Failure(source, number, "", reason, escaped(raw))
            else:
                row = dict(zip(header, values, strict=True))
                yield _from_row(row, source, number, raw, settings)


def _read_docbin(path: Path, settings: SourceSettings) -> Iterator[Record | Failure]:
    source = displayed(path)
    # A vocabulary of its own: that of the pipeline forgets the strings of finished documents.
    for number, doc in enumerate(read_docbin(path, Vocab()), start=1):
        names = {key: doc.user_data.get(key) for key in ("id", "title")}
        given = {key: value for key, value in names.items() if isinstance(value, str)}
        yield Record(
            source,
            number,
            given.get("id") or f"{source}:{number}",
            doc.text,
            given.get("title", ""),
            doc=doc.to_bytes(exclude=["user_data", "tensor"]),
        )


READERS: dict[str, Callable[[Path, SourceSettings], Iterator[Record | Failure]]] = {
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".spacy": _read_docbin,
}


# A folder's JSON is rarely its documents.
READ_ALONE = {".json": _read_json}


def _from_row(
    row: Any, source: str, number: int, raw: str, settings: SourceSettings
) -> Record | Failure:
    """A document from an object of JSON Lines or a row of a table."""
    fail = partial(Failure, source, number, raw=escaped(raw))
    if not isinstance(row, dict):
        return fail(id="", reason="expected a JSON object")
    if is_too_deep(row):
        return fail(id="", reason=f"nested more than {MAX_NESTING} deep")
    meta = dict(row)
    identifier = meta.pop(settings.id_field, None)
    if isinstance(identifier, bool) or not isinstance(identifier, str | int | float | None):
        return fail(id="", reason=f"the field '{settings.id_field}' is no string or number")
    name = f"{source}:{number}" if identifier in (None, "") else str(identifier)
    if settings.text_field not in meta:
        return fail(id=escaped(name), reason=f"no field '{settings.text_field}'")
    text = meta.pop(settings.text_field)
    if not isinstance(text, str):
        return fail(id=escaped(name), reason=f"the field '{settings.text_field}' is no string")
    title = ""
    if isinstance(meta.get(settings.title_field), str):
        title = meta.pop(settings.title_field)
    return make_record(source, number, name, text, title, meta, raw=raw)


def _open(path: Path, newline: str = "\n") -> Any:
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline=newline)


def _numbered_lines(file: Iterable[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            yield number, line.rstrip("\r\n")


def _remembered(lines: Iterable[str], memory: list[str]) -> Iterator[str]:
    for line in lines:
        memory.append(line)
        yield line


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")
