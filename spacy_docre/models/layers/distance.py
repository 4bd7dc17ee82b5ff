"""How far apart the entities of a pair are, for embeddings."""

import torch
from torch import Tensor, nn

from ..encoding import EncodingIndex

# Powers of two in each direction: distances of more than 2 ** 8 tokens count as the same.
N_LEVELS = 10
N_BINS = 2 * N_LEVELS

# The standard deviation of embeddings at the start. With PyTorch's, 1, what is told by the distance
# and by the kind of a node would drown what is told by the words.
START = 0.1


def small_embedding(n: int, width: int) -> nn.Embedding:
    """n (int): The number of embeddings.
    width (int): Their width.
    RETURNS (nn.Embedding): Embeddings that start near zero, see START.
    """
    embedding = nn.Embedding(n, width)
    nn.init.normal_(embedding.weight, std=START)
    return embedding


class DistanceEmbedding(nn.Embedding):
    """Embeddings of the bins of `distance_bins`.

    width (int): Their width.
    zero (bool): Whether the distance of zero has an embedding of its own.
    """

    def __init__(self, width: int, *, zero: bool = False) -> None:
        super().__init__(N_BINS + zero, width)
        nn.init.normal_(self.weight, std=START)
        self.zero = zero

    def of_pairs(self, index: EncodingIndex) -> tuple[Tensor, Tensor]:
        """index (EncodingIndex): The batch.
        RETURNS (tuple[Tensor, Tensor]): [P, width] float. The embeddings of the distance from the
            head to the tail, and of that from the tail to the head.
        """
        forth, back = distance_bins(index, zero=self.zero)
        return self(forth), self(back)


def distance_bins(index: EncodingIndex, *, zero: bool = False) -> tuple[Tensor, Tensor]:
    """The signed distance of the first mentions of each pair's entities, in bins (Wang et al.
    2020, GLRE, section 3.4): the sign, and the logarithm to the base 2, rounded up. Entities that
    begin at the same token are in the bin of the distance +1 both ways, or in one of their own.

    index (EncodingIndex): The batch.
    zero (bool): Whether the distance of zero is in the bin N_BINS.
    RETURNS (tuple[Tensor, Tensor]): [P] int64, in 0..N_BINS. The bin of the distance from the
        head to the tail, and that from the tail to the head.
    """
    first = index.entity_start
    distance = first[index.pair_tail] - first[index.pair_head]
    bins = (signed_bins(distance), signed_bins(-distance))
    if not zero:
        return bins
    return bins[0].where(distance != 0, N_BINS), bins[1].where(distance != 0, N_BINS)


def signed_bins(distance: Tensor) -> Tensor:
    """Distances in bins, as in `distance_bins`: those below zero come after the others.

    distance (Tensor): [...] int64. The distances.
    RETURNS (Tensor): [...] int64, in 0..N_BINS - 1.
    """
    return levels(distance) + N_LEVELS * (distance < 0)


def levels(distance: Tensor) -> Tensor:
    """The logarithms of distances to the base 2, rounded up.

    distance (Tensor): [...] int64. The distances, whatever their sign.
    RETURNS (Tensor): [...] int64, in 0..N_LEVELS - 1.
    """
    # Exact where a rounded logarithm of a power of two would not be.
    powers = 2 ** torch.arange(N_LEVELS - 1, device=distance.device)
    return torch.bucketize(distance.abs(), powers)
