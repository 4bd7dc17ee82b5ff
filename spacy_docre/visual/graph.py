"""The graph of a document: its entities, laid out by networkx, and arrows for its relations."""

from dataclasses import dataclass
from math import hypot

import numpy as np

from .document import ClusterView, DocumentView, RelationView

MAX_NAME = 26
# Sizes in the picture's own unit, which is a pixel where the page is wide enough.
_WIDTH = 760
_RADIUS = 8
_MARGIN = 40
_BEND = 0.14
_CHARACTER = 6.6
_LINE = 14
_DENSE = 12

Point = tuple[float, float]


@dataclass(frozen=True)
class Node:
    """An entity in the picture: a disk at x, y, named below."""

    cluster: ClusterView
    x: float
    y: float

    @property
    def name(self) -> str:
        """The cluster's name, shortened."""
        name = self.cluster.name
        return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1].rstrip() + "…"


@dataclass(frozen=True)
class Edge:
    """The relations from one entity to another: an arrow.

    relations (list[RelationView]): The relations.
    path (str): The arrow's line, as the data of an SVG path.
    tip (str): The corners of its tip, as the points of an SVG polygon.
    x (float): The middle of the line, where the labels stand.
    y (float): The middle of the line.
    """

    relations: list[RelationView]
    path: str
    tip: str
    x: float
    y: float


@dataclass(frozen=True)
class Graph:
    """The picture.

    nodes (list[Node]): The entities that have a relation.
    edges (list[Edge]): The arrows.
    width (int): The picture's width.
    height (int): Its height.
    is_dense (bool): Whether there are so many arrows that their labels would hide each other and
        should be shown for some of them at a time.
    """

    nodes: list[Node]
    edges: list[Edge]
    width: int
    height: int
    is_dense: bool


def lay_out(view: DocumentView) -> Graph | None:
    """Lay out the graph of a document; the same document always gives the same picture.

    view (DocumentView): The document.
    RETURNS (Optional[Graph]): The picture; None for a document without relations.
    """
    if not view.relations:
        return None
    arrows: dict[tuple[int, int], list[RelationView]] = {}
    for relation in view.relations:
        arrows.setdefault((relation.head.number, relation.tail.number), []).append(relation)
    found = {c.number: c for relation in view.relations for c in (relation.head, relation.tail)}
    clusters = [found[number] for number in sorted(found)]
    is_dense = len(view.relations) > _DENSE
    # The labels of a few arrows have places of their own, which the arrows are led through; with
    # many of them the entities alone are laid out.
    labelled = [] if is_dense else [pair for pair in arrows if pair[0] != pair[1]]
    sizes = [(_CHARACTER * min(len(c.name), MAX_NAME) + 16, 48.0) for c in clusters]
    sizes += [_label_size(arrows[pair]) for pair in labelled]
    slots = {cluster.number: slot for slot, cluster in enumerate(clusters)}
    links = [(slots[head], slots[tail]) for head, tail in arrows if (head, tail) not in labelled]
    for slot, (head, tail) in enumerate(labelled, start=len(clusters)):
        links += [(slots[head], slot), (slot, slots[tail])]
    height = min(240 + 24 * len(clusters), 900)
    points = _place(np.array(sizes), links, height)
    places = {number: points[slot] for number, slot in slots.items()}
    middles = dict(zip(labelled, points[len(clusters) :], strict=True))
    edges = [
        _loop(group, places[pair[0]])
        if pair[0] == pair[1]
        else _arrow(
            group,
            places[pair[0]],
            places[pair[1]],
            middles.get(pair) or _middle(places[pair[0]], places[pair[1]], pair[::-1] in arrows),
        )
        for pair, group in arrows.items()
    ]
    nodes = [Node(cluster, *places[cluster.number]) for cluster in clusters]
    return Graph(nodes, edges, _WIDTH, height, is_dense)


def _label_size(relations: list[RelationView]) -> Point:
    width = max(len(relation.label) for relation in relations)
    return _CHARACTER * width + 10, _LINE * len(relations) + 10


def _place(sizes: np.ndarray, links: list[tuple[int, int]], height: int) -> list[Point]:
    """Places for boxes, linked ones near each other."""
    # Other commands need not wait for it.
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(range(len(sizes)))
    graph.add_edges_from(links, weight=1.0)
    # Parts that nothing connects would drift apart until the picture is mostly empty.
    parts = sorted(nx.connected_components(graph), key=lambda part: (-len(part), min(part)))
    hubs = [max(sorted(part), key=graph.degree) for part in parts]
    graph.add_edges_from(((hubs[0], hub) for hub in hubs[1:]), weight=0.3)
    found = nx.circular_layout(graph)
    # Each node is compared with all; a picture of more shows nothing anyway. With more, networkx
    # would need SciPy.
    is_small = len(graph) < 500
    if is_small:
        found = nx.spring_layout(graph, pos=found, k=2.0 / len(graph) ** 0.5, iterations=200)
    points = np.array([found[slot] for slot in range(len(sizes))])
    points = _fit(points, sizes, height)
    if is_small:
        points = _separate(points, sizes, height)
    return [(float(x), float(y)) for x, y in points]


def _fit(points: np.ndarray, sizes: np.ndarray, height: int) -> np.ndarray:
    low, high = points.min(axis=0), points.max(axis=0)
    span = np.where(high - low > 1e-6, high - low, 1)
    relative = np.where(high - low > 1e-6, (points - low) / span, 0.5)
    border = np.array([sizes[:, 0].max() / 2 + 4, _MARGIN])
    return border + relative * (np.array([_WIDTH, height]) - 2 * border)


def _separate(points: np.ndarray, sizes: np.ndarray, height: int) -> np.ndarray:
    """Push names that cover each other apart, a little at a time, within the picture."""
    reach = (sizes[:, None] + sizes[None]) / 2
    low = np.stack([sizes[:, 0] / 2 + 4, np.full(len(sizes), _MARGIN)], axis=1)
    high = np.array([_WIDTH, height]) - low
    # Equal places have no direction to part in: the order of the clusters gives one.
    points = points + np.linspace(0, 0.5, len(points))[:, None]
    for _ in range(80):
        apart = points[:, None] - points[None]
        overlap = np.maximum(reach - np.abs(apart), 0)
        overlap[np.minimum(overlap[..., 0], overlap[..., 1]) == 0] = 0
        overlap[np.arange(len(points)), np.arange(len(points))] = 0
        if not overlap.any():
            break
        # Along the axis on which less movement is needed.
        is_least = overlap == np.minimum(overlap[..., :1], overlap[..., 1:])
        push = (np.sign(apart) * overlap * is_least).sum(axis=1) / 2
        points = np.clip(points + 0.6 * push, low, high)
    return points


def _middle(source: Point, target: Point, has_opposite: bool) -> Point:
    """Where an arrow is led through: aside, if there is one in the other direction."""
    (x1, y1), (x2, y2) = source, target
    bend = _BEND if has_opposite else 0.0
    return (x1 + x2) / 2 - bend * (y2 - y1), (y1 + y2) / 2 + bend * (x2 - x1)


def _arrow(relations: list[RelationView], source: Point, target: Point, middle: Point) -> Edge:
    control = (
        2 * middle[0] - (source[0] + target[0]) / 2,
        2 * middle[1] - (source[1] + target[1]) / 2,
    )
    start, end = _towards(source, control, _RADIUS), _towards(target, control, _RADIUS + 8)
    path = f"M{_point(start)} Q{_point(control)} {_point(end)}"
    return Edge(relations, path, _tip(end, control), *middle)


def _loop(relations: list[RelationView], place: Point) -> Edge:
    x, y = place
    start, end = (x - 5, y - _RADIUS), (x + 5, y - _RADIUS - 6)
    path = f"M{_point(start)} C{x - 34:.1f},{y - 46:.1f} {x + 34:.1f},{y - 46:.1f} {_point(end)}"
    return Edge(relations, path, _tip(end, (x + 20, y - 36)), x, y - 40)


def _tip(end: Point, control: Point) -> str:
    """The tip of an arrow that ends in that direction, 8 beyond its line."""
    peak = _towards(end, control, -8)
    dx, dy = (peak[0] - end[0]) / 8, (peak[1] - end[1]) / 8
    left = (end[0] - 4 * dy, end[1] + 4 * dx)
    right = (end[0] + 4 * dy, end[1] - 4 * dx)
    return " ".join(map(_point, (left, peak, right)))


def _towards(start: Point, target: Point, distance: float) -> Point:
    dx, dy = target[0] - start[0], target[1] - start[1]
    length = hypot(dx, dy) or 1.0
    return start[0] + dx * distance / length, start[1] + dy * distance / length


def _point(point: Point) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"
