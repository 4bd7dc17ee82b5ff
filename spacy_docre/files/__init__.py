"""Files: found in a folder, named in messages, read as JSON, written as a whole or not at all."""

import hashlib
import os
import shutil
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ..errors import DocreError, Errors, printable
from .json_values import json_text, parse_json, parse_rows
from .kinds import encoding_of, kind_of

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["json_text", "parse_json", "parse_rows"]

# Bytes that are read at a time.
BLOCK = 1 << 20
# What the system shows as files, of which some are endless or wait for ever.
SYSTEM = ("/proc", "/sys")


def displayed(path: str | Path) -> str:
    """A file's name as valid Unicode in one line, for messages and results. A name can hold any
    byte: what is not UTF-8, and what a terminal would obey, becomes an escape such as "\\udcff".

    path (Union[str, Path]): The file or folder.
    RETURNS (str): Its name, with "/" between folders.
    """
    name = printable(Path(path).as_posix())
    return name.replace("\n", "\\n").replace("\t", "\\t")


@dataclass
class FolderContent:
    """What a folder holds.

    files (list[Path]): Its regular files, in the order of their names, those of the folder itself
        before those of its subfolders.
    skipped (Counter): How many "links" there are, and how many "pipes, sockets or devices".
    unreadable (list[OSError]): What was met in folders that cannot be listed.
    """

    files: list[Path] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    unreadable: list[OSError] = field(default_factory=list)


def regular_files(folder: str | Path, *, ignore: Path | None = None) -> FolderContent:
    """The files of a folder and its subfolders. Names that begin with a dot are ignored. The folder
    itself may be a link.

    folder (Union[str, Path]): The folder.
    ignore (Optional[Path]): A subfolder to ignore, for example that of the results.
    RETURNS (FolderContent): The files, and what was skipped.
    """
    content = FolderContent()
    ignored = ignore.resolve() if ignore else None
    for parent, folders, names in os.walk(folder, onerror=content.unreadable.append):
        visible = [Path(parent, name) for name in sorted(names) if not name.startswith(".")]
        subfolders = [Path(parent, name) for name in sorted(folders) if not name.startswith(".")]
        content.skipped["links"] += sum(path.is_symlink() for path in subfolders)
        folders[:] = [
            path.name for path in subfolders if not path.is_symlink() and path.resolve() != ignored
        ]
        for path in visible:
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                content.files.append(path)
            else:
                content.skipped["links" if stat.S_ISLNK(mode) else "pipes, sockets or devices"] += 1
    content.skipped = +content.skipped
    return content


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


def checksum(path: str | Path) -> str:
    """A checksum of a file, or of all files in a folder with their names. Links are followed, but
    not to a folder around it or to what the system itself shows as files, which have no end.

    path (Union[str, Path]): The file or folder.
    RETURNS (str): The checksum, in hexadecimal digits.
    """
    path = Path(path)
    total = hashlib.sha256()
    for file in sorted(_files_behind(path)) if path.is_dir() else [path]:
        content = hashlib.sha256()
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                content.update(block)
        total.update(os.fsencode(file.relative_to(path)) + b"\0" + content.digest())
    return total.hexdigest()


def _files_behind(folder: Path) -> Iterator[Path]:
    # Not `Path.resolve`, which raises an error where links lead to each other.
    seen, root = set(), Path(os.path.realpath(folder))
    for parent, folders, names in os.walk(folder, followlinks=True):
        paths = {name: Path(os.path.realpath(Path(parent, name))) for name in (*folders, *names)}
        ends = {n for n, path in paths.items() if not any(map(path.is_relative_to, SYSTEM))}
        seen.add(os.path.realpath(parent))
        folders[:] = [
            name
            for name in folders
            if name in ends
            and str(paths[name]) not in seen
            and not root.is_relative_to(paths[name])
        ]
        yield from (Path(parent, n) for n in names if n in ends and Path(parent, n).is_file())


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
    place when the block ends, and is removed if it fails.

    path (Union[str, Path]): The file to write; its folder is made if need be.
    YIELDS (Path): Where to write in the meantime.
    """
    path = Path(path)
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


def locked(folder: Path, name: str) -> IO[str]:
    """Take a folder for this process alone, as long as the file that is returned is open. Windows
    has no such locks.

    folder (Path): The folder.
    name (str): The name of the lock's file in it, which stays.
    RETURNS (IO[str]): The file.
    RAISES (DocreError): If another process has taken the folder, or for `refuse_links`.
    """
    refuse_links(folder)
    file = (folder / name).open("a")
    try:
        if fcntl is not None:
            # A record lock, unlike `flock`, is not inherited by processes that this one starts.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.close()
        raise DocreError(Errors.D039.format(folder=displayed(folder))) from None
    return file


def refuse_links(folder: Path) -> None:
    """Refuse a folder to write to in which there are links, whose files lie elsewhere, or pipes and
    devices, which may have no end. Subfolders are not looked into.

    folder (Path): The folder.
    RAISES (DocreError): Names the first of them.
    """
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise DocreError(Errors.D176.format(path=displayed(path)))


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
