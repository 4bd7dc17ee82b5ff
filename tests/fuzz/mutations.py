"""Ways in which files break."""

import json
import re
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

import srsly

from .files import Case
from .texts import SURROGATES, random_word

NUMBERS = ["-1", "0", "1", "99", "-0", "1e5", "1.5", str(2**31), str(2**63), str(2**64), "9" * 30]
NUMBERS += ["9" * 5000, "1e999", "NaN", "Infinity", '"1"', "null", "true"]
SIGNS = [b"\t", b"|", b"\n", b"\r", b" ", b"\x00", b'"', b"\\", b":", b";", b"{", b"]", b"\xff"]
SIGNS += [b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\xc2\x85", b"\x0b"]
ENCODINGS = ["utf-16", "utf-8-sig", "latin-1", "utf-32-le", "cp1252"]
DEPTH = [10, 1000, 100_000]


def mutate(rng: Random, case: Case) -> Case:
    """The same input, broken in one to three places."""
    files = dict(case.files)
    done = []
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        name = rng.choice(list(files))
        ways: list[Callable[[Random, bytes], bytes]] = list(WAYS)
        if case.format in JSON_FORMATS:
            ways += 15 * [break_json]
        elif case.format == "spacy":
            ways += 15 * [break_docbin]
        way = rng.choice(ways)
        files[name] = way(rng, files[name])
        done.append(f"{way.__name__} of {name}")
    if rng.random() < 0.01:
        done.append(f"no {(gone := rng.choice(list(files)))}")
        del files[gone]
    return Case(case.format, files, None, done)


def cut(rng: Random, data: bytes) -> bytes:
    return data[: rng.randint(0, len(data))]


def empty(rng: Random, data: bytes) -> bytes:
    return rng.choice([b"", b"\n", b" \n\n", b"\xef\xbb\xbf", b"null", b"[]", b"{}"])


def flip_bits(rng: Random, data: bytes) -> bytes:
    flipped = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8]) if data else 0):
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def remove(rng: Random, data: bytes) -> bytes:
    start = rng.randint(0, len(data))
    return data[:start] + data[start + rng.choice([1, 1, 2, 5, 50]) :]


def repeat(rng: Random, data: bytes) -> bytes:
    start = rng.randint(0, len(data))
    end = start + rng.choice([1, 5, 50, 500])
    return data[:end] + data[start:end] + data[end:]


def insert(rng: Random, data: bytes) -> bytes:
    place = rng.randint(0, len(data))
    return data[:place] + rng.choice(SIGNS) + data[place:]


def change_number(rng: Random, data: bytes) -> bytes:
    return _replace_one(rng, data, rb"-?\d+", rng.choice(NUMBERS).encode())


def change_word(rng: Random, data: bytes) -> bytes:
    return _replace_one(rng, data, rb"\w+", random_word(rng).encode())


def change_lines(rng: Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    kind, place = rng.random(), rng.randrange(len(lines))
    if kind < 0.3:
        del lines[place]
    elif kind < 0.6:
        lines.insert(rng.randrange(len(lines) + 1), lines[place])
    elif kind < 0.8:
        rng.shuffle(lines)
    else:
        lines = [b"\t".join(line.split(b"\t")[:-1]) for line in lines]
    return b"\n".join(lines)


def change_line_ends(rng: Random, data: bytes) -> bytes:
    return data.replace(b"\n", rng.choice([b"\r\n", b"\r", b"\n\n", b"\x0c"]))


def change_encoding(rng: Random, data: bytes) -> bytes:
    text = data.decode("utf8", errors="replace")
    return text.encode(rng.choice(ENCODINGS), errors="replace")


WAYS = (
    cut,
    empty,
    flip_bits,
    remove,
    repeat,
    insert,
    change_number,
    change_number,
    change_word,
    change_lines,
    change_line_ends,
    change_encoding,
)
JSON_FORMATS = {"docred", "dwie", "jsonl", "records"}


def break_json(rng: Random, data: bytes) -> bytes:
    """A wrong value, a missing, repeated or additional key at a random place of a file of JSON or
    of one of its lines."""
    lines = data.split(b"\n")
    place = rng.randrange(len(lines))
    try:
        value = json.loads(lines[place])
    except (ValueError, RecursionError):
        return flip_bits(rng, data)
    kind = rng.random()
    if kind < 0.1:
        depth = rng.choice(DEPTH)
        lines[place] = b"[" * depth + b"]" * (depth if kind < 0.08 else 0)
    elif kind < 0.2:
        lines[place] = _repeat_key(rng, json.dumps(value)).encode()
    else:
        lines[place] = json.dumps(_break_value(rng, value)).encode()
    return b"\n".join(lines)


def break_docbin(rng: Random, data: bytes) -> bytes:
    """The same inside the compressed part of spaCy's format, where a checksum hides it from all
    who mutate bytes."""
    try:
        content = srsly.msgpack_loads(zlib.decompress(data))
    except Exception:
        return flip_bits(rng, data)
    try:
        if rng.random() < 0.3:
            packed = flip_bits(rng, srsly.msgpack_dumps(content))
        else:
            packed = srsly.msgpack_dumps(_break_value(rng, content))
    except Exception:  # nothing that can be packed
        return data
    return zlib.compress(packed)


def random_value(rng: Random) -> Any:
    """A JSON value of any type."""
    choices: list[Any] = [None, True, 0, -1, 1, 7, 10**6, 2**63, -(2**63), 2**64, 10**30, 1.5]
    choices += [float("nan"), float("inf"), 1e300, "", "x", "1", [], {}, [[]], [0, 1], {"x": 0}]
    choices += [random_word(rng), rng.choice(SURROGATES)]
    return rng.choice(choices)


def _break_value(rng: Random, value: Any) -> Any:
    """A copy with one place broken; the path to it is a random one."""
    if isinstance(value, bytes) and rng.random() < 0.9:
        return _break_bytes(rng, value)
    is_inner = isinstance(value, dict | list) and value
    if not is_inner or rng.random() < 0.05:
        if isinstance(value, int) and rng.random() < 0.5:
            return value + rng.choice([-1, 1, 10, -10])
        return random_value(rng)
    if isinstance(value, dict):
        key = rng.choice(list(value))
        kind = rng.random()
        if kind < 0.1:
            return {other: content for other, content in value.items() if other != key}
        if kind < 0.15:
            return {**value, random_word(rng): random_value(rng)}
        return {**value, key: _break_value(rng, value[key])}
    place, kind = rng.randrange(len(value)), rng.random()
    if kind < 0.1:
        return value[:place] + value[place + 1 :]
    if kind < 0.2:
        return value[: place + 1] + value[place:]
    return [*value[:place], _break_value(rng, value[place]), *value[place + 1 :]]


def _break_bytes(rng: Random, value: bytes) -> bytes:
    """Bytes inside of DocBin are arrays or packed themselves."""
    try:
        inner = srsly.msgpack_loads(value)
        if isinstance(inner, dict | list) and inner:
            return srsly.msgpack_dumps(_break_value(rng, inner))
    except Exception:
        pass
    if rng.random() < 0.2:
        return cut(rng, value)
    return flip_bits(rng, value)


def _replace_one(rng: Random, data: bytes, pattern: bytes, new: bytes) -> bytes:
    places = [match.span() for match in re.finditer(pattern, data)]
    if not places:
        return data
    start, end = rng.choice(places)
    return data[:start] + new + data[end:]


def _repeat_key(rng: Random, text: str) -> str:
    places = [match.start() for match in re.finditer('"[a-zA-Z]+": ', text)]
    if not places:
        return text
    place = rng.choice(places)
    key = text[place : text.index(": ", place) + 2]
    return f"{text[:place]}{key}{json.dumps(random_value(rng))}, {text[place:]}"
