"""Folders that others may have filled: what is in them, and whether they may be written to."""

import errno
import hashlib
import os
import stat
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ..errors import DocreError, Errors, Warnings
from . import displayed

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# What the system shows as files, of which some are endless or wait for ever.
SYSTEM = ("/proc", "/sys")
# How deep folders are looked into. `os.walk` calls itself for each level before Python 3.12, which
# has an end at some 900.
MAX_DEPTH = 200


@dataclass
class FolderContent:
    """What a folder holds.

    files (list[Path]): Its regular files by name, those of the folder before its subfolders'.
    skipped (Counter): How many "links" there are, and how many "pipes, sockets or devices".
    unreadable (list[OSError]): What was met in folders that cannot be listed.
    """

    files: list[Path] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    unreadable: list[OSError] = field(default_factory=list)

    def warn(self, folder: str | Path) -> None:
        """Warn of what was skipped, if anything was (DW60).

        folder (Union[str, Path]): The folder.
        """
        if self.skipped:
            skipped = ", ".join(f"{count} {kind}" for kind, count in self.skipped.items())
            message = Warnings.DW60.format(folder=displayed(folder), skipped=skipped)
            warnings.warn(message, stacklevel=2)


def regular_files(folder: str | Path, *, ignore: Path | None = None) -> FolderContent:
    """The files of a folder and its subfolders. Names that begin with a dot are ignored. The folder
    itself may be a link.

    folder (Union[str, Path]): The folder.
    ignore (Optional[Path]): A subfolder to ignore, for example that of the results.
    RETURNS (FolderContent): The files, and what was skipped.
    """
    content = FolderContent()
    ignored = ignore.resolve() if ignore else None
    for parent, folders, names in _walk(folder, onerror=content.unreadable.append):
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


def checksum(path: Path) -> str:
    """A checksum of a file, or of all files in a folder with their names. Links are followed, but
    not to a folder around it or to what the system itself shows as files, which have no end.

    path (Path): The file or folder.
    RETURNS (str): The checksum, in hexadecimal digits.
    """
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
    for parent, folders, names in _walk(folder, followlinks=True):
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


def _walk(
    folder: str | Path, onerror: Callable[[OSError], None] | None = None, followlinks: bool = False
) -> Iterator[tuple[str, list[str], list[str]]]:
    """`os.walk`, to which a folder that lies too deep is one that cannot be read."""
    depth = len(Path(folder).parts)
    for parent, folders, names in os.walk(folder, onerror=onerror, followlinks=followlinks):
        yield parent, folders, names
        if folders and len(Path(parent).parts) - depth >= MAX_DEPTH:
            if onerror:
                code = errno.ENAMETOOLONG
                onerror(OSError(code, os.strerror(code), os.path.join(parent, folders[0])))
            folders.clear()


def locked(folder: Path, name: str) -> IO[str]:
    """Take a folder for this process alone, until the file is closed. Windows has no such locks.

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
    """Refuse a folder to write to that holds links, which lead elsewhere, or pipes or devices.

    folder (Path): The folder.
    RAISES (DocreError): Names the first of them.
    """
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise DocreError(Errors.D176.format(path=displayed(path)))
