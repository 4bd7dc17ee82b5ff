"""Rows as a graph of entities and relations, in GraphML."""

import re
from pathlib import Path

import networkx

from .engine import Annotation
from .naming import entity_path, path_segment

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class GraphSink:
    """Writes the entities and relations of documents. An entity of several documents is one node;
    every relation of every document is an edge of its own, whose key no other part has.

    path (Path): The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.graph = networkx.MultiDiGraph()

    def add(self, annotation: Annotation) -> None:
        """annotation (Annotation): The next document."""
        row = annotation.row
        nodes = [entity_path(cluster) for cluster in row["clusters"]]
        for node, cluster in zip(nodes, row["clusters"], strict=True):
            names = {"label": cluster["name"], "type": cluster["type"], "kb_id": cluster["kb_id"]}
            if node not in self.graph:
                self.graph.add_node(
                    node, **{key: _xml(name) for key, name in names.items() if name}
                )
        for number, relation in enumerate(row.get("relations", ()), start=1):
            self.graph.add_edge(
                nodes[relation["head"]],
                nodes[relation["tail"]],
                key=f"{path_segment(row['id'])}#relation={number}",
                label=_xml(relation["label"]),
                score=float(relation["score"]),
                document=_xml(row["id"]),
            )

    def close(self) -> None:
        """Complete the file."""
        networkx.write_graphml_xml(self.graph, self.path)


def _xml(text: str) -> str:
    """The text without the characters that XML cannot hold, for which U+FFFD stands."""
    return NOT_XML.sub("\ufffd", text)
