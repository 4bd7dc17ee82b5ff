"""Mentions that learn from a picture of all mention pairs."""

import torch
from torch import Tensor, nn

from .convolution import convolution

# The slope of leaky ReLUs below zero.
SLOPE = 0.1


class MentionPredictor(nn.Module):
    """A layer of MRN (Li et al. 2021), as in the authors' code: convolutions over the matrix of a
    document's mention pairs, in the order of the text, say how much mentions as heads x and as
    tails y attend to each other,

        F' = conv3x3(conv1x1([x_i; y_j; F_ij])),  s = W_s F'
        x_i' = x_i + softmax_j(s_ij) W_2 y_j + W_1 x_i
        y_j' = y_j + softmax_i(s_ij) W_1 x_i + W_2 y_j

    with a leaky ReLU behind each convolution, s and the sums that are added.

    width (int): The width of a mention.
    n_inputs (int): The channels of F.
    channels (int): The channels of F'.
    dropout (float): The dropout rate of mentions and of whole channels, in training.
    """

    def __init__(self, width: int, n_inputs: int, channels: int, dropout: float) -> None:
        super().__init__()
        self.of_head = nn.Linear(width, width, bias=False)
        self.of_tail = nn.Linear(width, width, bias=False)
        # The 1 x 1 convolution, divided: what depends on one mention is computed once for it.
        self.head_channels = nn.Linear(width, channels)
        self.tail_channels = nn.Linear(width, channels, bias=False)
        self.map_channels = nn.Linear(n_inputs, channels, bias=False)
        self.near = convolution(channels, channels)
        self.score = nn.Linear(channels, 1, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, head: Tensor, tail: Tensor, cells: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """head (Tensor): [m, d] float. A document's mentions as heads.
        tail (Tensor): [m, d] float. As tails.
        cells (Tensor): [m, m, C] float. What is known of their pairs.
        RETURNS (tuple[Tensor, Tensor, Tensor]): [m, d], [m, d] and [m, m, C'] What they become.
        """
        kept = (
            self.dropout(vectors.new_ones(vectors.shape[-1])) for vectors in (head, tail, cells)
        )
        x, y, f = (vectors * mask for vectors, mask in zip((head, tail, cells), kept, strict=True))
        cells = self.head_channels(x)[:, None] + self.tail_channels(y) + self.map_channels(f)
        cells = _leaky(cells).permute(2, 0, 1)[None]
        cells = _leaky(self.near(cells))[0].permute(1, 2, 0)
        scores = _leaky(self.score(cells))[..., 0]
        x, y = self.of_head(self.dropout(head)), self.of_tail(self.dropout(tail))
        new_head = head + _leaky(torch.softmax(scores, dim=1) @ y + x)
        new_tail = tail + _leaky(torch.softmax(scores, dim=0).T @ x + y)
        return new_head, new_tail, cells


def _leaky(values: Tensor) -> Tensor:
    return nn.functional.leaky_relu(values, SLOPE)
