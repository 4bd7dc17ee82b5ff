"""KD-DocRE: document-level relation extraction with adaptive focal loss and axial attention (Tan et
al., Findings of ACL 2022)."""

from typing import Any

import torch
from torch import Tensor, nn

from ..encoding import Encoding, HeadOutput
from ..evidence import LocalizedHead
from ..layers.axial import AxialTransformer
from ..layers.context import context_matrix, localized_weights
from ..layers.grouped_bilinear import GroupedBilinear
from ..layers.joined import joined
from ..layers.segments import segment_logsumexp
from ..objective import PairLoss, PairObjective
from ..torch_head import HeadSizes, head_factory


class KDDocREHead(LocalizedHead):
    """The classifier of KD-DocRE.

    Entities are joined with the localized context of their pair, as in ATLOP,

        z_h = tanh(W_h [e_h; c_ht]),  z_t = tanh(W_t [e_t; c_ht])

    and a grouped bilinear form makes the feature g_ht of each pair of them, not yet its logits.
    Axial attention lets each pair look at the pairs that share its head or its tail, an entity with
    itself among them, and a linear layer classifies what comes out (section 3.2). The loss is the
    adaptive focal loss (section 3.3).

    The third part of the method, learning from the logits of a teacher on documents without labels
    (section 3.4), is the reader "spacy-docre.DistillationCorpus.v1", for every head.

    sizes (HeadSizes): The sizes of encoder and data.
    hidden (int): Width of z_h and z_t.
    block (int): Block size of the grouped bilinear form.
    layers (int): The number of layers of axial attention; 0 for none.
    heads (int): The number of its attention heads; must divide the encoder's width.
    evidence_threshold (float): The share of a pair's attention that makes a sentence evidence.
    evidence_weight (float): The weight of the loss that trains the attention on gold evidence, see
        `LocalizedHead`; 0 for none.
    loss (PairLoss): The loss, see `PairObjective`.
    """

    def __init__(
        self,
        sizes: HeadSizes,
        *,
        hidden: int = 768,
        block: int = 64,
        layers: int = 6,
        heads: int = 8,
        evidence_threshold: float = 0.2,
        evidence_weight: float = 0.0,
        loss: PairLoss = "adaptive_focal",
    ) -> None:
        super().__init__(evidence_threshold, evidence_weight, PairObjective(loss, sizes.n_labels))
        width = sizes.width
        self.head_projection = nn.Linear(2 * width, hidden)
        self.tail_projection = nn.Linear(2 * width, hidden)
        self.bilinear = GroupedBilinear(hidden, width, block)
        self.transformer = AxialTransformer(width, layers=layers, heads=heads)
        self.classifier = nn.Linear(width, self.objective.n_outputs)

    @classmethod
    def small_settings(cls) -> dict[str, Any]:
        """See `RelationHead.small_settings`."""
        return {"hidden": 32, "block": 8, "layers": 2, "heads": 2}

    @property
    def can_leave_out_pairs(self) -> bool:
        """See `RelationHead.can_leave_out_pairs`. The matrix has all pairs of a document."""
        return True

    @property
    def output_bias(self) -> nn.Parameter:
        """See `RelationHead.output_bias`."""
        return self.classifier.bias

    def forward(self, encoding: Encoding) -> HeadOutput:
        """encoding (Encoding): The batch.
        RETURNS (HeadOutput): Logits [P, R] and thresholds [P].
        """
        index = encoding.index
        is_entity = index.is_entity
        # Every pair of a document's entities, whichever of them are candidates.
        cell = (is_entity[:, :, None] & is_entity[:, None, :]).nonzero(as_tuple=True)
        features = self._features(encoding, cell)
        matrix = features.new_zeros(*is_entity.shape, index.max_entities, features.shape[1])
        matrix = self.transformer(matrix.index_put(cell, features), is_entity)
        outputs = self.classifier(matrix[index.pair_cell])
        return self.with_attention(HeadOutput(*self.objective.split(outputs)), encoding)

    def _features(self, encoding: Encoding, cell: tuple[Tensor, ...]) -> Tensor:
        """[C, d] The features of the pairs at the given documents, heads' and tails' slots."""
        index = encoding.index
        entity = segment_logsumexp(encoding.mention, index.mention_entity, index.n_entities)
        number = index.entities_by_doc(torch.arange(len(entity), device=entity.device))
        doc, head_slot, tail_slot = cell
        context = context_matrix(encoding, encoding.tokens, localized_weights)[cell]
        head = joined(self.head_projection, entity, number[doc, head_slot], context)
        tail = joined(self.tail_projection, entity, number[doc, tail_slot], context)
        features: Tensor = self.bilinear(head, tail)
        return features


KDDocRE = head_factory("kd_docre", KDDocREHead)
