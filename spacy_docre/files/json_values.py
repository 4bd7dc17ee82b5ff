"""JSON, read strictly and written in one form."""

import json
from collections import Counter
from contextlib import suppress
from typing import Any

from ..errors import shortened


def parse_json(text: str, **settings: Any) -> Any:
    """Parse JSON, and refuse an object with the same key twice, of which Python's parser would
    keep the last.

    text (str): The JSON.
    **settings (Any): As for `json.loads`.
    RETURNS (Any): The value.
    RAISES (ValueError): If it is malformed.
    RAISES (RecursionError): If it is nested too deeply.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, **settings)
    except json.JSONDecodeError:
        start = text.lstrip()[:1]
        if start == "<":
            raise ValueError("it begins like HTML or XML, not like JSON") from None
        if not start:
            raise ValueError("it is empty") from None
        raise


def parse_rows(text: str) -> list[Any]:
    """Parse a list of JSON, or JSON Lines, or one JSON value alone.

    text (str): The JSON.
    RETURNS (list[Any]): The values.
    RAISES (ValueError): If it is malformed.
    RAISES (RecursionError): If it is nested too deeply.
    """
    try:
        value = parse_json(text)
    except ValueError:
        lines = [line for line in text.split("\n") if line.strip()]
        if not lines:
            raise
        with suppress(ValueError):
            return [parse_json(line) for line in lines]
        raise
    return value if isinstance(value, list) else [value]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"an object has the key {shortened(twice)!r} twice")
    return value


def json_text(value: Any) -> str:
    """A value as JSON in one line, the same for the same value."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
