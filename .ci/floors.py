"""What the import graph looks like: python .ci/floors.py [FOLDER]

A room is a module or package right below `spacy_docre`; an arrow leads from a room to one that it
imports from; a floor is above those that its rooms import from. Rooms of a circle share a floor.
FOLDER is that of another version of the package; by default this one."""

import sys
from collections import defaultdict
from pathlib import Path

import grimp
import networkx

PACKAGE = "spacy_docre"


def main(folder: Path) -> None:
    """folder (Path): Where the package is."""
    sys.path.insert(0, str(folder))
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    rooms = networkx.DiGraph()
    rooms.add_nodes_from(child.partition(".")[2] for child in graph.find_children(PACKAGE))
    n_imports = 0
    for module in graph.modules - {PACKAGE}:
        for imported in graph.find_modules_directly_imported_by(module) - {PACKAGE}:
            ends = module.split(".")[1], imported.split(".")[1]
            n_imports += 1
            if ends[0] != ends[1]:
                rooms.add_edge(*ends)
    circles = [sorted(c) for c in networkx.strongly_connected_components(rooms) if len(c) > 1]
    floors = defaultdict(list)
    condensed = networkx.condensation(rooms)
    height: dict[int, int] = {}
    for node in reversed(list(networkx.topological_sort(condensed))):
        height[node] = 1 + max((height[below] for below in condensed[node]), default=0)
        floors[height[node]] += condensed.nodes[node]["members"]
    modules = [name for name in rooms if not graph.find_children(f"{PACKAGE}.{name}")]
    print(f"{len(graph.modules)} modules, {n_imports} imports")
    print(f"{len(rooms)} rooms: {len(rooms) - len(modules)} folders, {len(modules)} modules")
    print(f"{len(floors)} floors, {rooms.number_of_edges()} arrows, {len(circles)} circles")
    for number in sorted(floors, reverse=True):
        print(f"{number:3} {', '.join(sorted(floors[number]))}")
    for circle in circles:
        print("circle:", ", ".join(circle))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve())
