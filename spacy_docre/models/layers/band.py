"""Convolutions over squares of which a band of rows and columns is all the same, as in the empty
part of a picture of pairs."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .convolution import half


@dataclass(frozen=True)
class Band:
    """The rows of a square that are all the same, as are its columns of these numbers.

    start (int): The first.
    stop (int): The first that is not one of them any more.
    """

    start: int
    stop: int

    def pooled(self) -> "Band":
        """RETURNS (Band): The same rows at half the resolution."""
        return Band(half(self.start), self.stop // 2)

    def apply(
        self, layer: Callable[[Tensor], Tensor], square: Tensor, radius: int
    ) -> tuple[Tensor, "Band"]:
        """Compute what convolutions give for a square, but for its equal rows only once. Nothing
        else tells one place of the band from another, so the result is the whole square's.

        layer (Callable[[Tensor], Tensor]): The convolutions, which keep the size.
        square (Tensor): [G, C, s, s] float. The squares.
        radius (int): Cells to each side that a cell of the result depends on.
        RETURNS (tuple[Tensor, Band]): [G, C', s, s], the result, and its own equal rows.
        """
        after = Band(self.start + radius, self.stop - radius)
        first = after.start + radius + 1
        if first >= self.stop:
            return layer(square), after
        for dim in (2, 3):
            parts = square.tensor_split([first, self.stop], dim)
            square = torch.cat([parts[0], parts[2]], dim)
        result = layer(square)
        for dim in (2, 3):
            before, same, behind = result.tensor_split([after.start, after.start + 1], dim)
            shape = list(same.shape)
            shape[dim] = after.stop - after.start
            result = torch.cat([before, same.expand(shape), behind], dim)
        return result, after
