"""Which candidate pairs go through the model: none that the constraints allow no relation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from spacy.tokens import Doc

from ..data.relation import Evidence
from ..models.batch import ClusterBatch
from .constraints import Constraints
from .limits import LimitedDoc
from .reader import DocReader


@dataclass(frozen=True)
class PairChoice:
    """What of a batch the model gets.

    docs (list[Doc]): The documents with a pair that can have a relation.
    clusters (ClusterBatch): Their clusters. The candidate pairs are those that can have one, or all
        for a head that needs all, see `RelationHead.can_leave_out_pairs`; and it says which types
        are asked for of each.
    rows (np.ndarray): [Q] int64. The numbers of these candidates among all of the batch.
    is_possible (np.ndarray): [P] bool. Which pairs of the batch can have a relation.
    """

    docs: list[Doc]
    clusters: ClusterBatch
    rows: np.ndarray
    is_possible: np.ndarray

    @classmethod
    def of(
        cls,
        docs: Sequence[Doc],
        clusters: ClusterBatch,
        limited: Sequence[LimitedDoc],
        constraints: Constraints | None,
        *,
        reader: DocReader,
        can_leave_out: bool,
    ) -> "PairChoice":
        """Choose the pairs of a batch.

        docs (Sequence[Doc]): The documents.
        clusters (ClusterBatch): Their clusters.
        limited (Sequence[LimitedDoc]): What is read of them.
        constraints (Optional[Constraints]): The constraints in force.
        reader (DocReader): Reads the clusters of some of the documents.
        can_leave_out (bool): Whether the head does without the other pairs.
        RETURNS (PairChoice): The choice.
        """
        rows = np.arange(len(clusters.pair_head))
        if constraints is None or constraints.allowed.all():
            return cls(list(docs), clusters, rows, np.ones(len(rows), dtype=bool))
        is_possible = constraints.possible(clusters)
        kept = np.unique(clusters.pair_doc[is_possible])
        rows = np.flatnonzero(np.isin(clusters.pair_doc, kept))
        if len(kept) < len(docs):
            docs = [docs[i] for i in kept]
            clusters = reader.clusters(docs, [limited[i] for i in kept]) if docs else clusters
        if can_leave_out and docs:
            clusters, rows = clusters.only(is_possible[rows]), rows[is_possible[rows]]
        clusters = replace(clusters, allowed=constraints.allowed)
        return cls(list(docs), clusters, rows, is_possible)

    def spread(self, scores: np.ndarray, evidence: Evidence) -> tuple[np.ndarray, Evidence]:
        """Number the pairs through the whole batch again.

        scores (np.ndarray): [Q, R] float32. The scores of the candidates.
        evidence (Evidence): Their evidence.
        RETURNS (tuple[np.ndarray, Evidence]): [P, R] float32, zero for the other pairs, and the
            evidence.
        """
        if len(self.rows) == len(self.is_possible):
            return scores, evidence
        whole = np.zeros((len(self.is_possible), scores.shape[1]), dtype=scores.dtype)
        whole[self.rows] = scores
        return whole, {
            (int(self.rows[pair]), label): spans for (pair, label), spans in evidence.items()
        }
