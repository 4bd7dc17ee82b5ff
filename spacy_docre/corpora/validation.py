"""Reading and checking files that other programs wrote."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..errors import DocreError, Errors

ModelT = TypeVar("ModelT", bound=BaseModel)


class DocumentError(Exception):
    """What is wrong with one document of a file.

    field (str): Where in the document.
    reason (str): What is wrong there.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason

    def in_file(self, path: str | Path, index: int, row: Any) -> DocreError:
        """The error with the place of the document: its file, its number (from 0) and title."""
        title = row.get("title", "") if isinstance(row, dict) else ""
        return DocreError(
            Errors.D014.format(
                path=path, index=index, title=title, field=self.field, reason=self.reason
            )
        )


def validate(model: type[ModelT], row: Any) -> ModelT:
    """Check a document against its format.

    model (type[ModelT]): The format.
    row (Any): The document.
    RETURNS (ModelT): The checked document.
    RAISES (DocumentError): With the first field that is wrong.
    """
    try:
        return model.model_validate(row)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise DocumentError(_field_name(first["loc"]), first["msg"]) from None


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    path (Union[str, Path]): The file.
    RETURNS (Any): Its value.
    RAISES (DocreError): If it is not there or is not UTF-8 encoded JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DocreError(Errors.D015.format(path=path, reason=error)) from None


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
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


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


def _field_name(location: tuple[int | str, ...]) -> str:
    name = ""
    for part in location:
        name += f"[{part}]" if isinstance(part, int) else f".{part}"
    return name.lstrip(".") or "document"
