"""Localized context pooling: what both entities of a pair attend to."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..encoding import Encoding
from ..precision import full_precision
from .blocks import in_blocks
from .segments import segment_mean
from .sentences import column_positions


def entity_attention(encoding: Encoding) -> Tensor:
    """The attention of each entity: the mean over its mentions (ATLOP, section 4.2).

    encoding (Encoding): The batch.
    RETURNS (Tensor): [N, K, L] The attention of each head.
    """
    index = encoding.index
    return segment_mean(encoding.attention.transpose(0, 1), index.mention_entity, index.n_entities)


def context_matrix(encoding: Encoding, values: Tensor, weigh: Callable[[Tensor], Tensor]) -> Tensor:
    """What both entities of each pair attend to, for all pairs of a document at once:

        c_ht = sum_l w(a_ht)_l v_l  with  a_ht = sum_k A_h^k * A_t^k

    as products of small matrices, one for each token, so that no tensor of the size of pairs x
    heads x tokens is ever made.

    encoding (Encoding): The batch.
    values (Tensor): [B, L, v] float. What is averaged: the tokens, or a linear map of them, which
        is cheaper to apply here than to the contexts.
    weigh (Callable[[Tensor], Tensor]): Makes weights of the shared attention a [B, L, h, n], over
        its second dimension.
    RETURNS (Tensor): [B, n, n, v] The contexts by the slots of head and tail. Those of slots that a
        document does not fill mean nothing.
    """
    index = encoding.index
    n_docs, length, _ = values.shape
    attention = entity_attention(encoding)
    slots = index.entities_by_doc(attention)
    tails = slots.permute(0, 3, 2, 1)  # [B, L, K, n]

    def contexts(heads: Tensor) -> Tensor:
        # Products of probabilities, too small for half precision.
        with full_precision(heads):
            weights = weigh(heads.permute(0, 3, 1, 2) @ tails)  # [B, L, h, n]
        context = weights.flatten(2).transpose(1, 2) @ values
        return context.unflatten(1, (heads.shape[1], index.max_entities))

    items_per_row = n_docs * length * index.max_entities
    return in_blocks(contexts, slots, items_per_row=items_per_row, dim=1)


def localized_weights(shared: Tensor, epsilon: float = 1e-5) -> Tensor:
    """Normalise shared attention to sum to one (Zhou et al. 2021, ATLOP, section 4.2, equation 10).

    shared (Tensor): [B, L, h, n] float.
    epsilon (float): Added to the sum that normalises, for entities that share no attention.
    RETURNS (Tensor): [B, L, h, n]
    """
    return shared / (shared.sum(dim=1, keepdim=True) + epsilon)


def localized_context(encoding: Encoding) -> Tensor:
    """The context of each candidate pair (Zhou et al. 2021, ATLOP, section 4.2, equations 9-11):

        a_ht = sum_k A_h^k * A_t^k,  normalised over the document's tokens;  c_ht = H^T a_ht

    encoding (Encoding): The batch.
    RETURNS (Tensor): [P, d] The context vectors.
    """
    matrix = context_matrix(encoding, encoding.tokens, localized_weights)
    return matrix[encoding.index.pair_cell]


def evidence_context(encoding: Encoding, threshold: float) -> Tensor:
    """The context of each candidate pair from its evidence alone: the sentences with more than a
    share of the attention that both entities pay, and the one with the most (Ma et al. 2023,
    DREEAM, section 3.3). The attention to what is in no sentence, special tokens and markers,
    stays; what is left is normalised anew.

    encoding (Encoding): The batch.
    threshold (float): The share that a sentence must exceed.
    RETURNS (Tensor): [P, d] The context vectors.
    """
    index = encoding.index
    position, n_positions = column_positions(index.column_sentence, index.sentence_doc)
    columns = torch.arange(n_positions + 1, device=position.device)
    belongs = (position[:, :, None] == columns).to(encoding.attention.dtype)  # [B, L, S + 1]

    def weigh(shared: Tensor) -> Tensor:
        n_docs, length, *cells = shared.shape
        weights = localized_weights(shared)
        share = (belongs.transpose(1, 2) @ weights.flatten(2))[:, :-1]
        is_chosen = (share > threshold) | (share == share.amax(dim=1, keepdim=True))
        is_chosen = nn.functional.pad(is_chosen.to(weights.dtype), (0, 0, 0, 1), value=1.0)
        kept = (belongs @ is_chosen).view(n_docs, length, *cells)
        return localized_weights(weights * kept)

    return context_matrix(encoding, encoding.tokens, weigh)[index.pair_cell]
