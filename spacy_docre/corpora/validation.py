"""Checking documents that other programs wrote."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import wraps
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

from pydantic import BaseModel, ValidationError, ValidationInfo, model_validator
from spacy.tokens import Doc

from ..data.clusters import describe
from ..errors import DocreError, Errors, shortened
from .report import ConversionReport

Writer = TypeVar("Writer", bound=Callable[..., Any])
ModelT = TypeVar("ModelT", bound=BaseModel)


# How deep the values of a document may be nested that are kept as they are. Python reads JSON about
# 1,000 deep, but neither `.spacy` files nor other processes can be given that.
MAX_NESTING = 100


def is_too_deep(value: Any) -> bool:
    """Whether a value is nested more than `MAX_NESTING` deep.

    value (Any): A value of JSON.
    RETURNS (bool): Whether it is.
    """
    parts: Iterable[Any] = [value]
    for _ in range(MAX_NESTING + 1):
        nested = [part for part in parts if isinstance(part, dict | list)]
        parts = chain.from_iterable(v.values() if isinstance(v, dict) else v for v in nested)
    return bool(nested)


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


class Row(BaseModel):
    """An object of a JSON format. A key that it does not have is an error if it may be meant for
    one of its own that is missing, and is else told to `validate`, which counts it.

    NAME (str): What such objects are, in reports.
    UNREAD (frozenset[str]): Keys of the format that say nothing that is kept.
    MEANT (Mapping[str, str]): What other formats call its keys.
    """

    NAME: ClassVar[str] = "documents"
    UNREAD: ClassVar[frozenset[str]] = frozenset()
    MEANT: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _note_keys(cls, row: Any, info: ValidationInfo) -> Any:
        if not isinstance(row, dict):
            return row
        known = {field.alias or name for name, field in cls.model_fields.items()}
        missing = known - row.keys()
        for key in row.keys() - known - cls.UNREAD:
            meant = cls.MEANT.get(key) or next(iter(get_close_matches(key, missing, 1)), None)
            if meant in missing:
                raise ValueError(f"there is no key {shortened(key)!r}; is {meant!r} meant?")
            if info.context is not None:
                info.context.append(f"{shortened(key)!r} of {cls.NAME}")
        return row


def validate(
    model: type[ModelT], row: Any, report: ConversionReport | None = None, title: str = ""
) -> ModelT:
    """Check a document against its format.

    model (type[ModelT]): The format.
    row (Any): The document.
    report (Optional[ConversionReport]): Counts the keys that the format does not have.
    title (str): The document's title in the report.
    RETURNS (ModelT): The checked document.
    RAISES (DocumentError): With the first field that is wrong.
    """
    check_unicode(row)
    unknown: list[str] = []
    try:
        document = model.model_validate(row, context=unknown)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        if first["type"] == "model_type":
            reason = f"expected an object, but it is of the type {type(first['input']).__name__}"
        raise DocumentError(_field_name(first["loc"]), reason) from None
    if report is not None:
        for key, n in sorted(Counter(unknown).items()):
            report.count(f"keys {key}, which are not read", title, n)
    return document


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
    waiting: list[tuple[tuple[int | str, ...], Any]] = [((), value)]
    while waiting:
        place, inner = waiting.pop()
        if isinstance(inner, str) and not _is_unicode(inner):
            return place
        items: Iterable[tuple[int | str, Any]] = ()
        if isinstance(inner, dict):
            items = inner.items()
        elif isinstance(inner, list):
            items = enumerate(inner)
        for key, further in items:
            if isinstance(key, str) and not _is_unicode(key):
                return *place, key
            waiting.append(((*place, key), further))
    return ()


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


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
