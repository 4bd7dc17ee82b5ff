"""From the scores of pairs to relations."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..data.relation import Evidence, Relation
from ..errors import DocreError, Errors, suggestion
from ..models.batch import ClusterBatch
from ..models.encoding import HeadOutput
from ..models.torch_head import RelationHead
from .constraints import Constraints


@dataclass(frozen=True)
class PairScores:
    """What the model says about one document.

    keys (list[str]): [n] The keys in `doc.spans` of its entities.
    pair_head (np.ndarray): [P] int64. The head entity of each pair.
    pair_tail (np.ndarray): [P] int64. Its tail entity.
    scores (np.ndarray): [P, R] float32. The confidence in each relation type, in 0..1, under the
        component's constraints and calibration.
    evidence (Evidence): For each pair and type that is to be set, start and end token of the spans
        that support it, strongest first. Empty for methods that give none.
    is_possible (Optional[np.ndarray]): [P] bool. False for the pairs whose entities' types allow no
        relation: they were not scored, and have scores of 0. None if all were.
    left_out (Mapping[str, int]): What the component's limits leave out of the document, see
        `LimitedDoc`; empty if nothing is.
    has_moved (bool): Whether its clusters are to be renewed, see `renew_clusters`.
    """

    keys: list[str]
    pair_head: np.ndarray
    pair_tail: np.ndarray
    scores: np.ndarray
    evidence: Evidence = field(default_factory=dict)
    is_possible: np.ndarray | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    has_moved: bool = True

    @classmethod
    def empty(cls, n_labels: int) -> "PairScores":
        """The scores of a document without pairs."""
        none = np.zeros(0, dtype=np.int64)
        return cls([], none, none, np.zeros((0, n_labels), dtype=np.float32))


def score_batch(
    head: RelationHead,
    output: HeadOutput,
    clusters: ClusterBatch,
    constraints: Constraints | None,
    *,
    threshold: float | np.ndarray,
    max_labels: int,
    calibrate: Callable[[np.ndarray], np.ndarray] | None = None,
) -> tuple[np.ndarray, Evidence]:
    """The scores of a batch, and the evidence of the relations that they let set.

    head (RelationHead): The head.
    output (HeadOutput): What it returned.
    clusters (ClusterBatch): The batch.
    constraints (Optional[Constraints]): The constraints that the scores are put under.
    threshold (Union[float, np.ndarray]): The score that a relation must exceed, for each type [R]
        or all.
    max_labels (int): The most types that one pair can have.
    calibrate (Optional[Callable[[np.ndarray], np.ndarray]]): The rising function that makes
        probabilities of the constrained scores, which the thresholds are compared with.
    RETURNS (tuple[np.ndarray, Evidence]): [P, R] float32, the scores; and for each pair and type
        that is to be set the spans that support it.
    """
    raw_scores = output.scores().float().cpu().numpy()
    scores = raw_scores if constraints is None else constraints.apply(raw_scores, clusters)
    if calibrate is not None:
        raw_scores, scores = calibrate(raw_scores), calibrate(scores)
    selected = select(scores, threshold=threshold, max_labels=max_labels)
    if constraints is None:
        return scores, head.evidence(output, clusters, *selected)
    sources = constraints.sources(raw_scores, clusters, *selected, threshold=threshold)
    found = head.evidence(output, clusters, *sources)
    relations, owners = (
        zip(*(array.tolist() for array in arrays), strict=True) for arrays in (selected, sources)
    )
    return scores, {
        relation: found[owner]
        for relation, owner in zip(relations, owners, strict=True)
        if owner in found
    }


def split_by_doc(
    clusters: ClusterBatch,
    scores: np.ndarray,
    evidence: Evidence,
    is_possible: np.ndarray | None = None,
) -> Iterator[PairScores]:
    """Divide the scores of a batch among its documents.

    clusters (ClusterBatch): The batch.
    scores (np.ndarray): [P, R] float32. The scores of its pairs.
    evidence (Evidence): The spans that support a pair's type; pairs are numbered through the
        batch, tokens within their document.
    is_possible (Optional[np.ndarray]): [P] bool. Which pairs can have a relation; None for all.
    YIELDS (PairScores): The scores of each document.
    """
    docs = np.arange(clusters.n_docs + 1)
    entity_bounds = np.searchsorted(clusters.entity_doc, docs)
    pair_bounds = np.searchsorted(clusters.pair_doc, docs)
    by_doc: list[Evidence] = [{} for _ in range(clusters.n_docs)]
    owners = np.searchsorted(pair_bounds, [pair for pair, _ in evidence], side="right") - 1
    for doc, ((pair, label), spans) in zip(owners.tolist(), evidence.items(), strict=True):
        by_doc[doc][int(pair - pair_bounds[doc]), label] = spans
    for doc in range(clusters.n_docs):
        first, last = entity_bounds[doc], entity_bounds[doc + 1]
        pairs = slice(pair_bounds[doc], pair_bounds[doc + 1])
        yield PairScores(
            clusters.keys[first:last],
            clusters.pair_head[pairs] - first,
            clusters.pair_tail[pairs] - first,
            scores[pairs],
            by_doc[doc],
            None if is_possible is None else is_possible[pairs],
        )


def select(
    scores: np.ndarray, *, threshold: float | np.ndarray, max_labels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Which relations to set: of each pair the `max_labels` best types, as far as their scores are
    greater than the threshold.

    scores (np.ndarray): [P, R] float32. The scores.
    threshold (Union[float, np.ndarray]): The score that a relation must exceed, for each type [R]
        or all.
    max_labels (int): The most types that one pair can have.
    RETURNS (tuple[np.ndarray, np.ndarray]): The pairs and types, best first.
    """
    # Few scores are above the threshold, so these are sorted and not the types of every pair.
    pairs, types = np.divmod(np.flatnonzero(scores > threshold), max(scores.shape[1], 1))
    order = np.argsort(-scores[pairs, types], kind="stable")
    pairs, types = pairs[order], types[order]
    if len(pairs) <= max_labels:
        return pairs, types
    by_pair = np.argsort(pairs, kind="stable")
    rank = np.empty(len(pairs), dtype=np.int64)
    rank[by_pair] = np.arange(len(pairs)) - np.searchsorted(pairs[by_pair], pairs[by_pair])
    return pairs[rank < max_labels], types[rank < max_labels]


def threshold_of_labels(
    threshold: float, own: Mapping[str, float], labels: Sequence[str], *, name: str
) -> float | np.ndarray:
    """The thresholds of a component in numbers.

    threshold (float): That of the relation types without their own.
    own (Mapping[str, float]): The thresholds of the others.
    labels (Sequence[str]): The relation types.
    name (str): The component's name, for messages.
    RETURNS (Union[float, np.ndarray]): The threshold, or one for each type, [R] float32.
    RAISES (DocreError): If a type is not among the labels.
    """
    for label in own:
        if label not in labels:
            raise DocreError(
                Errors.D049.format(
                    setting="thresholds",
                    name=name,
                    kind="relation type",
                    value=label,
                    suggestion=suggestion(label, labels),
                )
            )
    if not own:
        return threshold
    return np.array([own.get(label, threshold) for label in labels], dtype=np.float32)


def decode(
    pairs: PairScores, labels: Sequence[str], *, threshold: float | np.ndarray, max_labels: int
) -> list[Relation]:
    """The relations of a document, see `select`.

    pairs (PairScores): The document's scores.
    labels (Sequence[str]): The relation types.
    threshold (Union[float, np.ndarray]): The score that a relation must exceed, for each type [R]
        or all.
    max_labels (int): The most types that one pair can have.
    RETURNS (list[Relation]): The relations, best first.
    """
    selected = select(pairs.scores, threshold=threshold, max_labels=max_labels)
    ends = pairs.pair_head[selected[0]], pairs.pair_tail[selected[0]]
    columns = (*selected, *ends, pairs.scores[selected])
    return [
        Relation(
            pairs.keys[head],
            labels[label],
            pairs.keys[tail],
            score,
            pairs.evidence.get((pair, label), ()),
        )
        for pair, label, head, tail, score in zip(*(c.tolist() for c in columns), strict=True)
    ]
