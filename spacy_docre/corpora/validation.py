"""Reading and checking files that other programs wrote."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError
from spacy.tokens import Doc

from ..clusters import describe
from ..errors import DocreError, Errors, shortened

Writer = TypeVar("Writer", bound=Callable[..., Any])
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
        title = row.get("title", "") if isinstance(row, Mapping) else ""
        shown = {"title": str(title), "field": self.field, "reason": self.reason}
        shown = {name: shortened(text) for name, text in shown.items()}
        return DocreError(Errors.D014.format(path=path, index=index, **shown))


def validate(model: type[ModelT], row: Any) -> ModelT:
    """Check a document against its format.

    model (type[ModelT]): The format.
    row (Any): The document.
    RETURNS (ModelT): The checked document.
    RAISES (DocumentError): With the first field that is wrong.
    """
    check_unicode(row)
    try:
        return model.model_validate(row)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise DocumentError(_field_name(first["loc"]), first["msg"]) from None


def check_unicode(row: Any) -> None:
    """Check that all strings are Unicode: JSON can hold escapes (`\\ud800`) that are half a
    character, and nothing can be done with them.

    row (Any): A JSON value.
    RAISES (DocumentError): With the first field that is wrong.
    """
    try:
        json.dumps(row, ensure_ascii=False).encode("utf8")
    except RecursionError:
        raise DocumentError("document", "nested too deeply") from None
    except UnicodeEncodeError as error:
        raise DocumentError(_field_name(_broken(row)), f"not valid Unicode: {error}") from None


def _broken(value: Any) -> tuple[int | str, ...]:
    """The way to the first string in a value that is not Unicode."""
    items: Iterable[tuple[int | str, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        try:
            json.dumps({str(key): inner}, ensure_ascii=False).encode("utf8")
        except UnicodeEncodeError:
            return key, *_broken(inner)
    return ()


def parse_json(text: str, **settings: Any) -> Any:
    """Parse JSON, and refuse an object with the same key twice, of which Python's parser would
    keep the last.

    text (str): The JSON.
    **settings (Any): As for `json.loads`.
    RETURNS (Any): The value.
    RAISES (ValueError): If it is malformed.
    RAISES (RecursionError): If it is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_unique, **settings)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has the key {shortened(twice)!r} twice")
    return value


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    path (Union[str, Path]): The file.
    RETURNS (Any): Its value.
    RAISES (DocreError): If it is not there or is not UTF-8 encoded JSON.
    """
    try:
        return parse_json(Path(path).read_text(encoding="utf8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DocreError(Errors.D015.format(path=path, reason=error)) from None


def export(name: str) -> Callable[[Writer], Writer]:
    """Decorate a function that writes a document in a format. Documents carry, in attributes that
    nobody checks when they are read, what the format says beside clusters and relations.

    name (str): The name of the format.
    RETURNS (Callable): The decorator. The function then raises a DocreError where such attributes
        are not what they should be.
    """

    def decorate(write: Writer) -> Writer:
        @wraps(write)
        def guarded(doc: Doc, *arguments: Any, **settings: Any) -> Any:
            try:
                return write(doc, *arguments, **settings)
            except DocreError:
                raise
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                reason = shortened(f"{type(error).__name__}: {error}")
                message = Errors.D117.format(doc=describe(doc), name=name, reason=reason)
                raise DocreError(message) from error

        return cast(Writer, guarded)

    return decorate


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
