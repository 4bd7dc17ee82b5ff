"""Which gold cluster a predicted entity cluster corresponds to."""

from collections.abc import Sequence

import numpy as np
from spacy.training import Example

from .clusters import EntityCluster, get_clusters

Offsets = list[tuple[int, int]]


def align_clusters(example: Example, prefix: str) -> dict[str, str]:
    """Align the entity clusters of a predicted document with those of its reference, one to one:
    the more their mentions overlap, the earlier two clusters are joined. Offsets are those of
    characters, so that the two documents may be tokenised differently.

    example (Example): The two documents, with equal texts.
    prefix (str): What the clusters' keys start with.
    RETURNS (dict[str, str]): From keys of predicted clusters to keys of gold ones; predicted
        clusters that overlap with no gold cluster are left out.
    """
    predicted = get_clusters(example.predicted, prefix)
    gold = get_clusters(example.reference, prefix)
    overlap = cluster_overlap([_offsets(c) for c in predicted], [_offsets(c) for c in gold])
    aligned: dict[str, str] = {}
    taken: set[str] = set()
    rows, columns = np.nonzero(overlap)
    for i in np.argsort(-overlap[rows, columns], kind="stable"):
        key, gold_key = predicted[rows[i]].key, gold[columns[i]].key
        if key not in aligned and gold_key not in taken:
            aligned[key] = gold_key
            taken.add(gold_key)
    return aligned


def cluster_overlap(predicted: Sequence[Offsets], gold: Sequence[Offsets]) -> np.ndarray:
    """How much the mentions of clusters overlap: the sum over pairs of mentions of the share of
    their characters that they have in common (intersection over union).

    predicted (Sequence[list[tuple[int, int]]]): Start and end of each predicted cluster's mentions.
    gold (Sequence[list[tuple[int, int]]]): The same for the gold clusters.
    RETURNS (np.ndarray): [predicted, gold] float64.
    """
    overlap = np.zeros((len(predicted), len(gold)))
    if not overlap.size:
        return overlap
    p, p_owner = _flatten(predicted)
    g, g_owner = _flatten(gold)
    start = np.maximum(p[:, None, 0], g[None, :, 0])
    end = np.minimum(p[:, None, 1], g[None, :, 1])
    shared = np.maximum(0, end - start)
    sizes = (p[:, 1] - p[:, 0])[:, None] + (g[:, 1] - g[:, 0])[None, :]
    p_index, g_index = np.nonzero(shared)
    share = shared[p_index, g_index] / (sizes - shared)[p_index, g_index]
    np.add.at(overlap, (p_owner[p_index], g_owner[g_index]), share)
    return overlap


def _offsets(cluster: EntityCluster) -> Offsets:
    return [(span.start_char, span.end_char) for span in cluster.group]


def _flatten(clusters: Sequence[Offsets]) -> tuple[np.ndarray, np.ndarray]:
    owner = np.repeat(np.arange(len(clusters)), [len(offsets) for offsets in clusters])
    flat = [offset for offsets in clusters for offset in offsets]
    return np.array(flat, dtype=np.int64).reshape(-1, 2), owner
