"""The classifier of mention pairs."""

from typing import Literal

import torch
from torch import Tensor, nn

from ..encoding import Encoding
from .grouped_bilinear import GroupedBilinear
from .mention_context import project_contexts
from .mention_pairs import MentionPairs

HeadSum = Literal["sum", "mean"]


class MentionPairClassifier(nn.Linear):
    """A linear layer over the vectors of two mentions and of their context, x_ij = [h_i; h_j; c_ij]
    (Jiang et al. 2022, KMGRE, section 3.1, equations 4 to 8).

    Such a layer adds up what it sees of each mention and cannot tell which head goes with which
    tail. With a `bilinear` width, which the paper does not have, a grouped bilinear form of
    tanh(W_h h_i) and tanh(W_t h_j) is added.

    width (int): The width d of the encoder.
    n_outputs (int): The number of logits.
    context (str): Over the attention heads, the context c_ij is the "sum" (equation 4) or the
        "mean", which is smaller by the number of heads.
    bilinear (int): The width of the bilinear form, a multiple of `block`; 0 for none.
    block (int): Its block size.
    """

    def __init__(
        self, width: int, n_outputs: int, *, context: HeadSum, bilinear: int = 0, block: int = 64
    ) -> None:
        super().__init__(3 * width, n_outputs)
        self.context = context
        self.interaction: GroupedBilinear | None = None
        if bilinear:
            self.head_projection = nn.Linear(width, bilinear)
            self.tail_projection = nn.Linear(width, bilinear)
            self.interaction = GroupedBilinear(bilinear, n_outputs, block)

    def classify(self, encoding: Encoding, pairs: MentionPairs) -> Tensor:
        """encoding (Encoding): The batch.
        pairs (MentionPairs): Its mention pairs.
        RETURNS (Tensor): [Q, n_outputs] The logits of each.
        """
        # W [h_i; h_j; c_ij] = W_1 h_i + W_2 h_j + W_3 c_ij: the mentions' parts are computed once
        # for each mention, not for each of the mention pairs that it is in.
        mention = encoding.mention
        first, second, context = self.weight.split(mention.shape[1], dim=1)
        if self.context == "mean":
            context = context / len(encoding.attention)
        head = nn.functional.linear(mention, first, self.bias)
        tail = nn.functional.linear(mention, second)
        output = project_contexts(encoding, context, pairs)
        output = output + head.index_select(0, pairs.first) + tail.index_select(0, pairs.second)
        if self.interaction is None:
            return output
        heads = torch.tanh(self.head_projection(mention)).index_select(0, pairs.first)
        tails = torch.tanh(self.tail_projection(mention)).index_select(0, pairs.second)
        return output + self.interaction(heads, tails)
