"""Where in its document a relation's evidence stands, as heads say it."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from ..data.relation import Evidence
from ..errors import DocreError, Errors
from .batch import ClusterBatch
from .encoding import Encoding, HeadOutput, Targets
from .layers.context import localized_weights
from .layers.segments import segment_mean
from .layers.sentences import column_positions, sentence_positions
from .objective import PairObjective
from .precision import at_least_single
from .torch_head import RelationHead

# Elements of the attention of pairs that is gathered at once, head by head.
BLOCK_ELEMENTS = 2**23

# Keeps the logarithm of a share finite.
SMALLEST_SHARE = 1e-10

# What of `EncodingIndex` tells how a pair's attention divides among sentences.
INDEX = (
    "column_sentence",
    "sentence_doc",
    "mention_entity",
    "entity_doc",
    "pair_head",
    "pair_tail",
    "pair_doc",
)


def mention_spans(clusters: ClusterBatch, mentions: Iterable[int]) -> list[tuple[int, int]]:
    """The tokens of mentions, in their order, those of identical mentions once.

    clusters (ClusterBatch): The batch.
    mentions (Iterable[int]): The numbers of the mentions.
    RETURNS (list[tuple[int, int]]): Start and end of each, within its document.
    """
    start, end = clusters.mention_start, clusters.mention_end
    return list(dict.fromkeys((int(start[m]), int(end[m])) for m in mentions))


class LocalizedHead(RelationHead):
    """Base class of heads whose pairs have a localized context (ATLOP, `localized_context`). It
    tells where the context comes from: a relation's evidence are the sentences on which more than
    `evidence_threshold` of the attention lies that both entities pay, and in any case the sentence
    with the most. This is how DREEAM (Ma et al., EACL 2023) reads evidence off ATLOP. All types of
    a pair have the same evidence; a pair that shares no attention has none.

    With an `evidence_weight` the attention is trained for it as well, as DREEAM does, where the
    gold relations have evidence.

    evidence_threshold (float): The share of the attention that a sentence must exceed.
    evidence_weight (float): The weight of `evidence_loss`, at least 0.
    objective (Optional[PairObjective]): See `RelationHead`.
    """

    def __init__(
        self,
        evidence_threshold: float,
        evidence_weight: float = 0.0,
        objective: PairObjective | None = None,
    ) -> None:
        super().__init__(objective)
        if not 0 <= evidence_threshold <= 1:
            raise DocreError(
                Errors.D020.format(
                    setting="evidence_threshold", condition="in 0..1", value=evidence_threshold
                )
            )
        if not 0 <= evidence_weight < float("inf"):
            raise DocreError(
                Errors.D020.format(
                    setting="evidence_weight", condition="at least 0", value=evidence_weight
                )
            )
        self.evidence_threshold = evidence_threshold
        self.evidence_weight = evidence_weight

    @property
    def learns_evidence(self) -> bool:
        """See `RelationHead.learns_evidence`."""
        return self.evidence_weight > 0

    def with_attention(self, output: HeadOutput, encoding: Encoding) -> HeadOutput:
        """Keep what `evidence` and `evidence_loss` read; these are references, nothing is computed.

        output (HeadOutput): What `forward` is going to return.
        encoding (Encoding): The batch.
        RETURNS (HeadOutput): The output, with `aux["attention"]` [K, M, L] and of the encoding's
            index what `INDEX` names.
        """
        output.aux["attention"] = encoding.attention
        output.index.update({name: getattr(encoding.index, name) for name in INDEX})
        return output

    def loss(self, output: HeadOutput, targets: Targets) -> Tensor:
        """The objective's loss and the evidence's.

        output (HeadOutput): What `forward` returned.
        targets (Targets): The gold standard.
        RETURNS (Tensor): [] The loss.
        """
        loss: Tensor = self.objective(output, targets)
        return loss + self.evidence_loss(output, targets)

    def evidence_loss(self, output: HeadOutput, targets: Targets) -> Tensor:
        """How far the attention of the pairs is from their gold evidence, times `evidence_weight`
        (DREEAM, section 3.1): the Kullback-Leibler divergence of the attention's shares of the
        sentences from the distribution of the evidence among them, in which a sentence counts once
        for each relation of the pair that it is evidence of; averaged over the pairs with evidence.

        output (HeadOutput): What `forward` returned.
        targets (Targets): The gold standard.
        RETURNS (Tensor): [] The loss; zero without evidence.
        """
        if not self.learns_evidence or targets.evidence is None or not targets.evidence.numel():
            return output.logits.new_zeros(())
        pair, sentence = targets.evidence
        pairs, row = pair.unique(return_inverse=True)
        share = sentence_attention(output, pairs)
        n_docs = len(output.index["column_sentence"])
        column, _ = sentence_positions(output.index["sentence_doc"], n_docs)
        cells, one = (row, column[sentence]), share.new_ones(len(row))
        gold = torch.zeros_like(share).index_put(cells, one, accumulate=True)
        gold = gold / gold.sum(dim=1, keepdim=True)
        divergence = torch.xlogy(gold, gold) - gold * (share + SMALLEST_SHARE).log()
        return self.evidence_weight * divergence.sum(dim=1).mean()

    def evidence(
        self, output: HeadOutput, clusters: ClusterBatch, pairs: np.ndarray, labels: np.ndarray
    ) -> Evidence:
        """The sentences that the pairs' contexts come from, those with the most attention first;
        see `RelationHead.evidence`."""
        unique, row_of = np.unique(pairs, return_inverse=True)
        device = output.index["pair_doc"].device
        with torch.no_grad():
            share = sentence_attention(output, torch.from_numpy(unique).to(device)).cpu().numpy()
        highest = share.max(axis=1, initial=0, keepdims=True)
        chosen = (share > self.evidence_threshold) | ((share == highest) & (share > 0))
        first = np.searchsorted(clusters.sentence_doc, clusters.pair_doc[unique])
        start, end = _sentence_tokens(clusters)
        spans = [
            [(int(start[s]), int(end[s])) for s in first[row] + order[chosen[row, order]]]
            for row, order in enumerate(np.argsort(-share, axis=1, kind="stable"))
        ]
        return {
            (pair, label): spans[row]
            for pair, label, row in zip(pairs.tolist(), labels.tolist(), row_of, strict=True)
        }


def sentence_attention(output: HeadOutput, pairs: Tensor) -> Tensor:
    """How the attention that both entities of a pair pay, a_ht of `localized_context`, divides
    among the sentences of their document. The sum is below one: special tokens and the markers of
    mentions belong to no sentence.

    output (HeadOutput): What the head returned, see `LocalizedHead`.
    pairs (Tensor): [C] int64. The pairs.
    RETURNS (Tensor): [C, S] float. The share of each sentence of the pair's document, zero beyond
        the document's sentences.
    """
    attention, index = output.aux["attention"], output.index
    slot, n_slots = column_positions(index["column_sentence"], index["sentence_doc"])
    n_heads, _, length = attention.shape
    owner, n_entities = index["mention_entity"], len(index["entity_doc"])
    by_entity = segment_mean(attention.transpose(0, 1), owner, n_entities)
    size = max(1, BLOCK_ELEMENTS // max(1, n_heads * length))
    mass = [attention.new_zeros(0, n_slots + 1)]
    for block in pairs.split(size):
        head, tail = (by_entity[index[name][block]] for name in ("pair_head", "pair_tail"))
        weights = localized_weights((head * tail).sum(dim=1))
        columns = slot.index_select(0, index["pair_doc"][block])
        mass.append(weights.new_zeros(len(block), n_slots + 1).scatter_add(1, columns, weights))
    return at_least_single(torch.cat(mass)[:, :n_slots])


def _sentence_tokens(clusters: ClusterBatch) -> tuple[np.ndarray, np.ndarray]:
    """[S] The first token of each sentence and the token after its last, within its document."""
    numbers = np.arange(len(clusters.sentence_doc))
    doc_start = np.cumsum(clusters.doc_length) - clusters.doc_length
    offset = doc_start[clusters.sentence_doc]
    start = np.searchsorted(clusters.token_sentence, numbers)
    end = np.searchsorted(clusters.token_sentence, numbers, side="right")
    return start - offset, end - offset
