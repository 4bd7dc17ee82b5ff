"""BRAN: bi-affine relation attention, all mention pairs at once (Verga et al., NAACL 2018)."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..encoding import Encoding
from ..layers.blocks import in_blocks
from ..layers.mention_pairs import MentionPairs
from ..layers.segments import segment_logsumexp
from ..objective import PairLoss
from ..torch_head import HeadSizes, TypewiseHead, head_factory


class BRANHead(TypewiseHead):
    """The classifier of BRAN (section 2.2 and 2.3): each mention as a head and as a tail,

        e_i^head = W_1^head relu(W_0^head m_i),  e_j^tail = W_1^tail relu(W_0^tail m_j)

    a bi-affine score of each type for each pair of mentions, and of a pair of entities the
    logsumexp over the pairs of their mentions,

        A_ij^r = e_i^head L_r e_j^tail,  logit_r = log sum_{i in h, j in t} exp(A_ij^r) + b_r

    so that the mention pairs that tell of a relation count, wherever in the text they stand.

    The paper scores tokens, with an encoder of its own (a Transformer with convolutions, within
    abstracts); here the encoder says what the vector of a mention is. Its further loss, that of a
    recogniser, is a component's of its own.

    sizes (HeadSizes): The sizes of encoder and data.
    hidden (int): The width of heads and tails.
    dropout (float): The dropout rate of heads and tails in training.
    loss (PairLoss): The loss, see `PairObjective`. The paper's softmax over the types and "no
        relation" allows one type for each pair; adaptive thresholding is its form for several.
    """

    def __init__(
        self,
        sizes: HeadSizes,
        *,
        hidden: int = 128,
        dropout: float = 0.1,
        loss: PairLoss = "adaptive_threshold",
    ) -> None:
        super().__init__(sizes.n_labels, loss)
        self.ends = nn.ModuleList(
            nn.Sequential(
                nn.Linear(sizes.width, hidden),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Linear(hidden, hidden),
            )
            for _ in range(2)
        )
        self.weight = nn.Parameter(torch.empty(self.n_outputs, hidden, hidden))
        self.bias = nn.Parameter(torch.zeros(self.n_outputs))
        bound = 1 / math.sqrt(hidden)
        nn.init.uniform_(self.weight, -bound, bound)

    @classmethod
    def small_settings(cls) -> dict[str, Any]:
        """See `RelationHead.small_settings`."""
        return {"hidden": 32, "dropout": 0.0}

    @property
    def can_leave_out_pairs(self) -> bool:
        """See `RelationHead.can_leave_out_pairs`."""
        return True

    @property
    def output_bias(self) -> nn.Parameter:
        """See `TypewiseHead.output_bias`."""
        return self.bias

    def logits(self, encoding: Encoding) -> Tensor:
        """encoding (Encoding): The batch.
        RETURNS (Tensor): [P, n_outputs] float. The logits.
        """
        index = encoding.index
        pairs = MentionPairs.of(index)
        head, tail = (index.mentions_by_doc(end(encoding.mention)) for end in self.ends)
        doc = index.mention_doc[pairs.first]
        first, second = index.mention_slot[pairs.first], index.mention_slot[pairs.second]

        def of_types(weight: Tensor) -> Tensor:
            """[R', P] For some of the types."""
            scores = (head[:, None] @ weight) @ tail[:, None].transpose(2, 3)  # [B, R', m, m]
            of_pairs = scores[doc, :, first, second]  # [Q, R']
            return segment_logsumexp(of_pairs, pairs.pair, len(index.pair_head)).T

        n_cells = index.n_docs * index.max_mentions**2 + len(pairs.pair)
        return in_blocks(of_types, self.weight, items_per_row=n_cells).T + self.bias


BRAN = head_factory("bran", BRANHead)
