"""Classifiers of pairs of vectors."""

import math

import torch
from torch import Tensor, nn

from ...errors import DocreError, Errors
from ..encoding import EncodingIndex
from .blocks import block_rows, in_blocks


class GroupedBilinear(nn.Module):
    """Grouped bilinear classifier (Zhou et al. 2021, ATLOP, section 3.3, equation 5): both vectors
    are cut into blocks, and each pair of blocks has a bilinear form of its own:

        logit_r = sum_g z_h^g' W_r^g z_t^g + b_r

    width (int): The width of the two vectors.
    n_outputs (int): The number of logits.
    block (int): The size of a block; must divide the width.
    """

    def __init__(self, width: int, n_outputs: int, block: int = 64) -> None:
        super().__init__()
        if width % block:
            raise DocreError(Errors.D016.format(width=width, block=block))
        self.block = block
        self.weight = nn.Parameter(torch.empty(n_outputs, width * block))
        self.bias = nn.Parameter(torch.empty(n_outputs))
        # The initialisation of a linear layer over the outer products, as in the paper's code.
        bound = 1 / math.sqrt(width * block)
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, head: Tensor, tail: Tensor, *views: Tensor) -> Tensor:
        """head, tail (Tensor): [P, width] float.
        *views (Tensor): [P, width] float. Further heads and tails of the same pairs, in turn. The
            logits are the mean over all views; as they are linear in the products of blocks, these
            are added up first, and multiplied with the weights once.
        RETURNS (Tensor): [P, n_outputs] The logits.
        """
        ends = (head, tail, *views)
        if torch.is_grad_enabled():
            return in_blocks(self._logits, *ends, items_per_row=self.weight.shape[1])
        rows = min(max(1, len(head)), block_rows(self.weight.shape[1]))
        # One buffer for all blocks: new memory of that size costs as much as the products in it.
        products = head.new_empty(rows, *head.unflatten(1, (-1, self.block)).shape[1:], self.block)
        logits = [
            self._logits(*block, out=products[: len(block[0])])
            for block in zip(*(end.split(rows) for end in ends), strict=True)
        ]
        return torch.cat(logits)

    def _logits(self, *ends: Tensor, out: Tensor | None = None) -> Tensor:
        blocks = [end.unflatten(1, (-1, self.block)) for end in ends]
        heads = [head.unsqueeze(3) for head in blocks[::2]]
        tails = [tail.unsqueeze(2) for tail in blocks[1::2]]
        outer = torch.mul(heads[0], tails[0], out=out)
        for head, tail in zip(heads[1:], tails[1:], strict=True):
            outer = torch.addcmul(outer, head, tail, out=out)
        return torch.addmm(self.bias, outer.flatten(1), self.weight.T, alpha=1 / len(heads))


class RelationBilinear(nn.Module):
    """A full bilinear form for each output, logit_r = e_s^r' W_r e_o^r + b_r, of entities that may
    have a representation for each output. It is a product of matrices over all entities of a
    document, from which the candidate pairs are read.

    width (int): The width of the representations.
    n_outputs (int): The number of outputs, R.
    """

    def __init__(self, width: int, n_outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_outputs, width, width))
        self.bias = nn.Parameter(torch.zeros(n_outputs))
        bound = math.sqrt(6 / (2 * width))
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, entity: Tensor, index: EncodingIndex) -> Tensor:
        """entity (Tensor): [N, R, d] float. The entities' representations for each output, or
            [N, 1, d] for one representation of each.
        index (EncodingIndex): The batch.
        RETURNS (Tensor): [P, R] The logits.
        """
        by_output = entity.transpose(0, 1)  # [R or 1, N, d]
        subject, object_ = (
            _by_doc(x.transpose(0, 1), index).permute(0, 2, 1, 3)  # [B, R or 1, n, d]
            for x in (by_output @ self.weight, by_output)
        )
        scores = subject @ object_.transpose(2, 3)  # [B, R, n, n]
        docs, heads, tails = index.pair_cell
        return scores[docs, :, heads, tails] + self.bias


class PairContextBilinear(nn.Module):
    """What a vector of the pair adds to a full bilinear form for each output when it is joined to
    both entities' representations: of

        [e_s^r; c]' W_r [e_o^r; c] = e_s' W_11 e_o + e_s' W_12 c + c' W_21 e_o + c' W_22 c

    all but the first term, which is `RelationBilinear`. The middle terms are products of matrices
    over all pairs of one entity.

    width (int): The width of the entities' representations.
    context_width (int): The width of the pairs' vectors.
    n_outputs (int): The number of outputs, R.
    """

    def __init__(self, width: int, context_width: int, n_outputs: int) -> None:
        super().__init__()
        self.subject = nn.Parameter(torch.empty(n_outputs, width, context_width))
        self.object = nn.Parameter(torch.empty(n_outputs, width, context_width))
        for weight in (self.subject, self.object):
            bound = math.sqrt(6 / (width + context_width))
            nn.init.uniform_(weight, -bound, bound)
        self.context = GroupedBilinear(context_width, n_outputs, context_width)

    def forward(self, entity: Tensor, context: Tensor, index: EncodingIndex) -> Tensor:
        """entity (Tensor): [N, R, d] float. The entities' representations for each output.
        context (Tensor): [P, c] float. The pairs' vectors.
        index (EncodingIndex): The batch.
        RETURNS (Tensor): [P, R] The logits.
        """
        n = index.max_entities
        docs, heads, tails = index.pair_cell
        grid = context.new_zeros(index.n_docs, n, n, context.shape[1]).index_put(
            index.pair_cell, context
        )
        of_subject, of_object = (
            _by_doc((entity.transpose(0, 1) @ weight).transpose(0, 1), index)  # [B, n, R, c]
            for weight in (self.subject, self.object)
        )
        by_subject = grid @ of_subject.transpose(2, 3)  # [B, n, n, R]
        by_object = grid.transpose(1, 2) @ of_object.transpose(2, 3)
        ends = by_subject[docs, heads, tails] + by_object[docs, tails, heads]
        return ends + self.context(context, context)


def _by_doc(entity: Tensor, index: EncodingIndex) -> Tensor:
    """[B, n, ...] The rows of entities, [N, ...], by document, filled up with zeros."""
    padded = entity.new_zeros(index.n_docs * index.max_entities, *entity.shape[1:])
    place = index.entity_doc * index.max_entities + index.entity_slot
    return padded.index_copy(0, place, entity).unflatten(0, (index.n_docs, index.max_entities))
