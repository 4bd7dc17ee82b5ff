"""U-Net (Ronneberger et al. 2015) over the matrix of a document's pairs of entities."""

import torch
from torch import Tensor, nn

from .band import Band
from .convolution import Backbone, ChannelNorm, convolution, half


class UNet(Backbone):
    """The U-shaped network of DocuNet (Zhang et al., IJCAI 2021, section 3.3): twice down to half
    the resolution and twice as many channels at first, twice up by a deconvolution, with what was
    there on the way down beside it.

    For a base of c channels, the widths are c, 2c, 2c down and c, c / 2 up. In place of batch
    normalisation, cells are normalised over their channels (`ChannelNorm`), so that a document's
    result does not depend on the others in its batch. On the way down, the empty part of the
    squares is computed once and not for each of its cells; on the way up, only what the wanted
    corner depends on is computed.

    n_inputs (int): The number of channels of the squares.
    n_outputs (int): The number of channels of the result.
    base (int): The number of channels at full resolution.
    """

    def __init__(self, n_inputs: int, n_outputs: int, base: int) -> None:
        super().__init__()
        self.enter = DoubleConvolution(n_inputs, base)
        self.down1 = DoubleConvolution(base, 2 * base)
        self.down2 = DoubleConvolution(2 * base, 2 * base)
        self.up1 = Up(2 * base, 2 * base, base)
        self.up2 = Up(base, base, max(1, base // 2))
        self.output = nn.Conv2d(max(1, base // 2), n_outputs, 1)

    def reach(self, n: int) -> int:
        """See `Backbone.reach`."""
        lowest = half(self._middle(n) + RADIUS) + RADIUS
        return 2 * (2 * lowest + RADIUS) + RADIUS

    def forward(self, square: Tensor, counts: Tensor, n: int, filled: int) -> Tensor:
        """See `Backbone.forward`."""
        full, band = Band(filled, square.shape[2]).apply(self.enter, square, RADIUS)
        middle, band = band.pooled().apply(self.down1, halved(full), RADIUS)
        lowest, _ = band.pooled().apply(self.down2, halved(middle), RADIUS)
        middle = self.up1(lowest, middle, self._middle(n))
        return self.output(self.up2(middle, full, n))

    @staticmethod
    def _middle(n: int) -> int:
        """The rows at half resolution that n rows of the result depend on."""
        return half(n + RADIUS)


# Cells to each side that a cell of a double convolution depends on.
RADIUS = 2


def halved(square: Tensor) -> Tensor:
    """The largest of each 2 x 2 cells.

    square (Tensor): [G, C, s, s] float.
    RETURNS (Tensor): [G, C, s / 2, s / 2], s / 2 rounded up.
    """
    return nn.functional.max_pool2d(square, 2, ceil_mode=True)


class DoubleConvolution(nn.Sequential):
    """Two 3 x 3 convolutions, each normalised and rectified.

    n_inputs (int): The number of channels of the squares.
    n_outputs (int): The number of channels of the result.
    """

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__(
            convolution(n_inputs, n_outputs),
            ChannelNorm(n_outputs),
            nn.ReLU(),
            convolution(n_outputs, n_outputs),
            ChannelNorm(n_outputs),
            nn.ReLU(),
        )


class Up(nn.Module):
    """A deconvolution to twice the resolution, and a double convolution of that and of what the
    way down left at the resolution.

    n_inputs (int): The number of channels at the lower resolution.
    n_skipped (int): The number of channels that the way down left.
    n_outputs (int): The number of channels of the result.
    """

    def __init__(self, n_inputs: int, n_skipped: int, n_outputs: int) -> None:
        super().__init__()
        self.deconvolution = nn.ConvTranspose2d(n_inputs, n_skipped, 2, stride=2)
        self.convolutions = DoubleConvolution(2 * n_skipped, n_outputs)

    def forward(self, lower: Tensor, skipped: Tensor, n: int) -> Tensor:
        """lower (Tensor): [G, C, s', s'] float. The squares at half the resolution.
        skipped (Tensor): [G, C', s, s] float. What the way down left.
        n (int): The rows and columns that are wanted, at most s.
        RETURNS (Tensor): [G, C'', n, n]
        """
        size = min(n + RADIUS, skipped.shape[2])
        lower = lower[:, :, : half(size), : half(size)]
        raised = self.deconvolution(lower)[:, :, :size, :size]
        joined = torch.cat([skipped[:, :, :size, :size], raised], dim=1)
        return self.convolutions(joined)[:, :, :n, :n]
