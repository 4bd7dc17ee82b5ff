"""LSR: reasoning with latent structure refinement for document-level relation extraction (Nan et
al., ACL 2020)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..encoding import Encoding
from ..layers.bilinear import RelationBilinear
from ..layers.divisor import check_divides
from ..layers.latent_structure import DenseConvolution, StructureInduction
from ..layers.reduction import reduced_mentions
from ..layers.segments import segment_mean
from ..objective import PairLoss
from ..torch_head import HeadSizes, TypewiseHead, head_factory


class LSRHead(TypewiseHead):
    """The classifier of LSR. The nodes of a document are its mentions, the mean of their words
    after a linear layer and ReLU, and its entities, the mean of their mentions. Each block induces
    a tree over all of them (see `StructureInduction`), as the probabilities of its edges, and lets
    the nodes learn from each other along these (see `DenseConvolution`); the next induces another
    from what came out. With the entities of the last block,

        P(r | i, j) = sigmoid(e_i' W_r e_j + b_r)

    The paper has a third kind of nodes, the words on the shortest dependency paths between the
    mentions of a sentence. They are left out: what a head gets of a document has no parse.

    sizes (HeadSizes): The sizes of encoder and data.
    width (int): The width of a node.
    sublayers (Sequence[int]): The number of sublayers of the convolution in each block, divisors of
        `width`.
    dropout (float): The dropout rate of the nodes before the first block, in training.
    graph_dropout (float): The dropout rate of sublayers.
    loss (PairLoss): The loss, see `PairObjective`.
    """

    def __init__(
        self,
        sizes: HeadSizes,
        *,
        width: int = 216,
        sublayers: Sequence[int] = (3, 4),
        dropout: float = 0.3,
        graph_dropout: float = 0.4,
        loss: PairLoss = "bce",
    ) -> None:
        super().__init__(sizes.n_labels, loss)
        for number in sublayers:
            check_divides("sublayers", number, width)
        self.reduction = nn.Linear(sizes.width, width)
        self.dropout = nn.Dropout(dropout)
        self.structures = nn.ModuleList(StructureInduction(width) for _ in sublayers)
        self.convolutions = nn.ModuleList(
            DenseConvolution(width, n, graph_dropout) for n in sublayers
        )
        self.classifier = RelationBilinear(width, self.n_outputs)

    @classmethod
    def small_settings(cls) -> dict[str, Any]:
        """See `RelationHead.small_settings`."""
        return {"width": 24, "dropout": 0.0, "graph_dropout": 0.0}

    @property
    def can_leave_out_pairs(self) -> bool:
        """See `RelationHead.can_leave_out_pairs`. The graph is one of all entities, whatever pairs
        are asked for."""
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
        if not index.n_entities:
            return encoding.tokens.new_zeros(0, self.n_outputs)
        mention = reduced_mentions(encoding, self.reduction, "words")
        entity = segment_mean(mention, index.mention_entity, index.n_entities)
        # Entities come first: the first node of a document then exists if any does.
        node = torch.cat([index.entities_by_doc(entity), index.mentions_by_doc(mention)], dim=1)
        exist = torch.cat([index.is_entity, index.is_mention], dim=1)
        node = self.dropout(node)
        for induce, convolve in zip(self.structures, self.convolutions, strict=True):
            node = convolve(node, induce(node, exist))
        refined = node[index.entity_doc, index.entity_slot]
        logits: Tensor = self.classifier(refined[:, None], index)
        return logits


LSR = head_factory("lsr", LSRHead)
