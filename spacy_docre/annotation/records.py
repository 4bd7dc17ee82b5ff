"""What a source gives: documents to annotate, and places where there should have been one. Plain
values, so that they can be sent to another process or machine."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import srsly


@dataclass(frozen=True)
class Record:
    """A document to annotate.

    source (str): The file that it comes from, as the user named it.
    number (int): Its place there, from 1: the line of a file of lines, the row of a table.
    id (str): Its identifier.
    text (str): Its text.
    title (str): Its title, if it has one.
    meta (dict[str, Any]): The other fields of its row: JSON values.
    doc (Optional[bytes]): `Doc.to_bytes` of a document with tokens, which are kept.
    """

    source: str
    number: int
    id: str
    text: str
    title: str = ""
    meta: dict[str, Any] = field(default_factory=dict)
    doc: bytes | None = None

    def fingerprint(self) -> bytes:
        """What the document is recognised by when a run is resumed: all that its results show."""
        values = [self.source, self.number, self.id, self.text, self.title, self.meta]
        return json.dumps(values).encode() + _canonical(self.doc)

    def failure(self, error: Exception) -> "Failure":
        """What becomes of the document if it breaks the pipeline."""
        reason = f"{type(error).__name__}: {error}"
        return Failure(self.source, self.number, self.id, reason, self.text)


@dataclass(frozen=True)
class Failure:
    """A document that was set aside.

    source (str): The file that it comes from, as the user named it.
    number (int): Its place there, from 1; 0 for the whole file.
    id (str): Its identifier, if it was found.
    reason (str): What is wrong with it.
    raw (str): Its line or text, where there is one.
    """

    source: str
    number: int
    id: str
    reason: str
    raw: str = ""

    def fingerprint(self) -> bytes:
        """What the document is recognised by when a run is resumed."""
        return json.dumps(list(asdict(self).values())).encode()

    def row(self) -> dict[str, Any]:
        """The failure as a row of `errors.jsonl`."""
        return asdict(self)


def make_record(
    source: str,
    number: int,
    identifier: str,
    text: str,
    title: str = "",
    meta: dict[str, Any] | None = None,
    *,
    raw: str,
) -> Record | Failure:
    """What a source gives, as a document, or as a failure if it cannot be written. See `Record`.

    raw (str): Its line or text in the source.
    RETURNS (Union[Record, Failure]): The document or the failure.
    """
    # A number such as 1e999 is read as infinity, which cannot be written.
    everything = json.dumps([identifier, text, title, meta], ensure_ascii=False, allow_nan=False)
    reason = not_unicode(everything)
    if reason is not None:
        return Failure(source, number, escaped(identifier), reason, escaped(raw))
    return Record(source, number, identifier, text, title, meta or {})


def not_unicode(text: str) -> str | None:
    """Why a text cannot be written.

    text (str): A text, with bytes that are not UTF-8 as surrogates.
    RETURNS (Optional[str]): What the first such character is; None if it can be written.
    """
    try:
        text.encode("utf8")
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        if 0xDC80 <= code <= 0xDCFF:
            return f"not UTF-8: the byte 0x{code - 0xDC00:02x}"
        return f"not Unicode: the lone surrogate U+{code:04X}"
    return None


def escaped(text: str) -> str:
    """text (str): A text.
    RETURNS (str): The text with what is not Unicode as an escape sequence.
    """
    return text.encode("utf8", "backslashreplace").decode("utf8")


def _canonical(doc: bytes | None) -> bytes:
    """`Doc.to_bytes` without what differs between processes: it lists the strings of a set."""
    if doc is None:
        return b""
    message = srsly.msgpack_loads(doc)
    message["strings"] = sorted(message.get("strings", ()))
    return srsly.msgpack_dumps(message)
