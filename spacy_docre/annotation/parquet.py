"""Rows as a table, in Parquet."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..files import json_text
from .engine import Annotation

_OFFSETS = pa.list_(pa.list_(pa.int64()))
_MENTION = {"start": pa.int64(), "end": pa.int64(), "named": pa.bool_(), "text": pa.string()}
_CLUSTER = {"type": pa.string(), "name": pa.string(), "kb_id": pa.string()}
_RELATION = {"head": pa.int64(), "label": pa.string(), "tail": pa.int64(), "score": pa.float64()}

SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "source": pa.string(),
        "title": pa.string(),
        "text": pa.string(),
        "sentences": _OFFSETS,
        "clusters": pa.list_(
            pa.struct({**_CLUSTER, "mentions": pa.list_(pa.struct(_MENTION))}),
        ),
        "relations": pa.list_(pa.struct({**_RELATION, "evidence": _OFFSETS})),
        "meta": pa.string(),
    }
)


class ParquetSink:
    """Writes the rows of documents, with their nested fields as lists and structures. `meta`, whose
    fields differ from document to document, is JSON.

    path (Path): The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []

    def add(self, annotation: Annotation) -> None:
        """annotation (Annotation): The next document."""
        self.rows.append({**annotation.row, "meta": json_text(annotation.row["meta"])})

    def close(self) -> None:
        """Complete the file."""
        pq.write_table(pa.Table.from_pylist(self.rows, SCHEMA), self.path)
