"""Localized context pooling: what both entities of a pair attend to."""

import torch
from torch import Tensor

from ..encoding import Encoding
from .segments import segment_mean

# Elements of the largest intermediate tensor when nothing has to be kept for a backward pass.
BLOCK_ELEMENTS = 2**25


def entity_attention(encoding: Encoding) -> Tensor:
    """The attention of each entity: the mean over its mentions (ATLOP, section 4.2).

    encoding (Encoding): The batch.
    RETURNS (Tensor): [N, K, L] The attention of each head.
    """
    index = encoding.index
    return segment_mean(encoding.attention.transpose(0, 1), index.mention_entity, index.n_entities)


def localized_context(encoding: Encoding, epsilon: float = 1e-5) -> Tensor:
    """The context of each candidate pair (Zhou et al. 2021, ATLOP, section 4.2, equations 9-11):

        a_ht = sum_k A_h^k * A_t^k,  normalised over the document's tokens;  c_ht = H^T a_ht

    It is computed for all pairs of a document at once as products of small matrices, one for each
    token, so that no tensor of the size of pairs x heads x tokens is ever made.

    encoding (Encoding): The batch.
    epsilon (float): Added to the sum that normalises, for entities that share no attention.
    RETURNS (Tensor): [P, d] The context vectors.
    """
    index = encoding.index
    n_docs, length, width = encoding.tokens.shape
    attention = entity_attention(encoding)
    slots = attention.new_zeros(n_docs, index.max_entities, *attention.shape[1:])
    slots = slots.index_put((index.entity_doc, index.entity_slot), attention)
    by_token = slots.permute(0, 3, 1, 2)  # [B, L, n, K]
    transposed = by_token.transpose(2, 3)
    rows = index.max_entities
    if not torch.is_grad_enabled():
        rows = max(1, BLOCK_ELEMENTS // max(1, n_docs * length * index.max_entities))
    contexts = []
    for block in by_token.split(rows, dim=2):
        shared = block @ transposed  # [B, L, rows, n]
        shared = shared / (shared.sum(dim=1, keepdim=True) + epsilon)
        block_context = shared.flatten(2).transpose(1, 2) @ encoding.tokens
        contexts.append(block_context.unflatten(1, (-1, index.max_entities)))
    if not contexts:
        return encoding.tokens.new_zeros(0, width)
    context = torch.cat(contexts, dim=1)  # [B, n, n, d]
    heads, tails = index.entity_slot[index.pair_head], index.entity_slot[index.pair_tail]
    return context[index.pair_doc, heads, tails]
