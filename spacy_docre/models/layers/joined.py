"""Entities joined with what is known of their pair."""

import torch
from torch import Tensor, nn


def joined(projection: nn.Linear, entity: Tensor, of_pair: Tensor, pair: Tensor) -> Tensor:
    """tanh(W [e; c] + b) for one entity of each pair (Zhou et al. 2021, ATLOP, equations 12, 13).
    W [e; c] = W_e e + W_c c: the entity's part is computed once for each entity, not for each of
    the pairs that it is in.

    projection (nn.Linear): W and b, from d + c to h.
    entity (Tensor): [N, d] float. The entities.
    of_pair (Tensor): [P] int64. The entity of each pair.
    pair (Tensor): [P, c] float. What joins it: the pair's context or feature.
    RETURNS (Tensor): [P, h] float.
    """
    for_entity, for_pair = projection.weight.split([entity.shape[1], pair.shape[1]], dim=1)
    projected = nn.functional.linear(entity, for_entity, projection.bias)
    return torch.tanh(projected[of_pair] + nn.functional.linear(pair, for_pair))
