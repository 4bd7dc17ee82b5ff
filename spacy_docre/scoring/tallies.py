"""Counts of relations by document, and what precision, recall and F1 make of them. Whatever is
resampled, swapped or summed over documents is one of these arrays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .judgement import Judgement
from .subsets import rare_types

# The last axis of a tally. Known relations are given away by the training data; they count in Ign
# F1 only.
CORRECT, PREDICTED, GOLD, KNOWN = range(4)


@dataclass(frozen=True)
class Tally:
    """What is counted of each document.

    name (str): Its name among tallies.
    count (Callable[[Judgement, Optional[Mapping[str, int]]], Optional[np.ndarray]]): From judged
        relations, and how often each type occurs in the training data, to [D, ...] float64; None if
        it needs something of the training data that is not given.
    """

    name: str
    count: Callable[[Judgement, Mapping[str, int] | None], np.ndarray | None]


def precision_recall_f1(tally: np.ndarray) -> np.ndarray:
    """Precision, recall and F1. Known relations are taken from the correct and from the predicted
    ones, while recall stays that over all gold relations, as in the official DocRED script. What
    there is none of to divide by is 0.

    tally (np.ndarray): [..., 4] float64. Correct, predicted, gold and known relations.
    RETURNS (np.ndarray): [..., 3] float64.
    """
    known = tally[..., KNOWN]
    precision = divide(tally[..., CORRECT] - known, tally[..., PREDICTED] - known)
    recall = divide(tally[..., CORRECT], tally[..., GOLD])
    f1 = divide(2 * precision * recall, precision + recall)
    return np.stack([precision, recall, f1], axis=-1)


def macro_f1(types: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """The mean F1 of the relation types that are predicted or gold anywhere; 0 if there is none.

    types (np.ndarray): [..., T, 4] float64. The tallies of the types.
    among (Optional[np.ndarray]): [T] bool. Take the mean over these types only.
    RETURNS (np.ndarray): [...] float64.
    """
    occurs = (types[..., PREDICTED] + types[..., GOLD]) > 0
    if among is not None:
        occurs = occurs & among
    total = (precision_recall_f1(types)[..., 2] * occurs).sum(axis=-1)
    return divide(total, occurs.sum(axis=-1))


def tally_where(judgement: Judgement, where: np.ndarray | None = None) -> np.ndarray:
    """Count relations.

    judgement (Judgement): The relations.
    where (Optional[np.ndarray]): [N] bool. Which of them; all by default.
    RETURNS (np.ndarray): [D, 4] float64.
    """
    kinds = (judgement.correct, judgement.predicted, judgement.gold)
    columns = [
        _count(judgement.doc, judgement.n_docs, kind if where is None else kind & where)
        for kind in kinds
    ]
    return np.stack([*columns, np.zeros(judgement.n_docs)], axis=-1)


def ignoring_known(judgement: Judgement, source: int) -> np.ndarray:
    """Count relations, and which of them a training corpus gives away.

    judgement (Judgement): The relations.
    source (int): The number of the corpus.
    RETURNS (np.ndarray): [D, 4] float64.
    """
    tally = tally_where(judgement)
    tally[:, KNOWN] = _count(judgement.doc, judgement.n_docs, judgement.known[:, source])
    return tally


def rare_types_tally(limit: int) -> Tally:
    """The relations of each type with few training instances.

    limit (int): Fewer than that is few.
    RETURNS (Tally): The tally, [D, T', 4].
    """

    def count(judgement: Judgement, train_counts: Mapping[str, int] | None) -> np.ndarray | None:
        if train_counts is None:
            return None
        return _tally_types(judgement)[:, rare_types(judgement, train_counts, limit)]

    return Tally(f"types < {limit}", count)


def _tally_pairs(judgement: Judgement) -> np.ndarray:
    n_pairs = int(judgement.pair.max(initial=-1)) + 1
    doc, predicted, gold = (np.zeros(n_pairs, dtype=np.int64) for _ in range(3))
    doc[judgement.pair] = judgement.doc
    predicted[judgement.pair[judgement.predicted]] = 1
    gold[judgement.pair[judgement.gold]] = 1
    columns = [_count(doc, judgement.n_docs, kind) for kind in (predicted & gold, predicted, gold)]
    return np.stack([*columns, np.zeros(judgement.n_docs)], axis=-1)


def _tally_evidence(judgement: Judgement, where: np.ndarray) -> np.ndarray:
    columns = [
        _count(judgement.doc, judgement.n_docs, column * where) for column in judgement.evidence.T
    ]
    return np.stack([*columns, np.zeros(judgement.n_docs)], axis=-1)


def _tally_types(judgement: Judgement) -> np.ndarray:
    n_types = len(judgement.labels)
    cell = judgement.doc * n_types + judgement.label
    kinds = (judgement.correct, judgement.predicted, judgement.gold)
    columns = [_count(cell, judgement.n_docs * n_types, kind) for kind in kinds]
    flat = np.stack([*columns, np.zeros(judgement.n_docs * n_types)], axis=-1)
    return flat.reshape(judgement.n_docs, n_types, 4)


def _count(cell: np.ndarray, n_cells: int, weight: np.ndarray) -> np.ndarray:
    return np.bincount(cell, weights=weight, minlength=n_cells)


def divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a (np.ndarray): [...] float.
    b (np.ndarray): [...] float.
    RETURNS (np.ndarray): [...] float64. The quotients; 0 where `b` is.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


ALL = Tally("rel", lambda j, _: tally_where(j))
INTRA = Tally("rel_intra", lambda j, _: tally_where(j, j.distance == 0))
INTER = Tally("rel_inter", lambda j, _: tally_where(j, j.distance != 0))
# What the first training corpus gives away does not count.
IGN = Tally("rel_ign", lambda j, _: ignoring_known(j, 0) if j.sources else None)
# Ordered pairs of entities with any relation.
PAIRS = Tally("rel_pair", lambda j, _: _tally_pairs(j))
# Sentences instead of relations.
EVIDENCE = Tally("rel_evidence", lambda j, _: _tally_evidence(j, np.ones(len(j.doc), dtype=bool)))
EVIDENCE_CORRECT = Tally(
    "rel_evidence_correct", lambda j, _: _tally_evidence(j, j.correct & (j.evidence[:, 2] > 0))
)
# By types, [D, T, 4].
TYPES = Tally("types", lambda j, _: _tally_types(j))
