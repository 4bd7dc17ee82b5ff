"""The grouped bilinear classifier of pairs of vectors."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ...errors import DocreError, Errors
from .asked_types import AskedTypes
from .blocks import block_rows

# How many products of a pair are made at once, and on a CPU how many of all pairs: so few stay in
# its cache. Fresh memory for all of them takes a CPU longer than their multiplication.
PAIR_PRODUCTS = 2**12
CACHED_PRODUCTS = 2**20


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

    def forward(
        self,
        head: Tensor,
        tail: Tensor,
        *views: Tensor,
        asked: Sequence[AskedTypes] | None = None,
    ) -> Tensor:
        """head, tail (Tensor): [P, width] float.
        *views (Tensor): [P, width] float. Further heads and tails of the same pairs, in turn. The
            logits are the mean over all views; as they are linear in the products of blocks, these
            are added up first, and multiplied with the weights once.
        asked (Optional[Sequence[AskedTypes]]): The outputs that are wanted of each pair, see
            `asked_types`; None for all. The others are the lowest number there is.
        RETURNS (Tensor): [P, n_outputs] The logits, in full precision also under autocast.
        """
        ends = (head, tail, *views)
        device, dtype = head.device.type, self.weight.dtype
        if torch.is_autocast_enabled(device):
            dtype = torch.get_autocast_dtype(device)
        weight = self.weight.unflatten(1, (-1, self.block, self.block))
        blocks = [end.unflatten(1, (-1, self.block)).to(dtype) for end in ends]
        n_views = len(ends) // 2
        if asked is None:
            form: Tensor = GroupedForm.apply(weight, *blocks)
            return form / n_views + self.bias
        lowest = torch.finfo(weight.dtype).min
        form = weight.new_full((len(head), len(weight)), lowest)
        for rows, columns in asked:
            own = [end[rows] for end in blocks]
            if len(columns) == len(weight):
                part = GroupedForm.apply(weight, *own)
            else:
                part = few_outputs(weight, columns, own)
            form[rows[:, None], columns] = part / n_views + self.bias[columns]
        return form


def few_outputs(weight: Tensor, columns: Tensor, ends: Sequence[Tensor]) -> Tensor:
    """The forms of some outputs, without their bias, summed over the views; at inference. Heads are
    multiplied with the weights, and the result with tails: for few outputs that is less than all
    products of heads and tails.

    weight (Tensor): [n_outputs, G, block, block] float.
    columns (Tensor): [C] int64. The outputs.
    ends (Sequence[Tensor]): [P, G, block] float. Heads and tails in turn.
    RETURNS (Tensor): [P, C] In the weights' precision.
    """
    n_groups, block = weight.shape[1:3]
    items_per_row = max(1, len(columns) * block)
    step = max(1, min(block_rows(items_per_row), CACHED_PRODUCTS // items_per_row))
    form = weight.new_empty(len(ends[0]), len(columns))
    for start in range(0, len(form), step):
        rows = slice(start, start + step)
        own = [end[rows].transpose(0, 1).contiguous() for end in ends]
        total = weight.new_zeros(len(columns), own[0].shape[1], block)
        for group in range(n_groups):
            weights = weight[:, group].index_select(0, columns).to(ends[0].dtype)
            for head, tail in zip(own[::2], own[1::2], strict=True):
                product = (head[group] @ weights).to(weight.dtype)
                total.addcmul_(product, tail[group].to(weight.dtype))
        form[rows] = total.sum(2).T
    return form


class GroupedForm(torch.autograd.Function):
    """The forms without their bias, summed over the views. Only the ends are kept for the backward
    pass, which makes their products again."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, *ends: Tensor) -> Tensor:
        """weight (Tensor): [n_outputs, G, block, block] float.
        *ends (Tensor): [P, G, block] float. Heads and tails in turn, in the precision of the
            products.
        RETURNS (Tensor): [P, n_outputs] In the weights' precision.
        """
        ctx.save_for_backward(weight, *ends)
        # The limit of the forward pass holds for the backward pass, which may come after it.
        ctx.blocks = row_blocks(ends[0], weight)
        form = weight.new_zeros(len(ends[0]), len(weight))
        for groups, columns in parts(weight):
            weights = weight[:, groups, columns].flatten(1).to(ends[0].dtype)
            for rows in ctx.blocks:
                products = outer(ends, rows, groups, columns)
                form[rows] += products.flatten(1) @ weights.T
        return form

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """gradient (Tensor): [P, n_outputs] float, of the form.
        RETURNS (tuple[Optional[Tensor], ...]): The gradients of the weights and of the ends.
        """
        weight, *ends = ctx.saved_tensors
        # A head may be frozen.
        of_weight = torch.zeros_like(weight) if ctx.needs_input_grad[0] else None
        of_ends = [torch.zeros_like(end, dtype=weight.dtype) for end in ends]
        gradient = gradient.to(ends[0].dtype)
        for groups, columns in parts(weight):
            weights = weight[:, groups, columns].flatten(1).to(gradient.dtype)
            for rows in ctx.blocks:
                products = outer(ends, rows, groups, columns)
                if of_weight is not None:
                    of_weights = gradient[rows].T @ products.flatten(1)
                    of_weight[:, groups, columns] += of_weights.view(-1, *products.shape[1:])
                of_products = (gradient[rows] @ weights).view_as(products)
                for i in range(0, len(ends), 2):
                    head, tail = ends[i][rows, groups, columns], ends[i + 1][rows, groups]
                    # A product with a vector on the right takes a CPU four times as long.
                    of_head = (of_products * tail.unsqueeze(2)).sum(3)
                    of_tail = head.unsqueeze(2) @ of_products
                    of_ends[i][rows, groups, columns] = of_head
                    of_ends[i + 1][rows, groups] += of_tail.squeeze(2)
        return of_weight, *(g.to(end.dtype) for g, end in zip(of_ends, ends, strict=True))


def part_shape(weight: Tensor) -> tuple[int, int]:
    """How many products of a pair are made at once.

    weight (Tensor): [n_outputs, G, block, block] float.
    RETURNS (tuple[int, int]): The number of groups, and that of the heads' columns in each: all, or
        for a large block some of those of one group.
    """
    block = weight.shape[2]
    return max(1, PAIR_PRODUCTS // block**2), max(1, min(block, PAIR_PRODUCTS // block))


def parts(weight: Tensor) -> Iterator[tuple[slice, slice]]:
    """Divide the products of a pair.

    weight (Tensor): [n_outputs, G, block, block] float.
    YIELDS (tuple[slice, slice]): Some groups, and some of the heads' columns in them.
    """
    n_groups, n_columns = part_shape(weight)
    for group in range(0, weight.shape[1], n_groups):
        for column in range(0, weight.shape[2], n_columns):
            yield slice(group, group + n_groups), slice(column, column + n_columns)


def row_blocks(end: Tensor, weight: Tensor) -> list[slice]:
    """Divide the pairs.

    end (Tensor): [P, G, block] float. Heads or tails.
    weight (Tensor): [n_outputs, G, block, block] float.
    RETURNS (list[slice]): Pairs whose products are made at once.
    """
    n_groups, n_columns = part_shape(weight)
    items_per_row = min(n_groups, weight.shape[1]) * n_columns * weight.shape[2]
    step = block_rows(items_per_row)
    if end.device.type == "cpu":
        step = max(1, min(step, CACHED_PRODUCTS // items_per_row))
    return [slice(start, start + step) for start in range(0, len(end), step)]


def outer(ends: Sequence[Tensor], rows: slice, groups: slice, columns: slice) -> Tensor:
    """The products of heads' columns and tails, summed over the views.

    ends (Sequence[Tensor]): [P, G, block] float. Heads and tails in turn.
    rows (slice): The pairs.
    groups (slice): The groups.
    columns (slice): The columns of the heads.
    RETURNS (Tensor): [pairs, groups, columns, block] float.
    """
    heads = [head[rows, groups, columns].unsqueeze(3) for head in ends[::2]]
    tails = [tail[rows, groups].unsqueeze(2) for tail in ends[1::2]]
    products = heads[0] * tails[0]
    for head, tail in zip(heads[1:], tails[1:], strict=True):
        products.addcmul_(head, tail)
    return products
