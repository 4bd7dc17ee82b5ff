"""Which mention pairs the candidate pairs of entities have, as flat index vectors."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..encoding import EncodingIndex, ranges

# Unordered mention pairs of one document that are computed together.
CHUNK = 32


@dataclass(frozen=True)
class MentionPairs:
    """The mention pairs of a batch: for each candidate pair (h, t) every (i, j) with a mention i of
    h and a mention j of t, sorted by candidate pair. What does not depend on the order of i and j
    is computed once for both; such *unordered* pairs come in chunks of one document each, the last
    of a document filled up.

    first (Tensor): [Q] int64. The head entity's mention i.
    second (Tensor): [Q] int64. The tail entity's mention j.
    pair (Tensor): [Q] int64. The candidate pair.
    unordered (Tensor): [Q] int64. The unordered pair {i, j}, as a number of cells of the chunks.
    left (Tensor): [C, CHUNK] int64. The first mention of each unordered pair.
    right (Tensor): [C, CHUNK] int64. Its second.
    chunk_doc (Tensor): [C] int64. The document of each chunk.
    """

    first: Tensor
    second: Tensor
    pair: Tensor
    unordered: Tensor
    left: Tensor
    right: Tensor
    chunk_doc: Tensor

    @classmethod
    def of(cls, index: EncodingIndex) -> "MentionPairs":
        """index (EncodingIndex): The batch; its mentions are sorted by entity.
        RETURNS (MentionPairs): Its mention pairs, on the same device.
        """
        sources = (index.mention_entity, index.entity_doc, index.pair_head, index.pair_tail)
        bounds = np.cumsum([len(source) for source in sources])[:-1]
        packed = torch.cat(sources).cpu().numpy()
        mention_entity, entity_doc, head, tail = np.split(packed, bounds)
        arrays = _ordered(mention_entity, head, tail, len(entity_doc))
        mention_doc = entity_doc[mention_entity]
        arrays |= _unordered(arrays["first"], arrays["second"], mention_doc, index.n_docs)
        joined = np.concatenate([array.ravel() for array in arrays.values()])
        parts = torch.from_numpy(joined).to(index.pair_head.device)
        split = parts.split([array.size for array in arrays.values()])
        tensors = {
            name: part.view(array.shape)
            for (name, array), part in zip(arrays.items(), split, strict=True)
        }
        return cls(**tensors)


def _ordered(
    mention_entity: np.ndarray, head: np.ndarray, tail: np.ndarray, n_entities: int
) -> dict[str, np.ndarray]:
    n_mentions = np.bincount(mention_entity, minlength=n_entities)
    start = np.cumsum(n_mentions) - n_mentions
    counts = n_mentions[head] * n_mentions[tail]
    pair = np.repeat(np.arange(len(head)), counts)
    i, j = np.divmod(ranges(np.zeros_like(counts), counts), n_mentions[tail][pair])
    return {"first": start[head][pair] + i, "second": start[tail][pair] + j, "pair": pair}


def _unordered(
    first: np.ndarray, second: np.ndarray, mention_doc: np.ndarray, n_docs: int
) -> dict[str, np.ndarray]:
    n_mentions = max(1, len(mention_doc))
    code = np.minimum(first, second) * n_mentions + np.maximum(first, second)
    code, number = np.unique(code, return_inverse=True)
    left, right = np.divmod(code, n_mentions)
    # Mentions are sorted by document, so that the unordered pairs are, too.
    doc = mention_doc[left]
    n_pairs = np.bincount(doc, minlength=n_docs)
    n_chunks = -(-n_pairs // CHUNK)
    first_cell = (np.cumsum(n_chunks) - n_chunks) * CHUNK
    cell = ranges(first_cell, n_pairs)
    sides = np.zeros((2, int(n_chunks.sum()) * CHUNK), dtype=np.int64)
    sides[:, cell] = left, right
    return {
        "unordered": cell[number],
        "left": sides[0].reshape(-1, CHUNK),
        "right": sides[1].reshape(-1, CHUNK),
        "chunk_doc": np.repeat(np.arange(n_docs), n_chunks),
    }
