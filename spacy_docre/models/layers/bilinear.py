"""Classifiers of pairs of vectors."""

import math

import torch
from torch import Tensor, nn

from ..encoding import EncodingIndex
from .grouped_bilinear import GroupedBilinear


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
        _start(self.weight, width)

    def forward(self, entity: Tensor, index: EncodingIndex) -> Tensor:
        """entity (Tensor): [N, R, d] float. The entities' representations for each output, or
            [N, 1, d] for one representation of each.
        index (EncodingIndex): The batch.
        RETURNS (Tensor): [P, R] The logits.
        """
        by_output = entity.transpose(0, 1)  # [R or 1, N, d]
        subject, object_ = (
            index.entities_by_doc(x.transpose(0, 1)).permute(0, 2, 1, 3)  # [B, R or 1, n, d]
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
            _start(weight, width + context_width)
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
            index.entities_by_doc((entity.transpose(0, 1) @ weight).transpose(0, 1))  # [B, n, R, c]
            for weight in (self.subject, self.object)
        )
        by_subject = grid @ of_subject.transpose(2, 3)  # [B, n, n, R]
        by_object = grid.transpose(1, 2) @ of_object.transpose(2, 3)
        ends = by_subject[docs, heads, tails] + by_object[docs, tails, heads]
        return ends + self.context(context, context)


def _start(weight: Tensor, width: int) -> None:
    """As PyTorch's `Bilinear` starts, which the authors of DocRED, SSAN and RSMAN use."""
    bound = 1 / math.sqrt(width)
    nn.init.uniform_(weight, -bound, bound)
