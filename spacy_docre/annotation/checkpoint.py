"""A folder of results that a killed process can go on with, with nothing lost or written twice.

The files of a part are written under names that begin with a dot, brought to the disk, and renamed;
then its errors are added to `errors.jsonl`; and then `annotate.json` is replaced, which alone says
how far the run is. What a process that was killed in between left behind, later parts and later
errors, is removed at the next start."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import DocreError, Errors
from ..files import displayed, sync
from ..files.folders import locked
from .records import Failure
from .tables import ENTITIES, merge_tables

MANIFEST = "annotate.json"
ERRORS = "errors.jsonl"
LOCK = ".annotate.lock"
PART = re.compile(r"\.?part-(\d{5,})(\.entities)?\.[a-z]+")
# Changes when a record's fingerprint does.
VERSION = 2


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    parts (int): The parts that are complete.
    documents (int): The documents in them.
    errors (int): The documents that were set aside.
    words (int): The documents' tokens.
    clusters (int): Their entity clusters.
    relations (int): Their relations.
    seconds (float): The time that they took.
    errors_bytes (int): The size of `errors.jsonl`.
    digest (str): A checksum of everything that was read.
    complete (bool): Whether the input has no more documents.
    """

    parts: int = 0
    documents: int = 0
    errors: int = 0
    words: int = 0
    clusters: int = 0
    relations: int = 0
    seconds: float = 0.0
    errors_bytes: int = 0
    digest: str = ""
    complete: bool = False

    @property
    def records(self) -> int:
        """The documents that were read, in good order or not."""
        return self.documents + self.errors


class Checkpoint:
    """The folder of results. As a context manager, it lets the folder go at the end.

    folder (Path): The folder; it is made if need be.
    command (dict[str, Any]): What the results depend on.
    overwrite (bool): Whether the results of former commands are removed.
    RAISES (DocreError): If the folder holds anything else, or another process writes to it.
    """

    def __init__(self, folder: Path, command: dict[str, Any], *, overwrite: bool = False) -> None:
        self.folder = folder
        self.command = json.loads(json.dumps(command))
        self.progress = Progress()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.lock = locked(folder, LOCK)
        except OSError as error:
            reason = error.strerror or error
            raise DocreError(Errors.D038.format(folder=displayed(folder), reason=reason)) from None
        try:
            if (folder / MANIFEST).exists():
                self._go_on(overwrite)
            else:
                self._refuse_strangers()
            self._save()
            self._remove_leftovers()
        except BaseException:
            self.lock.close()
            raise

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.lock.close()

    def draft(self, suffix: str) -> Path:
        """Where the next part's file with that suffix is written in the meantime."""
        return self.folder / f".{self._part_name(suffix)}"

    def commit(
        self, suffixes: Iterable[str], failures: Iterable[Failure], progress: Progress
    ) -> None:
        """Complete the next part.

        suffixes (Iterable[str]): The suffixes of its files, whose drafts are complete.
        failures (Iterable[Failure]): The documents that were set aside.
        progress (Progress): How far the run is now; parts and bytes are filled in here.
        """
        for suffix in suffixes:
            sync(self.draft(suffix))
            self.draft(suffix).replace(self.folder / self._part_name(suffix))
        with (self.folder / ERRORS).open("ab") as file:
            for failure in failures:
                file.write(json.dumps(failure.row(), ensure_ascii=False).encode() + b"\n")
            size = file.tell()
        sync(self.folder / ERRORS)
        sync(self.folder)
        self.progress = replace(progress, parts=self.progress.parts + 1, errors_bytes=size)
        self._save()

    def finish(self) -> None:
        """Note that the input has no more documents, and make what is made of all parts."""
        merge_tables(self.folder)
        self.progress = replace(self.progress, complete=True)
        self._save()

    def _part_name(self, suffix: str) -> str:
        return f"part-{self.progress.parts:05}{suffix}"

    def _go_on(self, overwrite: bool) -> None:
        if overwrite:
            return
        try:
            manifest = json.loads((self.folder / MANIFEST).read_text(encoding="utf8"))
            if manifest.get("version") != VERSION:
                raise ValueError("it was written by another version of spacy-docre")
            former = manifest["command"]
            progress = Progress(**manifest["progress"])
            for name, default in asdict(Progress()).items():
                value = getattr(progress, name)
                if type(value) is not type(default) or (value < type(value)()):
                    raise ValueError(f"'{name}' is {value!r}")
            size = (self.folder / ERRORS).stat().st_size if progress.errors_bytes else 0
            if progress.errors_bytes > size:
                raise ValueError(f"{ERRORS} has {size} bytes, less than 'errors_bytes'")
            _ = former.items()
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reason = f"{MANIFEST} cannot be read ({type(error).__name__}: {error})"
            raise DocreError(
                Errors.D038.format(folder=displayed(self.folder), reason=reason)
            ) from None
        if former != self.command:
            self.refuse(differences(former, self.command))
        self.progress = progress

    def refuse(self, differences: str) -> None:
        """RAISES (DocreError): Says what differs from the command that the results are of."""
        raise DocreError(Errors.D037.format(folder=displayed(self.folder), differences=differences))

    def _refuse_strangers(self) -> None:
        strangers = sorted(p.name for p in self.folder.iterdir() if not p.name.startswith("."))
        if strangers:
            reason = f"it holds '{displayed(strangers[0])}' and no {MANIFEST}"
            raise DocreError(Errors.D038.format(folder=displayed(self.folder), reason=reason))

    def _remove_leftovers(self) -> None:
        for path in self.folder.iterdir():
            part = PART.fullmatch(path.name)
            if part and (path.name.startswith(".") or int(part[1]) >= self.progress.parts):
                path.unlink()
        if not self.progress.complete:
            (self.folder / ENTITIES).unlink(missing_ok=True)
        with (self.folder / ERRORS).open("ab") as file:
            file.truncate(self.progress.errors_bytes)

    def _save(self) -> None:
        manifest = {"version": VERSION, "command": self.command, "progress": asdict(self.progress)}
        draft = self.folder / f".{MANIFEST}"
        draft.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf8")
        sync(draft)
        draft.replace(self.folder / MANIFEST)
        sync(self.folder)


def differences(former: Mapping[str, Any], command: Mapping[str, Any]) -> str:
    """What differs, in the manner of "part_size was 1000 and is 500".

    former (Mapping[str, Any]): What was.
    command (Mapping[str, Any]): What is.
    RETURNS (str): The differences.
    """
    return "; ".join(
        f"{name} was {json.dumps(former.get(name))} and is {json.dumps(command.get(name))}"
        for name in dict.fromkeys([*former, *command])
        if former.get(name) != command.get(name)
    )
