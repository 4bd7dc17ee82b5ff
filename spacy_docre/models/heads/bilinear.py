"""The plain bilinear classifier: the baseline of the tables."""

from typing import Any

import torch
from torch import Tensor, nn

from ..encoding import Encoding
from ..layers.bilinear import PairContextBilinear
from ..layers.context import localized_context as pool_context
from ..layers.pooled_bilinear import PooledBilinear
from ..layers.reduction import Reduced
from ..objective import PairLoss
from ..torch_head import HeadSizes, TypewiseHead, head_factory


class BilinearHead(TypewiseHead):
    """The classifier of DocRED's baselines (Yao et al. 2019): with entities that are the mean of
    their mentions,

        P(r | s, o) = sigmoid(e_s' W_r e_o + b_r)

    As in their public code, mentions are reduced by a linear layer and ReLU first: without, the
    matrices W_r of a BERT have 590,000 weights for each relation type. The embeddings of the
    distance between the entities are those of GLRE, see `distance_bins`.

    sizes (HeadSizes): The sizes of encoder and data.
    reduced_width (int): Width that mentions are reduced to; 0 leaves them as they are.
    reduce (Reduced): What is reduced before an entity's mean is taken: its "mentions", or all
        "words", see `reduced_mentions`.
    distance_width (int): Width of the embeddings of distances joined with the entities; 0 for none.
    localized_context (bool): Join the pair's localized context (ATLOP, equations 9 to 11), reduced
        by a layer of its own, to both entities, as RSMAN's setting of that name does.
    dropout (float): The dropout rate of the entities in training.
    loss (PairLoss): The loss, see `PairObjective`. With "bce" the threshold is chosen on
        development data.
    """

    def __init__(
        self,
        sizes: HeadSizes,
        *,
        reduced_width: int = 128,
        reduce: Reduced = "mentions",
        distance_width: int = 0,
        localized_context: bool = False,
        dropout: float = 0.1,
        loss: PairLoss = "bce",
    ) -> None:
        super().__init__(sizes.n_labels, loss)
        width = reduced_width or sizes.width
        self.bilinear = PooledBilinear(
            sizes.width,
            self.n_outputs,
            reduced_width=reduced_width,
            reduce=reduce,
            distance_width=distance_width,
            dropout=dropout,
        )
        self.context_reduction: nn.Linear | None = None
        if localized_context:
            self.context_reduction = nn.Linear(sizes.width, width)
            self.context_bilinear = PairContextBilinear(width, width, self.n_outputs)

    @classmethod
    def small_settings(cls) -> dict[str, Any]:
        """See `RelationHead.small_settings`."""
        return {"reduced_width": 32, "distance_width": 4, "dropout": 0.0}

    @property
    def can_leave_out_pairs(self) -> bool:
        """See `RelationHead.can_leave_out_pairs`. The bilinear forms are products over all
        entities and made of all pairs, so that hardly anything is saved."""
        return True

    @property
    def output_bias(self) -> nn.Parameter:
        """See `TypewiseHead.output_bias`."""
        return self.bilinear.bilinear.bias

    def logits(self, encoding: Encoding) -> Tensor:
        """encoding (Encoding): The batch.
        RETURNS (Tensor): [P, n_outputs] float. The logits.
        """
        entity, index = self.bilinear.entities(encoding), encoding.index
        logits = self.bilinear.of_entities(entity, index)
        if self.context_reduction is None:
            return logits
        context = torch.tanh(self.context_reduction(pool_context(encoding)))
        return logits + self.context_bilinear(entity[:, None], context, index)


Bilinear = head_factory("bilinear", BilinearHead)
