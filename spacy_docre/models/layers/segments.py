"""Reductions over ragged segments: rows of a flat tensor that belong to the same entity,
document, ... by an index vector. The cost is one pass, whatever the sizes of the segments."""

import torch
from torch import Tensor


def segment_sum(values: Tensor, segment: Tensor, n_segments: int) -> Tensor:
    """Sum the rows of each segment.

    values (Tensor): [M, ...] float.
    segment (Tensor): [M] int64. The segment of each row.
    n_segments (int): The number of segments, N.
    RETURNS (Tensor): [N, ...] The sums; zero for an empty segment.
    """
    return values.new_zeros(n_segments, *values.shape[1:]).index_add(0, segment, values)


def segment_mean(values: Tensor, segment: Tensor, n_segments: int) -> Tensor:
    """Average the rows of each segment; shapes as in `segment_sum`."""
    counts = torch.bincount(segment, minlength=n_segments).clamp(min=1)
    counts = counts.to(values.dtype).reshape(-1, *[1] * (values.dim() - 1))
    return segment_sum(values, segment, n_segments) / counts


def segment_max(values: Tensor, segment: Tensor, n_segments: int) -> Tensor:
    """The maximum over the rows of each segment, element by element; shapes as in `segment_sum`."""
    index = segment.reshape(-1, *[1] * (values.dim() - 1)).expand_as(values)
    empty = values.new_zeros(n_segments, *values.shape[1:])
    return empty.scatter_reduce(0, index, values, reduce="amax", include_self=False)


def segment_logsumexp(values: Tensor, segment: Tensor, n_segments: int) -> Tensor:
    """The logarithm of the sum of exponentials of the rows of each segment, element by element.

    values (Tensor): [M, d] float.
    segment (Tensor): [M] int64. The segment of each row.
    n_segments (int): The number of segments, N.
    RETURNS (Tensor): [N, d] Minus infinity for an empty segment.
    """
    highest = segment_max(values.detach(), segment, n_segments)
    shifted = torch.exp(values - highest.index_select(0, segment))
    return torch.log(segment_sum(shifted, segment, n_segments)) + highest


def segment_softmax(values: Tensor, segment: Tensor, n_segments: int) -> Tensor:
    """Softmax over the rows of each segment, column by column.

    values (Tensor): [M, d] float.
    segment (Tensor): [M] int64. The segment of each row.
    n_segments (int): The number of segments, N.
    RETURNS (Tensor): [M, d] Sums to 1 over each segment.
    """
    total = segment_logsumexp(values, segment, n_segments)
    return torch.exp(values - total.index_select(0, segment))
