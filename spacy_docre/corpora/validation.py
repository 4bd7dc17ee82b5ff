"""Checking documents that other programs wrote."""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError
from spacy.tokens import Doc

from ..data.clusters import describe
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


def _field_name(location: tuple[int | str, ...]) -> str:
    name = ""
    for part in location:
        name += f"[{part}]" if isinstance(part, int) else f".{part}"
    return name.lstrip(".") or "document"
