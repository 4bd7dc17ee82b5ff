"""A document's pairs of entities as a picture: entities in the order of the text, their pairs laid
out in a square that a convolutional network goes over."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from ..encoding import EncodingIndex
from .convolution import Backbone
from .sentences import entities_in_sentences

Fill = Literal["sliding", "zero", "edge"]

# Documents whose numbers of entities are the same after being rounded up to a multiple of this go
# through the network together: with fewer, larger groups more of the squares would be padding.
ROUND_TO = 8


def in_order_of_mention(index: EncodingIndex) -> EncodingIndex:
    """Give entities their slots by their first mention (PAEE, section 2), where two start at the
    same token by its end. Only entities that tie in both stay in the order of the clusters.

    index (EncodingIndex): The indices of a batch.
    RETURNS (EncodingIndex): The same with other slots, of which there is at least one.
    """
    first = torch.zeros_like(index.entity_doc).scatter_reduce(
        0, index.mention_entity, index.mention_place, reduce="amin", include_self=False
    )
    place = first.argsort(stable=True).argsort()
    n_before = torch.bincount(index.entity_doc, minlength=index.n_docs).cumsum(0)
    n_before = torch.nn.functional.pad(n_before, (1, 0))
    return replace(
        index,
        entity_slot=place - n_before[index.entity_doc],
        max_entities=max(1, index.max_entities),
    )


def shares_sentence(index: EncodingIndex) -> Tensor:
    """Whether two entities are mentioned in the same sentence.

    index (EncodingIndex): The indices of a batch.
    RETURNS (Tensor): [B, n, n] bool. By the slots of both.
    """
    present = entities_in_sentences(index).float()
    return present @ present.transpose(1, 2) > 0


class PairMap(nn.Module):
    """Lays the matrix of a document's pairs out in a square and runs a network over it.

    The square has `size` rows, or as many as the document has entities if these are more. What the
    network gives for a document does therefore not depend on the documents beside it.

    backbone (Backbone): The network.
    size (int): The rows of the square, N.
    fill (str): What is in the rest of the square: the matrix again and again ("sliding": PAEE's
        Sliding Window Filling, V'[i, j] = V[i mod n, j mod n]), zeros ("zero"), or the last row
        and column again ("edge": DocuNet's code, which repeats the last entity).
    """

    def __init__(self, backbone: Backbone, *, size: int, fill: Fill) -> None:
        super().__init__()
        self.backbone = backbone
        self.size = size
        self.fill = fill

    def forward(self, cells: Tensor, counts: Tensor) -> Tensor:
        """cells (Tensor): [B, n, n, C] float. The matrices of pairs, n > 0.
        counts (Tensor): [B] int64. The number of entities of each document.
        RETURNS (Tensor): [B, n, n, C'] What the network gives, for the pairs that a document has.
        """
        n = cells.shape[1]
        # Documents of about the same size go together. One with more entities than the square has
        # rows has a border of its own, and can go with its like only.
        rounded = (counts + (ROUND_TO - 1)).div(ROUND_TO, rounding_mode="floor") * ROUND_TO
        sides = torch.where(counts > self.size, counts, rounded.clamp(max=self.size))
        parts, owners = [], []
        for side in sides.unique().tolist():
            docs = (sides == side).nonzero()[:, 0]
            most = min(max(1, side), n)
            part = self._run(cells[docs, :most, :most], counts[docs], max(side, self.size))
            parts.append(nn.functional.pad(part, (0, 0, 0, n - most, 0, n - most)))
            owners.append(docs)
        return torch.cat(parts)[torch.cat(owners).argsort()]

    def _run(self, cells: Tensor, counts: Tensor, side: int) -> Tensor:
        n = cells.shape[1]
        size = min(side, self.backbone.reach(n))
        square = fill_square(cells, counts, size, self.fill).movedim(-1, 1)
        filled = n if self.fill == "zero" else size
        return self.backbone(square, counts, n, filled).movedim(1, -1)


def fill_square(cells: Tensor, counts: Tensor, size: int, fill: Fill) -> Tensor:
    """Fill squares from the matrices of pairs.

    cells (Tensor): [B, n, n, C] float. The matrices.
    counts (Tensor): [B] int64. The rows that each document has.
    size (int): The rows of the squares.
    fill (str): "sliding", "zero" or "edge".
    RETURNS (Tensor): [B, size, size, C]
    """
    n_docs, n = cells.shape[:2]
    rows = torch.arange(size, device=cells.device)
    n_rows = counts.clamp(min=1)[:, None]
    source = torch.minimum(rows, n_rows - 1) if fill == "edge" else rows % n_rows  # [B, size]
    first = torch.arange(n_docs, device=cells.device)[:, None, None] * n
    source = (first + source[:, :, None]) * n + source[:, None, :]
    square = cells.flatten(0, 2).index_select(0, source.flatten()).unflatten(0, source.shape)
    if fill != "zero":
        return square
    is_own = rows < counts[:, None]
    return square * (is_own[:, :, None] & is_own[:, None, :])[..., None]
