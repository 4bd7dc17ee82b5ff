"""Walks over the edges of a document's graph."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ...errors import DocreError, Errors
from .edges import Edges

# Rows and columns, bool [n] each: a part of the pairs of nodes.
Block = tuple[Tensor, Tensor]


class SumOfWalks(torch.autograd.Function):
    """What all walks of two steps say of two nodes, sum_k sigmoid(a_ik * b_kj), one k after the
    other and again in the backward pass, so that no tensor of nodes x nodes x nodes is ever made.
    """

    @staticmethod
    def forward(
        ctx: Any, first: Tensor, second: Tensor, exist: Tensor, blocks: list[Block]
    ) -> Tensor:
        """first (Tensor): [n, n, d] float. The first steps a.
        second (Tensor): [n, n, d] float. The second steps b.
        exist (Tensor): [n, n] bool. Which steps there are.
        blocks (list[Block]): The pairs that are wanted; no pair may be in two.
        RETURNS (Tensor): [n, n, d] The sums; zero for pairs that are not wanted.
        """
        ctx.save_for_backward(first, second, exist)
        ctx.blocks = blocks
        total = torch.zeros_like(first)
        for k, i, j in _steps(exist, blocks):
            total[i, j] += torch.sigmoid(first[i, k] * second[k, j])
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """gradients (Tensor): [n, n, d] The gradient of the sums.
        RETURNS (tuple[Tensor, Tensor, None, None]): [n, n, d] Those of first and second steps.
        """
        first, second, exist = ctx.saved_tensors
        [d_total] = gradients
        d_first, d_second = torch.zeros_like(first), torch.zeros_like(second)
        for k, i, j in _steps(exist, ctx.blocks):
            one, other = first[i, k], second[k, j]
            walks = torch.sigmoid(one * other)
            d_product = walks.mul_(1 - walks).mul_(d_total[i, j])
            d_first[i, k] += (d_product * other).sum(dim=1, keepdim=True)
            d_second[k, j] += (d_product * one).sum(dim=0)
        return d_first, d_second, None, None


def _steps(exist: Tensor, blocks: list[Block]) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Each node k, with the nodes i [a, 1] from and j [b] to which there are walks over it."""
    for rows, columns in blocks:
        for k in range(len(exist)):
            i, j = (exist[:, k] & rows).nonzero(), (exist[k] & columns).nonzero()[:, 0]
            if len(i) and len(j):
                yield k, i, j


class Walks(nn.Module):
    """The inference of EoG (Christopoulou et al. 2019, section 2.5): each iteration joins two walks
    over a third node to one that is twice as long, and adds it to what is known,

        f(e_ik, e_kj) = sigmoid(e_ik * (W e_kj))
        e_ij' = beta e_ij + (1 - beta) sum_{k != i, j} f(e_ik, e_kj)

    where nodes between which there is no walk stay as they are.

    width (int): The width of an edge.
    iterations (int): How often: walks have up to 2 ** iterations steps.
    beta (float): The share of the shorter walks, 0 to 1.
    RAISES (DocreError): If a setting is out of its range.
    """

    def __init__(self, width: int, *, iterations: int, beta: float) -> None:
        super().__init__()
        for setting, is_right, condition, value in (
            ("iterations", iterations >= 1, "at least 1", iterations),
            ("beta", 0 <= beta <= 1, "in 0..1", beta),
        ):
            if not is_right:
                raise DocreError(
                    Errors.D020.format(setting=setting, condition=condition, value=value)
                )
        self.step = nn.Linear(width, width, bias=False)
        self.iterations = iterations
        self.beta = beta

    def forward(self, edges: Edges) -> Tensor:
        """edges (Edges): The edges of a document.
        RETURNS (Tensor): [e, e, d] float. What is known of each two entities.
        """
        known, exist, n = edges.vectors, edges.exist, edges.n_entities
        every = torch.ones_like(exist[0])
        entity = torch.arange(len(every), device=every.device) < n
        # The last walks are between entities, those before begin or end at one.
        wanted = [[(entity, entity)], [(entity, every), (~entity, entity)]]
        for left in reversed(range(self.iterations)):
            blocks = wanted[left] if left < len(wanted) else [(every, every)]
            walks: Tensor = SumOfWalks.apply(known, self.step(known), exist, blocks)
            counts = exist.to(known.dtype)
            is_joined = (counts @ counts > 0).fill_diagonal_(False)
            longer = torch.lerp(walks, known, self.beta)
            known = torch.where(is_joined[..., None], longer, known)
            exist = exist | is_joined
        return known[:n, :n]
