"""Computations over pairs in blocks, so that documents with hundreds of entities fit in memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

# 128 MB in single precision. A few tensors of that size exist at once.
MAX_BLOCK_ITEMS = 2**25

# In training, so many blocks are rather kept than computed again.
KEPT_BLOCKS = 4

_max_items: ContextVar[int] = ContextVar("max_block_items", default=MAX_BLOCK_ITEMS)


@contextmanager
def block_limit(max_items: int) -> Iterator[None]:
    """Set how much the forward passes within compute at once; their backward passes, whenever they
    come, go by the same limit.

    max_items (int): The most numbers of an intermediate tensor, at least 1.
    """
    token = _max_items.set(max_items)
    try:
        yield
    finally:
        _max_items.reset(token)


def block_rows(items_per_row: int) -> int:
    """How many rows to compute at once.

    items_per_row (int): The numbers that the largest intermediate tensor has for each row.
    RETURNS (int): At least 1, also where that is more than the limit.
    """
    return max(1, _max_items.get() // max(1, items_per_row))


def in_blocks(
    function: Callable[..., Tensor], *inputs: Tensor, items_per_row: int, dim: int = 0
) -> Tensor:
    """Apply a function whose result has a row for each row of its inputs, block by block, if its
    intermediate tensors would have more items than the limit. If there are more than a few blocks,
    the backward pass computes each of them again, so that never more than one is held.

    function (Callable[..., Tensor]): The function. It must not depend on random numbers.
    *inputs (Tensor): The tensors that are divided. Whatever else the function reads is not.
    items_per_row (int): The numbers that the largest intermediate tensor has for each row.
    dim (int): The dimension of the rows, in the inputs and in the result.
    RETURNS (Tensor): The result.
    """
    rows = block_rows(items_per_row)
    if inputs[0].shape[dim] <= rows:
        return function(*inputs)
    blocks = list(zip(*(tensor.split(rows, dim) for tensor in inputs), strict=True))
    if not torch.is_grad_enabled() or len(blocks) <= KEPT_BLOCKS:
        return torch.cat([function(*block) for block in blocks], dim)
    results = [
        checkpoint(function, *block, use_reentrant=False, preserve_rng_state=False)
        for block in blocks
    ]
    return torch.cat(results, dim)
