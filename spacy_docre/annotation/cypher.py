"""Rows as Cypher, the language of Neo4j and other graph databases.

Every statement is a MERGE, so that entities of several documents, parts or runs become one node,
and a file that is loaded twice adds nothing."""

import re
from collections.abc import Iterator
from typing import Any

from .naming import path_segment
from .tables import merged_entities, relation_rows

START = "CREATE CONSTRAINT docre_entity IF NOT EXISTS FOR (e:Entity) REQUIRE e.id IS UNIQUE;\n"
NOT_A_WORD = re.compile(r"\W")
ESCAPES = str.maketrans({"'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": " "})


def cypher_text(row: dict[str, Any]) -> str:
    """The statements for a document.

    row (dict[str, Any]): The row of a document.
    RETURNS (str): A statement a line.
    """
    return "".join(f"{statement};\n" for statement in _statements(row))


def _statements(row: dict[str, Any]) -> Iterator[str]:
    for entity, found in merged_entities(row):
        values = found.row(entity)
        properties = {name: values[name] for name in ("name", "type", "kb_id")}
        yield (
            f"MERGE (e:Entity {{id: {literal(entity)}}}) "
            f"ON CREATE SET {_assignments('e', properties)}, e{_label(values['type'])}"
        )
    for number, relation in enumerate(relation_rows(row), start=1):
        ends = f"(h:Entity {{id: {literal(relation['head_entity'])}}})"
        ends += f", (t:Entity {{id: {literal(relation['tail_entity'])}}})"
        key = literal(f"{path_segment(row['id'])}#relation={number}")
        names = ("type", "score", "document", "evidence")
        properties = {name: relation[name] for name in names}
        yield (
            f"MATCH {ends} MERGE (h)-[r{_label(relation['type'])} {{id: {key}}}]->(t) "
            f"SET {_assignments('r', properties)}"
        )


def _assignments(variable: str, properties: dict[str, Any]) -> str:
    return ", ".join(f"{variable}.{name} = {literal(value)}" for name, value in properties.items())


def _label(name: str) -> str:
    """A type as a label: its letters, digits and underscores. The type itself is a property."""
    return f":`{NOT_A_WORD.sub('_', name) or '_'}`"


def literal(value: str | float) -> str:
    """A value as Cypher writes it.

    value (Union[str, float]): The value.
    RETURNS (str): A number or a string. A backslash ends one string and another is added: Neo4j
        before version 5 reads "\\u0027" as an apostrophe even where a backslash comes before it.
    """
    if not isinstance(value, str):
        return repr(float(value))
    parts = [f"'{part.translate(ESCAPES)}" for part in value.split("\\")]
    return "\\\\' + ".join(parts) + "'"
