"""Classifiers of pairs of vectors."""

import math

import torch
from torch import Tensor, nn

from ...errors import DocreError, Errors
from ..encoding import EncodingIndex

# Elements of the outer products that are held at once when no backward pass will need them.
BLOCK_ELEMENTS = 2**25


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

    def forward(self, head: Tensor, tail: Tensor) -> Tensor:
        """head, tail (Tensor): [P, width] float.
        RETURNS (Tensor): [P, n_outputs] The logits.
        """
        rows = max(1, len(head))
        if not torch.is_grad_enabled():
            rows = max(1, BLOCK_ELEMENTS // self.weight.shape[1])
        logits = [
            nn.functional.linear(self._outer(h, t), self.weight, self.bias)
            for h, t in zip(head.split(rows), tail.split(rows), strict=True)
        ]
        return torch.cat(logits)

    def _outer(self, head: Tensor, tail: Tensor) -> Tensor:
        head, tail = (x.unflatten(1, (-1, self.block)) for x in (head, tail))
        return (head.unsqueeze(3) * tail.unsqueeze(2)).flatten(1)


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
        nn.init.xavier_uniform_(self.weight.view(n_outputs * width, width), gain=n_outputs**0.5)

    def forward(self, entity: Tensor, index: EncodingIndex) -> Tensor:
        """entity (Tensor): [N, R, d] float. The entities' representations for each output, or
            [N, 1, d] for one representation of each.
        index (EncodingIndex): The batch.
        RETURNS (Tensor): [P, R] The logits.
        """
        n_outputs = len(self.bias)
        by_output = entity.transpose(0, 1)  # [R, N, d]
        subject = torch.matmul(by_output, self.weight)
        shape = (n_outputs, index.n_docs, index.max_entities, entity.shape[2])
        place = index.entity_doc * index.max_entities + index.entity_slot
        padded = [
            x.new_zeros(shape).flatten(1, 2).index_copy(1, place, x.expand(n_outputs, -1, -1))
            for x in (subject, by_output)
        ]
        subjects, objects = (x.view(shape) for x in padded)
        scores = subjects @ objects.transpose(2, 3)  # [R, B, n, n]
        heads, tails = index.entity_slot[index.pair_head], index.entity_slot[index.pair_tail]
        return scores[:, index.pair_doc, heads, tails].T + self.bias
