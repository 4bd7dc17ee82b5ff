"""The gold standard of a batch, in the shape of the model's output."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from spacy.training import Example
from spacy.util import minibatch

from ..data.alignment import align_clusters
from ..data.clusters import copy_clusters, describe, get_clusters
from ..data.evidence import sentence_numbers
from ..data.relation import (
    DISTILLATION,
    SOFT_ATTR,
    Relation,
    check_clusters,
    excluded_pairs,
    get_relations,
    has_relations,
)
from ..data.sentences import sentence_ends
from ..errors import DocreError, Errors
from ..models.batch import ClusterBatch
from ..models.distillation import DistillationLoss, SoftTargets
from ..models.encoding import Targets
from .constraints import ConstraintRules
from .reader import DocReader


class Gold(NamedTuple):
    """The gold standard of the candidate pairs of a batch.

    labels (np.ndarray): [P, R] bool. Whether a pair has a type; or float32, the score that the
        reference gives to it, zero without one.
    mask (np.ndarray): [P] bool. Whether its relations are known: the reference is annotated and
        does not exclude the pair, and both entities correspond to gold clusters.
    evidence (np.ndarray): [2, E] int64. The pair and the sentence (of the batch) of each sentence
        that is evidence of a relation.
    """

    labels: np.ndarray
    mask: np.ndarray
    evidence: np.ndarray


class Supervised(Protocol):
    """A component that learns from references. Its `cfg` has `prefix`, `attr` and
    `use_gold_clusters`."""

    name: str
    cfg: dict[str, Any]
    reader: DocReader
    rules: ConstraintRules

    @property
    def labels(self) -> tuple[str, ...]:
        """The relation types, in the order of the model's logits."""


class Supervision:
    """What a component learns from.

    pipe (Supervised): The component.
    """

    def __init__(self, pipe: Supervised) -> None:
        self.pipe = pipe

    def prepare(self, examples: Sequence[Example]) -> None:
        """Check that examples are of one text each, and give predicted documents without clusters
        those of the reference, if the settings say so.

        examples (Sequence[Example]): The examples.
        RAISES (DocreError): If the two texts of an example differ.
        """
        cfg = self.pipe.cfg
        for eg in examples:
            if eg.predicted.text != eg.reference.text:
                doc = describe(eg.reference)
                raise DocreError(Errors.D007.format(doc=doc, name=self.pipe.name))
            if cfg["use_gold_clusters"] and not get_clusters(eg.predicted, cfg["prefix"]):
                copy_clusters(eg.reference, eg.predicted, cfg["prefix"])

    def targets(
        self,
        examples: Sequence[Example],
        clusters: ClusterBatch,
        *,
        device: torch.device,
        with_evidence: bool,
    ) -> tuple[Targets, SoftTargets | None]:
        """What a batch teaches: the gold standard, and what other models say of the references of a
        `DistillationCorpus`. Of pairs that have no gold standard, the evidence is theirs.

        examples (Sequence[Example]): The examples.
        clusters (ClusterBatch): The clusters of their predicted documents.
        device (torch.device): Where the tensors are to be.
        with_evidence (bool): Whether to look up evidence too; else there is none.
        RETURNS (tuple[Targets, Optional[SoftTargets]]): The targets.
        """
        gold = self.gold(examples, clusters, with_evidence=with_evidence)
        settings = (eg.reference.user_data.get(DISTILLATION) for eg in examples)
        loss = next((DistillationLoss(**found) for found in settings if found), None)
        soft = None
        if loss is not None:
            said = self._look_up(examples, clusters, SOFT_ATTR, with_evidence, as_scores=True)
            scores, mask = _tensors(device, said.labels, said.mask)
            soft = SoftTargets(scores, mask, loss)
            is_open = ~gold.mask[said.evidence[0]]
            evidence = np.concatenate([gold.evidence, said.evidence[:, is_open]], axis=1)
            gold = gold._replace(evidence=evidence)
        return Targets(*_tensors(device, *gold)), soft

    def gold(
        self, examples: Sequence[Example], clusters: ClusterBatch, *, with_evidence: bool = False
    ) -> Gold:
        """The gold standard of a batch, without the pairs that constraints leave out of training.

        examples (Sequence[Example]): The examples.
        clusters (ClusterBatch): The clusters of their predicted documents.
        with_evidence (bool): Whether to look up evidence too; else there is none.
        RETURNS (Gold): The gold standard.
        """
        return self._look_up(examples, clusters, self.pipe.cfg["attr"], with_evidence)

    def _look_up(
        self,
        examples: Sequence[Example],
        clusters: ClusterBatch,
        attr: str,
        with_evidence: bool,
        *,
        as_scores: bool = False,
    ) -> Gold:
        gold = gold_labels(
            examples,
            clusters,
            self.pipe.labels,
            name=self.pipe.name,
            prefix=self.pipe.cfg["prefix"],
            attr=attr,
            with_evidence=with_evidence,
            as_scores=as_scores,
        )
        return gold._replace(mask=gold.mask & self.pipe.rules.learned_from(clusters))

    def prior(self, examples: Iterable[Example]) -> np.ndarray:
        """How frequent the relation types are, with half a pair more of each outcome, so that none
        is impossible.

        examples (Iterable[Example]): Training examples.
        RETURNS (np.ndarray): [R] float64. The share of the pairs whose relations are known that
            have each type, in 0..1.
        """
        counts, n_pairs = np.full(len(self.pipe.labels), 0.5), 1
        for batch in minibatch(examples, size=32):
            self.prepare(batch)
            gold = self.gold(batch, self.pipe.reader.clusters([eg.predicted for eg in batch]))
            counts += gold.labels[gold.mask].sum(axis=0)
            n_pairs += int(gold.mask.sum())
        return counts / n_pairs


def gold_labels(
    examples: Sequence[Example],
    clusters: ClusterBatch,
    labels: Sequence[str],
    *,
    name: str,
    prefix: str,
    attr: str,
    with_evidence: bool = False,
    as_scores: bool = False,
) -> Gold:
    """Look up which relations the candidate pairs of predicted documents have.

    examples (Sequence[Example]): The examples.
    clusters (ClusterBatch): The clusters of their predicted documents.
    labels (Sequence[str]): The relation types, in the order of the output.
    name (str): The component's name, for messages.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    with_evidence (bool): Whether to look up evidence too; else there is none.
    as_scores (bool): Whether labels are to be the scores of the relations.
    RETURNS (Gold): The gold standard.
    RAISES (DocreError): If a gold relation has an unknown label, or names a cluster that is not
        there.
    """
    label_ids = {label: i for i, label in enumerate(labels)}
    is_known = np.zeros(len(clusters.keys), dtype=bool)
    found: list[tuple[int, int, int]] = []
    scores: list[float] = []
    evidence: list[list[int]] = []
    excluded: list[tuple[int, int]] = []
    bounds = np.searchsorted(clusters.entity_doc, np.arange(len(examples) + 1))
    first_sentence = np.searchsorted(clusters.sentence_doc, np.arange(len(examples)))
    for number, eg in enumerate(examples):
        if not has_relations(eg.reference, attr=attr):
            continue
        aligned = align_clusters(eg, prefix)
        entities = range(bounds[number], bounds[number + 1])
        entity_of = {aligned[clusters.keys[i]]: i for i in entities if clusters.keys[i] in aligned}
        is_known[list(entity_of.values())] = True
        excluded += [
            (entity_of[head], entity_of[tail])
            for head, tail in excluded_pairs(eg.reference, attr=attr)
            if head in entity_of and tail in entity_of
        ]
        ends = sentence_ends(eg.predicted) if with_evidence else []
        for relation in _checked_relations(eg, label_ids, name, attr):
            head, label, tail = relation.triple
            if head in entity_of and tail in entity_of:
                found.append((entity_of[head], entity_of[tail], label_ids[label]))
                scores.append(relation.score)
                sentences = sentence_numbers(relation, ends) if with_evidence else []
                evidence.append([int(first_sentence[number]) + i for i in sentences])
    heads, tails, columns = np.array(found, dtype=np.int64).reshape(-1, 3).T
    rows = clusters.find_pairs(heads, tails)
    dtype = np.float32 if as_scores else bool
    gold = np.zeros((len(clusters.pair_head), len(labels)), dtype=dtype)
    gold[rows[rows >= 0], columns[rows >= 0]] = np.array(scores)[rows >= 0] if as_scores else True
    mask = is_known[clusters.pair_head] & is_known[clusters.pair_tail]
    left_out = clusters.find_pairs(*np.array(excluded, dtype=np.int64).reshape(-1, 2).T)
    mask[left_out[left_out >= 0]] = False
    cells = [
        (row, i) for row, numbers in zip(rows, evidence, strict=True) for i in numbers if row >= 0
    ]
    return Gold(gold, mask, np.array(cells, dtype=np.int64).reshape(-1, 2).T)


def _checked_relations(
    eg: Example, label_ids: dict[str, int], name: str, attr: str
) -> list[Relation]:
    relations = []
    for relation in get_relations(eg.reference, attr=attr):
        label = relation.label
        if label not in label_ids:
            raise DocreError(
                Errors.D006.format(
                    label=label, doc=describe(eg.reference), n_labels=len(label_ids), name=name
                )
            )
        check_clusters(relation, eg.reference)
        relations.append(relation)
    return relations


def _tensors(device: torch.device, *arrays: np.ndarray) -> Iterator[torch.Tensor]:
    return (torch.from_numpy(array).to(device) for array in arrays)
