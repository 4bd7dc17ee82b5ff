"""Which gold cluster a predicted entity cluster corresponds to."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from spacy.training import Example

from .clusters import EntityCluster, get_clusters

Offsets = list[tuple[int, int]]

# What decides between equally good matches, the first before the second: such small shares of a
# weight that they decide nothing else.
SIZE_TIE = 1e-9
NUMBER_TIE = 1e-12


def align_clusters(example: Example, prefix: str) -> dict[str, str]:
    """Align the entity clusters of a predicted document with those of its reference, one to one, so
    that the overlap of the mentions of aligned clusters is the largest in total; where two gold
    clusters overlap as much, the one with fewer mentions is taken. Offsets are those of characters,
    so that the two documents may be tokenised differently.

    example (Example): The two documents, with equal texts.
    prefix (str): What the clusters' keys start with.
    RETURNS (dict[str, str]): From keys of predicted clusters to keys of gold ones; predicted
        clusters that overlap with no gold cluster are left out.
    """
    predicted = get_clusters(example.predicted, prefix)
    gold = get_clusters(example.reference, prefix)
    offsets = [[_offsets(c) for c in clusters] for clusters in (predicted, gold)]
    if offsets[0] == offsets[1]:
        # No alignment overlaps more than that of equal clusters with each other.
        return {p.key: g.key for p, g in zip(predicted, gold, strict=True) if len(p.group)}
    weights = {
        (i, j): overlap * (1 - SIZE_TIE * len(gold[j].group))
        for (i, j), overlap in cluster_overlap(*offsets).items()
    }
    return {predicted[i].key: gold[j].key for i, j in best_matching(weights)}


def best_matching(weights: Mapping[tuple[int, int], float]) -> list[tuple[int, int]]:
    """Match two numbered sets one to one, so that the sum of the weights is the largest. Among
    equally good matches those of equal numbers are preferred: of two gold entities with the same
    mentions, neither takes the other's relations.

    weights (Mapping[tuple[int, int], float]): The weight of each pair that may be matched, above 0.
    RETURNS (list[tuple[int, int]]): The matched pairs, sorted.
    """
    n_left, n_right = Counter(i for i, _ in weights), Counter(j for _, j in weights)
    matches = [(i, j) for i, j in weights if n_left[i] == n_right[j] == 1]
    # Pipelines that are only applied need no graphs, and start faster without.
    import networkx as nx

    graph = nx.Graph()
    for i, j in weights.keys() - set(matches):
        graph.add_edge((0, i), (1, j), weight=weights[i, j] * (1 + NUMBER_TIE * (i == j)))
    for component in nx.connected_components(graph):
        pairs = nx.max_weight_matching(graph.subgraph(component))
        matches += [(left[1], right[1]) for left, right in map(sorted, pairs)]
    return sorted(matches)


def cluster_overlap(
    predicted: Sequence[Offsets], gold: Sequence[Offsets]
) -> dict[tuple[int, int], float]:
    """How much the mentions of clusters overlap: the sum over pairs of mentions of the share of
    their characters that they have in common (intersection over union).

    predicted (Sequence[list[tuple[int, int]]]): Start and end of each predicted cluster's mentions.
    gold (Sequence[list[tuple[int, int]]]): The same for the gold clusters.
    RETURNS (dict[tuple[int, int], float]): The overlap of each pair of a predicted and a gold
        cluster that has any.
    """
    p, p_owner = _flatten(predicted)
    g, g_owner = _flatten(gold)
    overlap: Counter[tuple[int, int]] = Counter()
    for i, j in _near(p, g):
        shared = np.minimum(p[i, 1], g[j, 1]) - np.maximum(p[i, 0], g[j, 0])
        i, j, shared = i[shared > 0], j[shared > 0], shared[shared > 0]
        share = shared / (p[i, 1] - p[i, 0] + g[j, 1] - g[j, 0] - shared)
        pairs = zip(p_owner[i].tolist(), g_owner[j].tolist(), strict=True)
        for pair, value in zip(pairs, share.tolist(), strict=True):
            overlap[pair] += value
    return dict(overlap)


def _near(p: np.ndarray, g: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The pairs of mentions that may overlap: few more than those that do, as gold mentions are
    looked for among those of about the same length."""
    order = np.argsort(g[:, 0], kind="stable")
    lengths = g[order, 1] - g[order, 0]
    classes = np.frexp(lengths)[1]
    for exponent in np.unique(classes).tolist():
        own = order[classes == exponent]
        starts = g[own, 0]
        first = np.searchsorted(starts, p[:, 0] - 2**exponent, side="right")
        last = np.searchsorted(starts, p[:, 1], side="left")
        n = np.maximum(last - first, 0)
        places = np.arange(n.sum()) + np.repeat(first - (np.cumsum(n) - n), n)
        yield np.repeat(np.arange(len(p)), n), own[places]


def _offsets(cluster: EntityCluster) -> Offsets:
    return [(span.start_char, span.end_char) for span in cluster.mentions]


def _flatten(clusters: Sequence[Offsets]) -> tuple[np.ndarray, np.ndarray]:
    owner = np.repeat(np.arange(len(clusters)), [len(offsets) for offsets in clusters])
    flat = [offset for offsets in clusters for offset in offsets]
    return np.array(flat, dtype=np.int64).reshape(-1, 2), owner
