"""Reading spaCy's `.spacy` files, whoever has written them: spaCy takes the offsets and strings in
them as they are, also where they point outside the document or nowhere."""

import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import srsly
from spacy.symbols import NAMES
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from ..data.messages import check_lengths, walk_through
from ..errors import DocreError, Errors, shortened
from ..files import displayed
from .validation import DocumentError

# Bytes that a file may unfold to in any case, how many times its size it may, and how many are
# unfolded at a time.
MAX_UNFOLDED = 1 << 28
MAX_RATIO = 100
CHUNK = 1 << 20
# The same for all but the numbers of the tokens, since a byte can be an object of 70: in a corpus,
# 2 to 3 times its size.
MAX_OBJECTS = 1 << 24
MAX_OBJECTS_RATIO = 20
NUMBERS = (b"\xa6tokens", b"\xa6spaces", b"\xa7lengths")
BINARY = b"\xc4\xc5\xc6"

# The attributes of tokens whose values are strings, by their numbers in the string store.
STRINGS: list[int | str] = [
    "LEMMA",
    "NORM",
    "TAG",
    "DEP",
    "ENT_TYPE",
    "ENT_KB_ID",
    "ENT_ID",
    "MORPH",
]


def read_docbin(path: str | Path, vocab: Vocab) -> Iterator[Doc]:
    """Read the documents of a `.spacy` file as they were saved.

    path (Union[str, Path]): The file.
    vocab (Vocab): The vocabulary of the documents.
    YIELDS (Doc): The documents.
    RAISES (DocreError): If the file is not in spaCy's format, or a document in it is damaged.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise DocreError(Errors.D015.format(path=displayed(path), reason=reason)) from None
    try:
        _check_objects(_unfolded(content), len(content))
        doc_bin = DocBin().from_bytes(content)
        known = [isinstance(name, int) and 0 < name < len(NAMES) for name in doc_bin.attrs]
        if not all(known) or len(set(doc_bin.attrs)) < len(known):
            raise ValueError("the names of its attributes are unknown or doubled")
        docs = doc_bin.get_docs(vocab)
    except Exception as error:  # whatever a broken file does to the libraries that read it
        reason = f"not in spaCy's format, or damaged: {type(error).__name__}: {error}"
        raise DocreError(Errors.D015.format(path=path, reason=shortened(reason))) from None
    for index in range(len(doc_bin)):
        data: Mapping = {}
        try:
            for message in _messages(doc_bin, index):
                check_lengths(message)
            doc = next(docs)
            data = doc.user_data
            _check(doc)
        except DocumentError as error:
            raise error.in_file(path, index, data) from None
        except Exception as error:
            damage = DocumentError("document", f"damaged: {type(error).__name__}: {error}")
            raise damage.in_file(path, index, data) from None
        yield doc


def _unfolded(data: bytes) -> bytes:
    """What is compressed, unless it unfolds to far more than documents do: a corpus becomes 3 to 20
    times as large."""
    limit = max(MAX_UNFOLDED, MAX_RATIO * len(data))
    unfold, found = zlib.decompressobj(), bytearray()
    # Part by part: what is not unfolded yet is copied each time.
    for start in range(0, len(data), CHUNK):
        rest = data[start : start + CHUNK]
        while rest and not unfold.eof:
            found += unfold.decompress(rest, CHUNK)
            rest = unfold.unconsumed_tail
            if len(found) > limit:
                raise ValueError(f"it unfolds to more than {limit} bytes")
    return bytes(found)


def _check_objects(unfolded: bytes, file_size: int) -> None:
    """Refuse what says to have parts that are not there, or has far more of them than documents
    have, before any is made."""
    check_lengths(unfolded)
    size, limit = len(unfolded), max(MAX_OBJECTS, MAX_OBJECTS_RATIO * file_size)
    unpacker = walk_through(unfolded)
    for _ in range(unpacker.read_map_header()):
        start = unpacker.tell()
        unpacker.skip()
        middle = unpacker.tell()
        unpacker.skip()
        if unfolded[start:middle] in NUMBERS and unfolded[middle] in BINARY:
            size -= unpacker.tell() - middle
    if size > limit:
        raise ValueError(f"beside its tokens it unfolds to more than {limit} bytes")


def _messages(doc_bin: DocBin, index: int) -> Iterator[bytes]:
    """The messages that spaCy unpacks when it makes a document."""
    yield from filter(None, doc_bin.user_data[index : index + 1])
    for groups in filter(None, doc_bin.span_groups[index : index + 1]):
        yield groups
        yield from srsly.msgpack_loads(groups)


def _check(doc: Doc) -> None:
    """Find what spaCy would stumble over later. To look at the spans is enough to have their tokens
    checked."""
    for key, group in doc.spans.items():
        if not isinstance(key, str):
            raise DocumentError("spans", f"the key {key!r} is no string")
        for place, span in enumerate(group):
            field = f"spans[{key!r}][{place}]"
            plain = doc[span.start : span.end]
            if (span.start_char, span.end_char) != (plain.start_char, plain.end_char):
                raise DocumentError(field, "its characters are not those of its tokens")
            _check_strings(doc, field, [span.label, span.kb_id])
    if len(doc):
        values = doc.to_array(STRINGS)
        _check_strings(doc, "tokens", np.unique(values).tolist())
        for value in np.unique(doc.to_array("POS")).tolist():
            if value >= len(NAMES):
                raise DocumentError("tokens", f"there is no part of speech {value}")
    # An entity that begins nowhere is an error of spaCy's as soon as they are asked for.
    len(doc.ents)
    if not isinstance(doc.user_data.get("title"), str | None):
        raise DocumentError("user_data['title']", "it is no string")


def _check_strings(doc: Doc, field: str, values: list[int]) -> None:
    strings: Any = doc.vocab.strings  # which is said to hold no numbers
    for value in values:
        if value and value not in strings:
            raise DocumentError(field, f"there is no string of the number {value}")
