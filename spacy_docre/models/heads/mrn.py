"""MRN: a mention-based reasoning network for document-level relation extraction (Li et al.,
Findings of ACL 2021)."""

from typing import Any

import torch
from torch import Tensor, nn

from ..encoding import Encoding, EncodingIndex
from ..layers.distance import N_BINS, signed_bins, small_embedding
from ..layers.mention_predictor import SLOPE, MentionPredictor
from ..layers.pooling import mention_maxima
from ..layers.segments import segment_max
from ..objective import PairLoss
from ..torch_head import HeadSizes, TypewiseHead, head_factory


class MRNHead(TypewiseHead):
    """The classifier of MRN. A mention is the maximum over its words, joined with an embedding of
    its entity's type; the pairs of mentions begin with an embedding of their distance. Layers of
    `MentionPredictor` let mentions learn from each other; an entity is the maximum over its
    mentions, as head x and as tail y, and a pair of entities over its mention pairs, F. A pair's
    logits are a bi-affine form of the entities and a linear layer of the pair,

        l_r = [s_h; 1]' U_r [o_t; 1] + W MLP(F_ht),  s = MLP(x),  o = MLP(y)

    where an MLP is a linear layer with a leaky ReLU.

    sizes (HeadSizes): The sizes of encoder and data.
    type_width (int): The width of the embeddings of entity types.
    distance_width (int): The width of the embeddings of distances.
    channels (int): The channels of the pairs of mentions.
    layers (int): The number of layers of `MentionPredictor`, at least 1.
    dropout (float): The dropout rate in these, in training.
    pair_dropout (float): The dropout rate behind them.
    loss (PairLoss): The loss, see `PairObjective`.
    """

    def __init__(
        self,
        sizes: HeadSizes,
        *,
        type_width: int = 20,
        distance_width: int = 20,
        channels: int = 128,
        layers: int = 3,
        dropout: float = 0.5,
        pair_dropout: float = 0.33,
        loss: PairLoss = "adaptive_threshold",
    ) -> None:
        super().__init__(sizes.n_labels, loss)
        self.entity_type = small_embedding(sizes.n_types, type_width)
        self.distance = small_embedding(N_BINS, distance_width)
        width = sizes.width + type_width
        self.layers = nn.ModuleList(
            MentionPredictor(width, channels if n else distance_width, channels, dropout)
            for n in range(layers)
        )
        half = width // 2
        self.as_head = _mlp(width, half, pair_dropout)
        self.as_tail = _mlp(width, half, pair_dropout)
        self.as_pair = _mlp(channels, channels, pair_dropout)
        self.dropout = nn.Dropout(pair_dropout)
        self.weight = nn.Parameter(torch.empty(self.n_outputs, half + 1, half + 1))
        nn.init.xavier_normal_(self.weight)
        self.classifier = nn.Linear(channels, self.n_outputs)

    @classmethod
    def small_settings(cls) -> dict[str, Any]:
        """See `RelationHead.small_settings`."""
        return {
            "type_width": 4,
            "distance_width": 4,
            "channels": 16,
            "dropout": 0.0,
            "pair_dropout": 0.0,
        }

    @property
    def can_leave_out_pairs(self) -> bool:
        """See `RelationHead.can_leave_out_pairs`. Convolutions go over all mention pairs, whatever
        is asked of them."""
        return True

    @property
    def output_bias(self) -> nn.Parameter:
        """See `TypewiseHead.output_bias`."""
        return self.classifier.bias

    def logits(self, encoding: Encoding) -> Tensor:
        """encoding (Encoding): The batch. The vectors and attention of mentions are not used.
        RETURNS (Tensor): [P, n_outputs] float. The logits.
        """
        index = encoding.index
        types = self.entity_type(index.entity_type[index.mention_entity])
        mention = torch.cat([mention_maxima(encoding), types], dim=1)
        counts = torch.bincount(index.mention_doc, minlength=index.n_docs)
        in_order = index.mention_place.argsort(stable=True)
        logits = [
            self._of_document(mention[own], own, index) for own in in_order.split(counts.tolist())
        ]
        return torch.cat(logits).index_select(0, index.pair_row)

    def _of_document(self, mention: Tensor, own: Tensor, index: EncodingIndex) -> Tensor:
        """[e * e, n_outputs] The logits of all pairs of a document's entities."""
        if not len(own):
            return mention.new_zeros(0, self.n_outputs)
        start, owner = index.mention_start[own], index.entity_slot[index.mention_entity[own]]
        n = int(owner.max()) + 1
        cells = self.distance(signed_bins(start[:, None] - start))
        head = tail = mention
        for layer in self.layers:
            head, tail, cells = layer(head, tail, cells)
        of_heads = segment_max(cells, owner, n).transpose(0, 1)  # [m, e, C]
        pairs = segment_max(of_heads, owner, n).transpose(0, 1)
        ones = mention.new_ones(n, 1)
        subject = self.dropout(self.as_head(segment_max(head, owner, n)))
        object_ = self.dropout(self.as_tail(segment_max(tail, owner, n)))
        subject, object_ = (torch.cat([each, ones], dim=1) for each in (subject, object_))
        biaffine = (subject @ self.weight) @ object_.T  # [R, e, e]
        linear = self.classifier(self.dropout(self.as_pair(pairs)))
        return (biaffine.permute(1, 2, 0) + linear).flatten(0, 1)


def _mlp(n_inputs: int, n_outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(n_inputs, n_outputs), nn.LeakyReLU(SLOPE))


MRN = head_factory("mrn", MRNHead)
