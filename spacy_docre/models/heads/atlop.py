"""ATLOP: document-level relation extraction with adaptive thresholding and localized context
pooling (Zhou et al., AAAI 2021)."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from ..encoding import Encoding, EncodingIndex, HeadOutput
from ..evidence import LocalizedHead
from ..layers.asked_types import asked_types
from ..layers.context import evidence_context, localized_context
from ..layers.grouped_bilinear import GroupedBilinear
from ..layers.joined import joined
from ..layers.segments import segment_logsumexp
from ..objective import PairLoss, PairObjective
from ..torch_head import HeadSizes, head_factory


class ATLOPHead(LocalizedHead):
    """The classifier of ATLOP.

    Entities are the logsumexp of their mentions (equation 1); each entity of a pair is joined
    with the pair's localized context (equations 12, 13),

        z_h = tanh(W_h [e_h; c_ht]),  z_t = tanh(W_t [e_t; c_ht])

    and a grouped bilinear form gives a logit for each type and for the threshold class
    (equation 5).

    Two settings add what DREEAM (Ma et al., EACL 2023) adds to ATLOP: attention that is trained on
    the gold evidence (`LocalizedHead.evidence_loss`), and the fusion of what the whole document
    says with what the evidence says. DREEAM reads a document of the evidence sentences, for each
    pair, as a further input of the encoder. Here the pair's context comes from these sentences
    only, so that the encoder reads the document once; the logits are the mean of both.

    sizes (HeadSizes): The sizes of encoder and data.
    hidden (int): Width of z_h and z_t.
    block (int): Block size of the grouped bilinear form.
    evidence_threshold (float): The share of a pair's attention that makes a sentence evidence.
    evidence_weight (float): The weight of the evidence's loss.
    evidence_fusion (bool): Fuse with the evidence, at inference.
    loss (PairLoss): The loss, see `PairObjective`.
    """

    def __init__(
        self,
        sizes: HeadSizes,
        *,
        hidden: int = 768,
        block: int = 64,
        evidence_threshold: float = 0.2,
        evidence_weight: float = 0.0,
        evidence_fusion: bool = False,
        loss: PairLoss = "adaptive_threshold",
    ) -> None:
        super().__init__(evidence_threshold, evidence_weight, PairObjective(loss, sizes.n_labels))
        self.evidence_fusion = evidence_fusion
        self.head_projection = nn.Linear(2 * sizes.width, hidden)
        self.tail_projection = nn.Linear(2 * sizes.width, hidden)
        self.bilinear = GroupedBilinear(hidden, self.objective.n_outputs, block)

    @classmethod
    def small_settings(cls) -> dict[str, Any]:
        """See `RelationHead.small_settings`."""
        return {"hidden": 32, "block": 8}

    @property
    def can_leave_out_pairs(self) -> bool:
        """See `RelationHead.can_leave_out_pairs`."""
        return True

    @property
    def output_bias(self) -> nn.Parameter:
        """See `RelationHead.output_bias`."""
        return self.bilinear.bias

    def forward(self, encoding: Encoding) -> HeadOutput:
        """encoding (Encoding): The batch.
        RETURNS (HeadOutput): Logits [P, R] and thresholds [P].
        """
        index = encoding.index
        entity = segment_logsumexp(encoding.mention, index.mention_entity, index.n_entities)
        contexts = [localized_context(encoding)]
        if self.evidence_fusion and not self.training:
            contexts.append(evidence_context(encoding, self.evidence_threshold))
        asked = asked_types(index, self.objective.has_threshold)
        outputs = self.bilinear(*self._ends(entity, contexts, index), asked=asked)
        return self.with_attention(HeadOutput(*self.objective.split(outputs)), encoding)

    def _ends(
        self, entity: Tensor, contexts: list[Tensor], index: EncodingIndex
    ) -> Iterator[Tensor]:
        """[P, hidden] The head and the tail of each pair with each of the contexts, in turn."""
        for context in contexts:
            yield joined(self.head_projection, entity, index.pair_head, context)
            yield joined(self.tail_projection, entity, index.pair_tail, context)


ATLOP = head_factory("atlop", ATLOPHead)
