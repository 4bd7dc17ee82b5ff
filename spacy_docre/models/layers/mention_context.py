"""What both mentions of a pair attend to, head by head."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..encoding import Encoding
from ..precision import at_least_single, full_precision
from .blocks import in_blocks
from .mention_pairs import MentionPairs

# Elements of the products of attention rows that are held at once, few enough for a cache.
PRODUCT_ELEMENTS = 2**18
# Added to the sums that normalise, for mentions that share no attention.
EPSILON = 1e-10


class SharedAttention(torch.autograd.Function):
    """The attention that two mentions share (Jiang et al. 2022, KMGRE, section 3.1, equation 4):

        a_ij = sum_k (A_i^k * A_j^k) / (1' (A_i^k * A_j^k))

    The products of single heads are made block by block and again in the backward pass, so that
    no tensor of the size of mention pairs x heads x tokens is ever made.
    """

    @staticmethod
    def forward(ctx: Any, attention: Tensor, left: Tensor, right: Tensor) -> Tensor:
        """attention (Tensor): [M, K, L] float. The attention of each mention.
        left (Tensor): [U] int64. The first mention of each pair.
        right (Tensor): [U] int64. Its second mention.
        RETURNS (Tensor): [U, L] The attention that they share.
        """
        _, n_heads, length = attention.shape
        shared = attention.new_empty(len(left), length)
        weight = attention.new_empty(len(left), n_heads)
        for rows in _blocks(attention, len(left)):
            product = attention.index_select(0, left[rows])
            product *= attention.index_select(0, right[rows])
            weight[rows] = 1 / (product.sum(dim=2) + EPSILON)
            torch.bmm(weight[rows, None], product, out=shared[rows, None])
        ctx.save_for_backward(attention, left, right, weight)
        return shared

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """gradients (Tensor): [U, L] The gradient of the shared attention.
        RETURNS (tuple[Tensor, None, None]): [M, K, L] That of the attention.
        """
        attention, left, right, weight = ctx.saved_tensors
        [d_shared] = gradients
        d_attention = torch.zeros_like(attention)
        for rows in _blocks(attention, len(left)):
            from_left = attention.index_select(0, left[rows])
            from_right = attention.index_select(0, right[rows])
            own, gradient = weight[rows, :, None], d_shared[rows, None]
            # The gradient of P / sum(P): what all tokens have in common falls out.
            common = (from_left * from_right).mul_(gradient).sum(dim=2, keepdim=True)
            d_product = own * gradient
            d_product -= common * own.square()
            d_attention.index_add_(0, left[rows], from_right.mul_(d_product))
            d_attention.index_add_(0, right[rows], from_left.mul_(d_product))
        return d_attention, None, None


def _blocks(attention: Tensor, n_pairs: int) -> list[slice]:
    # A GPU has no such cache, and each block costs it the start of some kernels.
    elements = PRODUCT_ELEMENTS * (64 if attention.is_cuda else 1)
    size = max(1, elements // max(1, attention[:1].numel()))
    return [slice(start, start + size) for start in range(0, n_pairs, size)]


def project_contexts(encoding: Encoding, weight: Tensor, pairs: MentionPairs) -> Tensor:
    """A linear layer without a bias over the contexts c_ij = H' a_ij of mention pairs, equation 4.
    The tokens are projected first: W c_ij = (H W')' a_ij, so that c_ij itself is not needed.

    encoding (Encoding): The batch.
    weight (Tensor): [R, d] float. The layer's weight W.
    pairs (MentionPairs): The mention pairs.
    RETURNS (Tensor): [Q, R] The layer's output for each mention pair.
    """
    tokens = torch.nn.functional.linear(encoding.tokens, weight)
    if len(weight) == 1:
        # Its quotients of tiny numbers are beyond the range of half precision.
        with full_precision(tokens):
            return _sum_of_one(at_least_single(tokens), encoding, pairs)
    return _sums(tokens, encoding.attention.transpose(0, 1).contiguous(), pairs)


def _sums(values: Tensor, attention: Tensor, pairs: MentionPairs) -> Tensor:
    """[Q, R] The sums of the tokens' values [B, L, R], weighted by the shared attention."""

    def sums(left: Tensor, right: Tensor, doc: Tensor) -> Tensor:
        shared = SharedAttention.apply(attention, left.flatten(), right.flatten())
        return shared.unflatten(0, left.shape) @ values.index_select(0, doc)

    items_per_row = values.shape[1] * (pairs.left.shape[1] + values.shape[2])
    sides = (pairs.left, pairs.right, pairs.chunk_doc)
    chunks = in_blocks(sums, *sides, items_per_row=items_per_row)
    return chunks.flatten(0, 1).index_select(0, pairs.unordered)


def _sum_of_one(value: Tensor, encoding: Encoding, pairs: MentionPairs) -> Tensor:
    """`_sums` of a single value for each token, [B, L, 1]. Two products of matrices for each head
    give them without the shared attention itself:

        a_ij' g = sum_k (A^k diag(g) A^k')_ij / (A^k A^k')_ij
    """
    n_docs, length, _ = value.shape
    index = encoding.index
    doc, slot = index.mention_doc, index.mention_slot
    rows = value.new_zeros(n_docs, index.max_mentions, len(encoding.attention), length)
    rows = rows.index_put((doc, slot), encoding.attention.transpose(0, 1))
    transposed, value = rows.permute(0, 2, 3, 1), value.transpose(1, 2)[:, None]

    def sums(rows: Tensor) -> Tensor:
        rows = rows.transpose(1, 2)
        total = rows @ transposed  # [B, K, rows, m]
        return ((rows * value) @ transposed / (total + EPSILON)).sum(dim=1)

    items_per_row = n_docs * len(encoding.attention) * max(length, index.max_mentions)
    matrix = in_blocks(sums, rows, items_per_row=items_per_row, dim=1)
    return matrix[doc[pairs.first], slot[pairs.first], slot[pairs.second], None]
