"""Where in its document a relation's evidence stands, as heads say it."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from ..clusters import ClusterBatch
from ..errors import DocreError, Errors
from ..relation import Evidence
from .encoding import Encoding, HeadOutput
from .layers.context import localized_weights
from .layers.segments import segment_mean
from .torch_head import RelationHead

# Elements of the attention of pairs that is gathered at once, head by head.
BLOCK_ELEMENTS = 2**23


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
    with the most. This is how DREEAM (Ma et al. 2023) reads evidence off ATLOP, without having
    trained the attention for it as DREEAM does. All types of a pair have the same evidence; a pair
    that shares no attention has none.

    evidence_threshold (float): The share of the attention that a sentence must exceed.
    """

    def __init__(self, evidence_threshold: float) -> None:
        super().__init__()
        if not 0 <= evidence_threshold <= 1:
            raise DocreError(
                Errors.D020.format(
                    setting="evidence_threshold", condition="in 0..1", value=evidence_threshold
                )
            )
        self.evidence_threshold = evidence_threshold

    def with_attention(self, output: HeadOutput, encoding: Encoding) -> HeadOutput:
        """Keep what `evidence` reads; these are references, nothing is computed.

        output (HeadOutput): What `forward` is going to return.
        encoding (Encoding): The batch.
        RETURNS (HeadOutput): The output, with `aux["attention"]` [K, M, L] and
            `index["column_sentence"]` [B, L].
        """
        output.aux["attention"] = encoding.attention
        output.index["column_sentence"] = encoding.index.column_sentence
        return output

    def evidence(
        self, output: HeadOutput, clusters: ClusterBatch, pairs: np.ndarray, labels: np.ndarray
    ) -> Evidence:
        """The sentences that the pairs' contexts come from, those with the most attention first;
        see `RelationHead.evidence`."""
        unique, row_of = np.unique(pairs, return_inverse=True)
        share = sentence_attention(output, clusters, unique)
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


def sentence_attention(output: HeadOutput, clusters: ClusterBatch, pairs: np.ndarray) -> np.ndarray:
    """How the attention that both entities of a pair pay, a_ht of `localized_context`, divides
    among the sentences of their document. The sum is below one: special tokens and the markers of
    mentions belong to no sentence.

    output (HeadOutput): What the head returned, see `LocalizedHead`.
    clusters (ClusterBatch): The batch.
    pairs (np.ndarray): [C] int64. The pairs.
    RETURNS (np.ndarray): [C, S] float. The share of each sentence of the pair's document, zero
        beyond the document's sentences.
    """
    attention, column_sentence = output.aux["attention"].detach(), output.index["column_sentence"]
    counts = np.bincount(clusters.sentence_doc, minlength=clusters.n_docs)
    n_slots, (n_heads, _, length) = int(counts.max(initial=0)), attention.shape

    def to_device(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(attention.device)

    heads, tails = to_device(clusters.pair_head[pairs]), to_device(clusters.pair_tail[pairs])
    first_sentence = to_device(np.cumsum(counts) - counts)
    # Columns outside of words go to a slot of their own, which is then left out.
    slot = torch.where(column_sentence < 0, n_slots, column_sentence - first_sentence[:, None])
    docs = to_device(clusters.pair_doc[pairs])
    owner, n_entities = to_device(clusters.mention_entity), len(clusters.entity_doc)
    by_entity = segment_mean(attention.transpose(0, 1), owner, n_entities)
    size = max(1, BLOCK_ELEMENTS // max(1, n_heads * length))
    parts = (heads.split(size), tails.split(size), docs.split(size))
    mass = [attention.new_zeros(0, n_slots + 1)]
    for head, tail, doc in zip(*parts, strict=True):
        weights = localized_weights((by_entity[head] * by_entity[tail]).sum(dim=1))
        columns = slot.index_select(0, doc)
        mass.append(weights.new_zeros(len(head), n_slots + 1).scatter_add(1, columns, weights))
    return torch.cat(mass)[:, :n_slots].float().cpu().numpy()


def _sentence_tokens(clusters: ClusterBatch) -> tuple[np.ndarray, np.ndarray]:
    """[S] The first token of each sentence and the token after its last, within its document."""
    numbers = np.arange(len(clusters.sentence_doc))
    doc_start = np.cumsum(clusters.doc_length) - clusters.doc_length
    offset = doc_start[clusters.sentence_doc]
    start = np.searchsorted(clusters.token_sentence, numbers)
    end = np.searchsorted(clusters.token_sentence, numbers, side="right")
    return start - offset, end - offset
