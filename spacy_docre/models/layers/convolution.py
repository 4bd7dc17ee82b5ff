"""Convolutions over the matrix of a document's pairs of entities."""

import torch
from torch import Tensor, nn


class Backbone(nn.Module):
    """Base class of the networks over squares of pairs. A square's upper left corner is what is
    wanted of the result; the network says how much of the square that corner depends on, so that
    no more needs to be computed."""

    def reach(self, n: int) -> int:
        """How many rows and columns of a boundless square the first n rows and columns of the
        result depend on.

        n (int): The rows and columns that are wanted.
        RETURNS (int): The rows and columns that are needed.
        """
        raise NotImplementedError

    def forward(self, square: Tensor, counts: Tensor, n: int, filled: int) -> Tensor:
        """square (Tensor): [G, C, S, S] float. The squares; S is either `reach(n)` or all there is,
            and then the squares end in zeros.
        counts (Tensor): [G] int64. The number of entities of each document.
        n (int): The rows and columns that are wanted, at most S.
        filled (int): The rows and columns beyond which all is zero, at most S.
        RETURNS (Tensor): [G, C', n, n]
        """
        raise NotImplementedError


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each cell by itself, so that a cell's value depends
    neither on the other documents of a batch nor on the size of the square."""

    def forward(self, input: Tensor) -> Tensor:
        """input (Tensor): [G, C, S, S] float.
        RETURNS (Tensor): [G, C, S, S]
        """
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


def convolution(n_inputs: int, n_outputs: int) -> nn.Conv2d:
    """A 3 x 3 convolution that keeps the size, with zeros beyond the border."""
    return nn.Conv2d(n_inputs, n_outputs, 3, padding=1)


class ResidualBlock(nn.Module):
    """Two convolutions beside the identity, normalised before each.

    channels (int): The number of channels.
    """

    # Cells to each side that a cell of the result depends on.
    RADIUS = 2

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ChannelNorm(channels),
            nn.ReLU(),
            convolution(channels, channels),
            ChannelNorm(channels),
            nn.ReLU(),
            convolution(channels, channels),
        )

    def forward(self, square: Tensor) -> Tensor:
        """square (Tensor): [G, C, S, S] float.
        RETURNS (Tensor): [G, C, S, S]
        """
        return square + self.layers(square)


class ConvStack(Backbone):
    """Residual blocks at full resolution: the plain alternative to `TNet` and `UNet`.

    channels (int): The number of channels of the squares and within.
    n_outputs (int): The number of channels of the result.
    depth (int): The number of residual blocks.
    """

    def __init__(self, channels: int, n_outputs: int, depth: int = 1) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ResidualBlock(channels) for _ in range(depth))
        self.output = Readout(channels, n_outputs)

    def reach(self, n: int) -> int:
        """See `Backbone.reach`."""
        return n + ResidualBlock.RADIUS * len(self.blocks)

    def forward(self, square: Tensor, counts: Tensor, n: int, filled: int) -> Tensor:
        """See `Backbone.forward`."""
        for block in self.blocks:
            square = block(square)
        return self.output(square[:, :, :n, :n])


class Readout(nn.Module):
    """The last layer of a backbone: each cell by itself.

    channels (int): The number of channels of the network.
    n_outputs (int): The number of channels of the result.
    """

    def __init__(self, channels: int, n_outputs: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.projection = nn.Conv2d(channels, n_outputs, 1)

    def forward(self, square: Tensor) -> Tensor:
        """square (Tensor): [G, C, n, n] float.
        RETURNS (Tensor): [G, C', n, n]
        """
        return self.projection(torch.relu(self.norm(square)))


def half(n: int) -> int:
    """The size of a square of n rows at half resolution."""
    return (n + 1) // 2


def double(square: Tensor, n: int) -> Tensor:
    """Repeat each cell in two rows and two columns.

    square (Tensor): [G, C, s, s] float.
    n (int): The rows and columns that are wanted, at most 2 s.
    RETURNS (Tensor): [G, C, n, n]
    """
    return nn.functional.interpolate(square, scale_factor=2)[:, :, :n, :n]
