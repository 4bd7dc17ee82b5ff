"""Files: named in messages, read as text or JSON, written as a whole or not at all."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..errors import DocreError, Errors, printable
from .json_values import json_text, parse_json, parse_rows
from .kinds import encoding_of, kind_of

__all__ = ["json_text", "parse_json", "parse_rows"]


def displayed(path: str | Path) -> str:
    """A file's name as valid Unicode in one line, for messages and results. A name can hold any
    byte: what is not UTF-8, and what a terminal would obey, becomes an escape such as "\\udcff".

    path (Union[str, Path]): The file or folder.
    RETURNS (str): Its name, with "/" between folders.
    """
    name = printable(Path(path).as_posix())
    return name.replace("\n", "\\n").replace("\t", "\\t")


def read_text(path: str | Path) -> str:
    """Read a UTF-8 text to the letter, with its line ends but without a byte order mark.

    path (Union[str, Path]): The file.
    RETURNS (str): The text.
    RAISES (DocreError): If it is not there, not a text or not UTF-8; names what it is, if it can.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DocreError(Errors.D015.format(path=displayed(path), reason=error)) from None
    kind, encoding = kind_of(data), encoding_of(data)
    if kind:
        raise DocreError(Errors.D157.format(path=displayed(path), kind=kind[0], advice=kind[1]))
    if encoding:
        raise DocreError(Errors.D150.format(path=displayed(path), encoding=encoding))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = f"0x{data[error.start]:02x}"
        place = {"byte": byte, "line": data.count(b"\n", 0, error.start) + 1}
        raise DocreError(Errors.D151.format(path=displayed(path), **place)) from None


def read_json(path: str | Path, parse: Callable[[str], Any] = parse_json) -> Any:
    """Read a JSON file.

    path (Union[str, Path]): The file.
    parse (Callable[[str], Any]): `parse_json`, or `parse_rows` for lists that may be JSON Lines.
    RETURNS (Any): Its value.
    RAISES (DocreError): If it is not there or is not UTF-8 encoded JSON.
    """
    text = read_text(path)
    try:
        return parse(text)
    except (ValueError, RecursionError) as error:
        raise DocreError(Errors.D015.format(path=displayed(path), reason=error)) from None


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Write a file as a whole or not at all: the block writes to a path beside it, which takes its
    place when the block ends, and is removed if it fails. Nothing takes the place of a device.

    path (Union[str, Path]): The file to write; its folder is made if need be.
    YIELDS (Path): Where to write in the meantime.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        yield path
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.unlink(missing_ok=True)  # which may be a link
        yield draft
        sync(draft)
        draft.replace(path)
    except OSError as error:
        if error.filename == str(draft):
            error.filename = str(path)
        raise
    finally:
        # On a disk that cannot be written to, not even what is not there can be removed.
        with suppress(OSError):
            draft.unlink()


def write_folder(target: Path, write: Callable[[Path], Any]) -> None:
    """Write a folder as a whole or not at all. No file system replaces a folder in one step: where
    the process is killed between the two renames, `restore_folder` brings the former one back.

    target (Path): The folder. One that is there already is replaced.
    write (Callable[[Path], Any]): Writes the content to the folder that it is given.
    """
    restore_folder(target)
    draft, former = _beside(target)
    draft.mkdir(parents=True)
    try:
        write(draft)
        for path in [*draft.rglob("*"), draft]:
            sync(path)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    if target.exists():
        target.rename(former)
    draft.rename(target)
    sync(target.parent)
    if former.exists():
        shutil.rmtree(former)


def replace_files(folder: Path, write: Callable[[Path], Any]) -> None:
    """Write files into a folder, each as a whole, and none before all are written: on a full disk
    the folder stays as it was. Its other files stay in any case.

    folder (Path): The folder, which is made if need be.
    write (Callable[[Path], Any]): Writes the files to the folder that it is given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".") as draft:
        write(Path(draft))
        paths = [path for path in Path(draft).rglob("*") if path.is_file()]
        for path in paths:
            sync(path)
        for path in paths:
            target = folder / path.relative_to(draft)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)


def restore_folder(target: Path) -> None:
    """Undo what a killed process left of `write_folder`.

    target (Path): The folder.
    """
    draft, former = _beside(target)
    if former.exists() and not target.exists():
        former.rename(target)
    for leftover in (draft, former):
        if leftover.exists():
            shutil.rmtree(leftover)


def _beside(target: Path) -> tuple[Path, ...]:
    return tuple(target.with_name(f".{target.name}.{end}") for end in ("draft", "former"))


def sync(path: Path) -> None:
    """Bring a file or the names in a folder to the disk.

    path (Path): The file or folder.
    """
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open folders
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
