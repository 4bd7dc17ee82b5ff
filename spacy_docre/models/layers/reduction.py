"""Vectors reduced to a width at which full bilinear forms are affordable."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from ..encoding import Encoding
from .pooling import mention_means

Reduced = Literal["mentions", "words"]


def reduce_vectors(reduction: nn.Linear | None, vectors: Tensor) -> Tensor:
    """A linear layer and ReLU.

    reduction (Optional[nn.Linear]): The layer; None leaves the vectors as they are.
    vectors (Tensor): [..., d] float.
    RETURNS (Tensor): [..., reduced width] The reduced vectors.
    """
    return vectors if reduction is None else torch.relu(reduction(vectors))


def reduced_mentions(encoding: Encoding, reduction: nn.Linear | None, of: Reduced) -> Tensor:
    """Mentions of a smaller width.

    encoding (Encoding): The batch.
    reduction (Optional[nn.Linear]): The layer that reduces, see `reduce_vectors`.
    of (Reduced): What is reduced: "mentions", the encoder's vectors of mentions; or "words", the
        vectors of all words, of which a mention is then the mean, as in the public code of Yao et
        al. (2019), SSAN and RSMAN.
    RETURNS (Tensor): [M, reduced width] The mentions.
    """
    if of == "mentions":
        return reduce_vectors(reduction, encoding.mention)
    words = reduce_vectors(reduction, encoding.tokens)
    return mention_means(replace(encoding, tokens=words))
