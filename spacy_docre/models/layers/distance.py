"""How far apart the entities of a pair are, for embeddings."""

import torch
from torch import Tensor

from ..encoding import EncodingIndex

# Powers of two in each direction: distances of more than 2 ** 8 tokens count as the same.
N_LEVELS = 10
N_BINS = 2 * N_LEVELS


def distance_bins(index: EncodingIndex) -> tuple[Tensor, Tensor]:
    """The signed distance of the first mentions of each pair's entities, in bins (Wang et al.
    2020, GLRE, section 3.4): the sign, and the logarithm to the base 2, rounded up. Entities that
    begin at the same token are in the bin of the distance +1 both ways.

    index (EncodingIndex): The batch.
    RETURNS (tuple[Tensor, Tensor]): [P] int64, in 0..N_BINS - 1. The bin of the distance from the
        head to the tail, and that from the tail to the head.
    """
    farthest = torch.iinfo(torch.int64).max
    first = index.mention_start.new_full((index.n_entities,), farthest)
    first = first.scatter_reduce(0, index.mention_entity, index.mention_start, reduce="amin")
    distance = first[index.pair_tail] - first[index.pair_head]
    powers = 2 ** torch.arange(N_LEVELS - 1, device=distance.device)
    # Exact where a rounded logarithm of a power of two would not be.
    level = torch.bucketize(distance.abs(), powers)
    return level + N_LEVELS * (distance < 0), level + N_LEVELS * (distance > 0)
