"""Counts of relations by document, and what precision, recall and F1 make of them. Whatever is
resampled, swapped or summed over documents is one of these arrays."""

from collections.abc import Mapping

import numpy as np

from .judgement import Judgement

# The last axis of a tally. Known relations are given away by the training data; they count in Ign
# F1 only.
CORRECT, PREDICTED, GOLD, KNOWN = range(4)
TYPES = "types"


def tally_relations(
    judgement: Judgement, subsets: Mapping[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """Count the relations of each document.

    judgement (Judgement): The relations.
    subsets (Optional[Mapping[str, np.ndarray]]): Further subsets, [N] bool each, by their names.
    RETURNS (dict[str, np.ndarray]): For each group of relations [D, 4] float64, the numbers of
        correct, predicted, gold and known ones: "rel" (all), "rel_intra", "rel_inter", "rel_pair"
        (ordered pairs of entities), "rel_evidence" and "rel_evidence_correct" (evidence
        sentences), "rel_ign SOURCE" for each training corpus, and the subsets. Under "types"
        [D, T, 4], the relations of each type.
    """
    intra = judgement.distance == 0
    groups = {"rel": None, "rel_intra": intra, "rel_inter": ~intra, **(subsets or {})}
    tallies = {name: _tally(judgement, where) for name, where in groups.items()}
    for source, known in zip(judgement.sources, judgement.known.T, strict=True):
        ignoring = tallies["rel"].copy()
        ignoring[:, KNOWN] = _count(judgement.doc, judgement.n_docs, known)
        tallies[f"rel_ign {source}"] = ignoring
    with_evidence = judgement.correct & (judgement.evidence[:, 2] > 0)
    tallies["rel_pair"] = _tally_pairs(judgement)
    tallies["rel_evidence"] = _tally_evidence(judgement, np.ones_like(with_evidence))
    tallies["rel_evidence_correct"] = _tally_evidence(judgement, with_evidence)
    tallies[TYPES] = _tally_types(judgement)
    return tallies


def precision_recall_f1(tally: np.ndarray) -> np.ndarray:
    """Precision, recall and F1. Known relations are taken from the correct and from the predicted
    ones, while recall stays that over all gold relations, as in the official DocRED script. What
    there is none of to divide by is 0.

    tally (np.ndarray): [..., 4] float64. Correct, predicted, gold and known relations.
    RETURNS (np.ndarray): [..., 3] float64.
    """
    known = tally[..., KNOWN]
    precision = _divide(tally[..., CORRECT] - known, tally[..., PREDICTED] - known)
    recall = _divide(tally[..., CORRECT], tally[..., GOLD])
    f1 = _divide(2 * precision * recall, precision + recall)
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
    return _divide(total, occurs.sum(axis=-1))


def _tally(judgement: Judgement, where: np.ndarray | None) -> np.ndarray:
    kinds = (judgement.correct, judgement.predicted, judgement.gold)
    columns = [
        _count(judgement.doc, judgement.n_docs, kind if where is None else kind & where)
        for kind in kinds
    ]
    return np.stack([*columns, np.zeros(judgement.n_docs)], axis=-1)


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


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)
