"""DocuNet: document-level relation extraction as semantic segmentation (Zhang et al., IJCAI
2021)."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ..encoding import Encoding, HeadOutput
from ..evidence import LocalizedHead
from ..layers.asked_types import asked_types
from ..layers.context import context_matrix, localized_weights
from ..layers.grouped_bilinear import GroupedBilinear
from ..layers.joined import joined
from ..layers.pair_map import Fill, PairMap, in_order_of_mention
from ..layers.segments import segment_logsumexp
from ..layers.unet import UNet
from ..objective import PairLoss, PairObjective
from ..torch_head import HeadSizes, head_factory


class DocuNetHead(LocalizedHead):
    """The classifier of DocuNet.

    The localized contexts of all pairs of a document (as in ATLOP) are a picture of N x N cells,
    reduced to a few channels. A U-Net makes of it the feature Y_ht of each pair, which joins each
    of its entities,

        z_h = tanh(W_h [e_h; Y_ht]),  z_t = tanh(W_t [e_t; Y_ht])

    and a grouped bilinear form gives a logit for each type. A type holds if its logit is above
    zero.

    Entities stand in the order of their first mentions, so the order of the clusters changes
    nothing.

    sizes (HeadSizes): The sizes of encoder and data.
    hidden (int): Width of z_h and z_t, a multiple of `block`.
    block (int): Block size of the grouped bilinear form.
    size (int): The rows N of the picture; larger documents have larger ones.
    in_channels (int): Channels that the contexts are reduced to.
    base (int): Channels of the U-Net at full resolution.
    out_channels (int): Width of Y.
    fill (str): What is in the rest of the picture: zeros ("zero"), its last row and column ("edge",
        as in the authors' code) or the picture again ("sliding", PAEE's).
    loss (PairLoss): The loss, see `PairObjective`.
    evidence_threshold (float): The share of a pair's attention that makes a sentence evidence.
    evidence_weight (float): The weight of the loss that trains the attention on gold evidence, see
        `LocalizedHead`; 0 for none.
    """

    def __init__(
        self,
        sizes: HeadSizes,
        *,
        hidden: int = 768,
        block: int = 64,
        size: int = 42,
        in_channels: int = 3,
        base: int = 256,
        out_channels: int = 256,
        fill: Fill = "zero",
        loss: PairLoss = "balanced_softmax",
        evidence_threshold: float = 0.2,
        evidence_weight: float = 0.0,
    ) -> None:
        super().__init__(evidence_threshold, evidence_weight, PairObjective(loss, sizes.n_labels))
        self.reduce = nn.Linear(sizes.width, in_channels)
        self.pair_map = PairMap(UNet(in_channels, out_channels, base), size=size, fill=fill)
        self.head_projection = nn.Linear(sizes.width + out_channels, hidden)
        self.tail_projection = nn.Linear(sizes.width + out_channels, hidden)
        self.bilinear = GroupedBilinear(hidden, self.objective.n_outputs, block)

    @classmethod
    def small_settings(cls) -> dict[str, Any]:
        """See `RelationHead.small_settings`."""
        return {"hidden": 32, "block": 8, "size": 8, "base": 8, "out_channels": 8}

    @property
    def can_leave_out_pairs(self) -> bool:
        """See `RelationHead.can_leave_out_pairs`. The picture has all pairs of a
        document, the bilinear form those that are wanted."""
        return True

    @property
    def output_bias(self) -> nn.Parameter:
        """See `RelationHead.output_bias`."""
        return self.bilinear.bias

    def forward(self, encoding: Encoding) -> HeadOutput:
        """encoding (Encoding): The batch.
        RETURNS (HeadOutput): Logits [P, R] and thresholds [P], of zero unless another loss has a
            threshold class.
        """
        index = encoding.index
        entity = segment_logsumexp(encoding.mention, index.mention_entity, index.n_entities)
        pair = self._pair_features(encoding)
        head = joined(self.head_projection, entity, index.pair_head, pair)
        tail = joined(self.tail_projection, entity, index.pair_tail, pair)
        asked = asked_types(index, self.objective.has_threshold)
        outputs = self.bilinear(head, tail, asked=asked)
        return self.with_attention(HeadOutput(*self.objective.split(outputs)), encoding)

    def _pair_features(self, encoding: Encoding) -> Tensor:
        """[P, out_channels] The U-Net's features of the pairs."""
        index = in_order_of_mention(encoding.index)
        ordered = replace(encoding, index=index)
        # The reducing layer is linear, so it may come before the contexts are averaged.
        reduced = nn.functional.linear(encoding.tokens, self.reduce.weight)
        cells = context_matrix(ordered, reduced, localized_weights) + self.reduce.bias
        counts = torch.bincount(index.entity_doc, minlength=index.n_docs)
        features = self.pair_map(cells, counts)
        return features[index.pair_cell]


DocuNet = head_factory("docunet", DocuNetHead)
