"""TNet, a network that looks closely only where it pays, over the matrix of pairs of entities."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from .blocks import in_blocks
from .convolution import Backbone, ChannelNorm, Readout, ResidualBlock, double, half

Selection = Literal["straight_through", "soft"]


class TNet(Backbone):
    """PAEE (Huang et al. 2022, section 2.2, equation 4) applies TNet, the Traversal Network of
    Papadopoulos et al. (2021), to the matrix of pairs without saying how. TNet is made for images:
    it looks at a picture at low resolution and picks places to look at again more closely.

    This is our reading of it as a map over all pairs. The matrix at half resolution (means of 2 x 2
    cells) goes through a residual block; from each cell of the result comes a score. The best cells
    of the document's own n x n corner are looked at closely: their four cells get a 3 x 3
    convolution at full resolution. Each cell of the result is the sum of what came in (`skip`), of
    the coarse result, and of the close look if there was one.

    The original learns by REINFORCE where to look; here the score has the gradient that it would
    have as a factor of the close look (straight-through), or is that factor ("soft").

    channels (int): The number of channels of the squares and within.
    n_outputs (int): The number of channels of the result.
    fine_share (float): The share of cells that get a close look, rounded up.
    selection (str): "straight_through" or "soft".
    skip (bool): Whether the cells of the square are added to the result. Without them, cells that
        get no close look differ from their three neighbours in nothing.
    """

    def __init__(
        self,
        channels: int,
        n_outputs: int,
        *,
        fine_share: float = 0.5,
        selection: Selection = "straight_through",
        skip: bool = True,
    ) -> None:
        super().__init__()
        self.skip = skip
        self.fine_share = fine_share
        self.selection = selection
        self.coarse = ResidualBlock(channels)
        self.score = nn.Conv2d(channels, 1, 1)
        self.fine_norm = ChannelNorm(channels)
        self.fine = nn.Linear(9 * channels, channels)
        self.output = Readout(channels, n_outputs)

    def reach(self, n: int) -> int:
        """See `Backbone.reach`. The last row is looked at together with the one after it."""
        return 2 * (half(n + 1) + ResidualBlock.RADIUS)

    def forward(self, square: Tensor, counts: Tensor, n: int, filled: int) -> Tensor:
        """See `Backbone.forward`."""
        pooled = nn.functional.avg_pool2d(square, 2, ceil_mode=True, count_include_pad=False)
        coarse = self.coarse(pooled)
        score = self.score(coarse)[:, 0, : half(n), : half(n)]
        size = min(n + 1, square.shape[2])
        doubled = double(coarse, size)
        view = torch.relu(self.fine_norm(square[:, :, :size, :size] + doubled))
        view = nn.functional.pad(view, (1, n + 1 - size, 1, n + 1 - size)).movedim(1, -1)
        result = doubled[:, :, :n, :n]
        if self.skip:
            result = result + square[:, :, :n, :n]
        result = result.movedim(1, -1)  # [G, n, n, C]
        return self.output(self._look(view, result, score, counts).movedim(-1, 1))

    def _look(self, view: Tensor, result: Tensor, score: Tensor, counts: Tensor) -> Tensor:
        """Add the close look, at the cells that deserve it, to the coarse result."""
        n, width = result.shape[1], view.shape[2]
        rows = torch.arange(n, device=view.device)
        is_own = rows < counts[:, None]
        picked = best_cells(score, (counts + 1) // 2, self.fine_share)[:, rows // 2][..., rows // 2]
        doc, row, column = (picked & is_own[:, :, None] & is_own[:, None]).nonzero().unbind(1)
        offsets = torch.arange(3, device=view.device)
        offsets = (offsets[:, None] * width + offsets).flatten()
        neighbours = ((doc * width + row) * width + column)[:, None] + offsets
        close = self._convolve(view.flatten(0, 2), neighbours)
        gate = torch.sigmoid(score[doc, row // 2, column // 2])
        if self.selection == "straight_through":
            gate = 1 + gate - gate.detach() if self.training else torch.ones_like(gate)
        cell = (doc * n + row) * n + column
        looked = (gate[:, None] * close).to(result.dtype)
        return result.flatten(0, 2).index_add(0, cell, looked).view(result.shape)

    def _convolve(self, cells: Tensor, neighbours: Tensor) -> Tensor:
        """The convolution at some cells.

        cells (Tensor): [c, C] float. All cells, border included.
        neighbours (Tensor): [T, 9] int64. The cells that each of the chosen ones sees.
        RETURNS (Tensor): [T, C]
        """
        width = self.fine.in_features

        def convolve(neighbours: Tensor) -> Tensor:
            return self.fine(cells.index_select(0, neighbours.flatten()).view(-1, width))

        return in_blocks(convolve, neighbours, items_per_row=width)


def best_cells(score: Tensor, counts: Tensor, share: float) -> Tensor:
    """The cells with the highest scores in the corner of each square that its document fills.

    score (Tensor): [G, s, s] float. The scores.
    counts (Tensor): [G] int64. The rows and columns that each document fills.
    share (float): The share of a document's cells that is chosen, rounded up.
    RETURNS (Tensor): [G, s, s] bool.
    """
    is_own = torch.arange(score.shape[1], device=score.device) < counts[:, None]
    is_own = is_own[:, :, None] & is_own[:, None]
    ranked = score.masked_fill(~is_own, -math.inf).flatten(1)
    rank = ranked.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    n_best = (share * counts.square()).ceil()
    return (rank < n_best[:, None]).view(score.shape) & is_own
