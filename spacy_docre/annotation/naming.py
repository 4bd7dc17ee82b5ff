"""Names of entities that are the same in every document, for graphs."""

from typing import Any
from urllib.parse import quote

NO_NAME = "_"


def path_segment(name: str) -> str:
    """A name as one segment of a path: everything but letters, digits and "-_~." is
    percent-encoded, and so are the dots of a name of dots only, which would mean a folder.

    name (str): The name.
    RETURNS (str): The segment.
    """
    segment = quote(name or NO_NAME, safe="")
    return segment if segment.strip(".") else segment.replace(".", "%2E")


def entity_path(cluster: dict[str, Any]) -> str:
    """What identifies an entity across documents: its knowledge base id, or else its type and name.

    cluster (dict[str, Any]): The cluster of a row.
    RETURNS (str): "kb/ID" or "entity/TYPE/NAME".
    """
    if cluster["kb_id"]:
        return f"kb/{path_segment(cluster['kb_id'])}"
    return f"entity/{path_segment(cluster['type'])}/{path_segment(cluster['name'])}"
