"""Relations and entities as tables, in CSV: what a spreadsheet, pandas or a graph database reads.

Entities are merged over documents by `entity_path`: by their knowledge base id, or else by type
and name. Each part has a table of its entities; of these, a complete run makes one of all."""

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..files import json_text, replacing
from .engine import Annotation
from .naming import entity_path

ENTITIES = "entities.csv"
PART_OF_ENTITIES = ".entities.csv"
RELATION_COLUMNS = (
    "head",
    "type",
    "tail",
    "score",
    "document",
    "evidence",
    "head_type",
    "tail_type",
    "head_entity",
    "tail_entity",
)
ENTITY_COLUMNS = (
    "entity",
    "name",
    "type",
    "kb_id",
    "documents",
    "mentions",
    "relations",
    "names",
    "types",
    "first_documents",
)
# Documents that the table of entities names; how many there are is a number beside.
SHOWN_DOCUMENTS = 10
# What spreadsheets take for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def relation_rows(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The relations of a document as rows of a table.

    row (dict[str, Any]): The row of a document.
    YIELDS (dict[str, Any]): For each relation, the values of `RELATION_COLUMNS`.
    """
    for relation in row.get("relations", ()):
        head, tail = (row["clusters"][relation[end]] for end in ("head", "tail"))
        evidence = (row["text"][start:end] for start, end in relation["evidence"])
        yield {
            "head": head["name"],
            "type": relation["label"],
            "tail": tail["name"],
            "score": relation["score"],
            "document": row["id"],
            "evidence": " ".join(" ".join(evidence).split()),
            "head_type": head["type"],
            "tail_type": tail["type"],
            "head_entity": entity_path(head),
            "tail_entity": entity_path(tail),
        }


def csv_text(rows: Iterable[dict[str, Any]], columns: Iterable[str], *, header: bool) -> str:
    """Rows as CSV. A cell that a spreadsheet would take for a formula begins with an apostrophe,
    which spreadsheets hide.

    rows (Iterable[dict[str, Any]]): The rows.
    columns (Iterable[str]): Their keys, in the order of the columns.
    header (bool): Whether the names of the columns come first.
    RETURNS (str): The lines.
    """
    text = io.StringIO()
    # Quoted where need be or not: Python before 3.13 does not see the need of a carriage return.
    writer = csv.DictWriter(text, list(columns), lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    if header:
        writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = value.replace("\0", "\ufffd")  # which Python before 3.11 cannot read again
    return f"'{value}" if value.startswith(FORMULA) else value


def _value(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell


@dataclass
class MergedEntity:
    """What documents say of an entity.

    names (Counter): How many documents give it each name.
    types (Counter): How many documents give it each type.
    kb_id (str): Its knowledge base id, if it has one.
    mentions (int): Its mentions.
    relations (int): The relations that it is part of.
    first_documents (list[str]): The first documents with it.
    """

    names: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    kb_id: str = ""
    mentions: int = 0
    relations: int = 0
    first_documents: list[str] = field(default_factory=list)

    def add(self, other: "MergedEntity") -> None:
        """other (MergedEntity): What further documents say of it."""
        self.names.update(other.names)
        self.types.update(other.types)
        self.kb_id = self.kb_id or other.kb_id
        self.mentions += other.mentions
        self.relations += other.relations
        new = (name for name in other.first_documents if name not in self.first_documents)
        self.first_documents = [*self.first_documents, *new][:SHOWN_DOCUMENTS]

    def row(self, entity: str) -> dict[str, Any]:
        """The values of `ENTITY_COLUMNS`; its name and type are those of most documents."""
        return {
            "entity": entity,
            "name": _commonest(self.names),
            "type": _commonest(self.types),
            "kb_id": self.kb_id,
            "documents": self.names.total(),
            "mentions": self.mentions,
            "relations": self.relations,
            "names": json_text(dict(sorted(self.names.items()))),
            "types": json_text(dict(sorted(self.types.items()))),
            "first_documents": json_text(self.first_documents),
        }


def _commonest(counts: Counter[str]) -> str:
    return min(counts, key=lambda name: (-counts[name], name), default="")


def merged_entities(row: dict[str, Any]) -> Iterator[tuple[str, MergedEntity]]:
    """The entities of a document.

    row (dict[str, Any]): The row of a document.
    YIELDS (tuple[str, MergedEntity]): The path of each, and what the document says of it.
    """
    ends = Counter(
        relation[end] for relation in row.get("relations", ()) for end in ("head", "tail")
    )
    for number, cluster in enumerate(row["clusters"]):
        yield (
            entity_path(cluster),
            MergedEntity(
                Counter([cluster["name"]]),
                Counter([cluster["type"]]),
                cluster["kb_id"],
                len(cluster["mentions"]),
                ends[number],
                [row["id"]],
            ),
        )


class EntitySink:
    """Writes the table of the entities of a part.

    path (Path): The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entities: dict[str, MergedEntity] = {}

    def add(self, annotation: Annotation) -> None:
        """annotation (Annotation): The next document."""
        for entity, found in merged_entities(annotation.row):
            self.entities.setdefault(entity, MergedEntity()).add(found)

    def close(self) -> None:
        """Complete the file."""
        write_entities(self.path, self.entities)


def write_entities(path: Path, entities: dict[str, MergedEntity]) -> None:
    """Write a table of entities, in the order of their paths.

    path (Path): The file.
    entities (dict[str, MergedEntity]): The entities by their paths.
    """
    rows = (entities[entity].row(entity) for entity in sorted(entities))
    path.write_text(csv_text(rows, ENTITY_COLUMNS, header=True), encoding="utf8", newline="\n")


def read_entities(path: Path) -> dict[str, MergedEntity]:
    """Read a table of entities.

    path (Path): The file.
    RETURNS (dict[str, MergedEntity]): The entities by their paths.
    """
    csv.field_size_limit(sys.maxsize)
    entities = {}
    with path.open(encoding="utf8", newline="") as file:
        for row in csv.DictReader(file):
            entities[row["entity"]] = MergedEntity(
                Counter(json.loads(row["names"])),
                Counter(json.loads(row["types"])),
                _value(row["kb_id"]),
                int(row["mentions"]),
                int(row["relations"]),
                json.loads(row["first_documents"]),
            )
    return entities


def merge_tables(folder: Path) -> None:
    """Make the table of all entities of the tables of the parts, if there are any.

    folder (Path): The folder of the results.
    """
    paths = sorted(folder.glob(f"part-*{PART_OF_ENTITIES}"))
    if not paths:
        return
    entities: dict[str, MergedEntity] = {}
    for path in paths:
        for entity, found in read_entities(path).items():
            entities.setdefault(entity, MergedEntity()).add(found)
    with replacing(folder / ENTITIES) as draft:
        write_entities(draft, entities)
