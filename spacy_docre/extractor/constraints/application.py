"""Constraints on relations, applied to the scores of pairs before it is decided which relations to
set."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from spacy.tokens import Doc

from ...errors import Warnings
from ...models.batch import ClusterBatch, unknown_types


@dataclass(frozen=True)
class Constraints:
    """The constraints of a component in numbers.

    allowed (np.ndarray): [R, T + 1, T + 1] bool. Whether a relation type can hold between a head
        and a tail of these types. Type 0, one not seen in training, can be any.
    inverse (np.ndarray): [R] int64. The relation type that holds in the opposite direction: itself
        for a symmetric one, -1 for none.
    """

    allowed: np.ndarray
    inverse: np.ndarray

    def apply(self, scores: np.ndarray, clusters: ClusterBatch) -> np.ndarray:
        """Constrain scores. A symmetric or inverse relation is one fact that the model has scored
        twice: both directions get the mean. What the types forbid gets 0.

        scores (np.ndarray): [P, R] float32. The model's scores of the candidate pairs.
        clusters (ClusterBatch): The clusters of the same documents.
        RETURNS (np.ndarray): [P, R] float32. The constrained scores.
        """
        opposite = _opposite_pairs(clusters)
        pairs, labels = np.flatnonzero(opposite >= 0), np.flatnonzero(self.inverse >= 0)
        here, there = np.ix_(pairs, labels), np.ix_(opposite[pairs], self.inverse[labels])
        merged = scores.copy()
        merged[here] = (scores[here] + scores[there]) / 2
        return np.where(self._allowed(clusters), merged, np.float32(0))

    def possible(self, clusters: ClusterBatch) -> np.ndarray:
        """Which pairs can have any relation.

        clusters (ClusterBatch): The clusters of documents.
        RETURNS (np.ndarray): [P] bool. Whether the types allow a relation.
        """
        return np.asarray(self._allowed(clusters).any(axis=1))

    def _allowed(self, clusters: ClusterBatch) -> np.ndarray:
        """[P, R] bool. Which relations the types of each pair allow."""
        head_type = clusters.entity_type[clusters.pair_head]
        tail_type = clusters.entity_type[clusters.pair_tail]
        return self.allowed[:, head_type, tail_type].T

    def sources(
        self,
        scores: np.ndarray,
        clusters: ClusterBatch,
        pairs: np.ndarray,
        labels: np.ndarray,
        *,
        threshold: float | np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where the evidence of relations is to be looked for: a relation that the model by itself
        would not set owes its place to the one in the opposite direction, and so its evidence.

        scores (np.ndarray): [P, R] float32. The model's scores, before `apply`.
        clusters (ClusterBatch): The clusters of the same documents.
        pairs (np.ndarray): [C] int64. The pairs of the relations that are to be set.
        labels (np.ndarray): [C] int64. Their types.
        threshold (Union[float, np.ndarray]): The score that a relation must exceed, for each type
            [R] or all.
        RETURNS (tuple[np.ndarray, np.ndarray]): The pair and type whose evidence each takes.
        """
        added = scores[pairs, labels] <= np.broadcast_to(threshold, scores.shape[1])[labels]
        opposite, inverse = _opposite_pairs(clusters)[pairs], self.inverse[labels]
        return np.where(added, opposite, pairs), np.where(added, inverse, labels)

    def warn_of_unknown_types(
        self, docs: Sequence[Doc], clusters: ClusterBatch, *, name: str
    ) -> None:
        """Warn of entities whose types were not seen in training, so that no constraint on types
        reaches them: the recogniser may name its types otherwise than the training data.

        docs (Sequence[Doc]): The documents.
        clusters (ClusterBatch): Their clusters.
        name (str): The component's name.
        """
        if self.allowed.all():
            return
        for label in unknown_types(docs, clusters):
            warnings.warn(Warnings.DW14.format(entity_type=label, name=name), stacklevel=2)


def _opposite_pairs(clusters: ClusterBatch) -> np.ndarray:
    """[P] The pair with head and tail exchanged; -1 where it is no candidate."""
    return clusters.find_pairs(clusters.pair_tail, clusters.pair_head)
