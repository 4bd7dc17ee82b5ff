"""Linear layers over what entities and their distance say of a pair, without a vector for each."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import linear


@dataclass(frozen=True)
class PairTables:
    """A linear layer of the pairs' vectors z = [x_h; D(d_ht); y_t; D(d_th)], of which each part is
    taken once for each entity or distance: a pair is the sum of a row of each table.

    head (Tensor): [N, n] float. The part of x, with the bias.
    forth (Tensor): [K, n] float. That of the distances from head to tail.
    tail (Tensor): [N, n] float. That of y.
    back (Tensor): [K, n] float. That of the distances from tail to head.
    """

    head: Tensor
    forth: Tensor
    tail: Tensor
    back: Tensor

    @classmethod
    def of(cls, layer: nn.Linear, head: Tensor, tail: Tensor, distance: Tensor) -> "PairTables":
        """layer (nn.Linear): The layer, from 2 (d + w).
        head (Tensor): [N, d] float. The entities as heads, x.
        tail (Tensor): [N, d] float. As tails, y.
        distance (Tensor): [K, w] float. The embeddings D.
        RETURNS (PairTables): The tables.
        """
        parts = (head, distance, tail, distance)
        weights = layer.weight.split([part.shape[1] for part in parts], dim=1)
        first, *others = (linear(part, weight) for part, weight in zip(parts, weights, strict=True))
        return cls(first + layer.bias, *others)

    def rows(self, key: Tensor) -> Tensor:
        """key (Tensor): [P, 4] int64. The head, the distance from it to the tail, the tail, and the
            distance back.
        RETURNS (Tensor): [P, n] float. What the layer makes of the pairs.
        """
        head, forth, tail, back = key.unbind(dim=1)
        return self.head[head] + self.forth[forth] + self.tail[tail] + self.back[back]
