"""Pairs sorted by the relation types that are asked for."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..encoding import EncodingIndex

# Pairs by types must save so many of a pair's logits for each column of weights that is copied.
WORTHWHILE = 16


class AskedTypes(NamedTuple):
    """Pairs for which the same outputs are asked for.

    rows (Tensor): [G] int64. The pairs.
    columns (Tensor): [C] int64. The outputs.
    """

    rows: Tensor
    columns: Tensor


def asked_types(index: EncodingIndex, n_before: int) -> list[AskedTypes] | None:
    """Sort the candidate pairs by what is asked for. At inference on a CPU alone: a GPU is faster
    with all at once.

    index (EncodingIndex): The batch.
    n_before (int): The outputs before those of the relation types, asked for of each pair.
    RETURNS (Optional[list[AskedTypes]]): The groups, which hold every pair once; None if that is
        not worthwhile or all types are asked for.
    """
    if index.allowed is None or index.allowed.is_cuda or torch.is_grad_enabled():
        return None
    n_labels, n_types, _ = index.allowed.shape
    sets, set_of = index.allowed.flatten(1).T.unique(dim=0, return_inverse=True)
    code = index.entity_type[index.pair_head] * n_types + index.entity_type[index.pair_tail]
    of_pair = set_of[code]
    order = of_pair.argsort(stable=True)
    counts = torch.bincount(of_pair, minlength=len(sets))
    groups, others = [], []
    for rows, asked in zip(order.split(counts.tolist()), sets, strict=True):
        labels = asked.nonzero()[:, 0]
        if len(rows) * (n_labels - len(labels)) > WORTHWHILE * len(labels):
            groups.append(AskedTypes(rows, _columns(labels, n_before)))
        else:
            others.append(rows)
    if not groups:
        return None
    rest = torch.cat(others) if others else order[:0]
    if len(rest):
        labels = torch.arange(n_labels, device=rest.device)
        groups.append(AskedTypes(rest, _columns(labels, n_before)))
    return groups


def _columns(labels: Tensor, n_before: int) -> Tensor:
    before = torch.arange(n_before, device=labels.device)
    return torch.cat([before, labels + n_before])
