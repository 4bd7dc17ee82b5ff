"""The plain bilinear classifier: the baseline of the tables."""

from typing import Any

from torch import Tensor

from ..encoding import Encoding
from ..layers.pooled_bilinear import PooledBilinear
from ..torch_head import HeadSizes, PairLoss, TypewiseHead, head_factory


class BilinearHead(TypewiseHead):
    """The classifier of DocRED's baselines (Yao et al. 2019): with entities that are the mean of
    their mentions,

        P(r | s, o) = sigmoid(e_s' W_r e_o + b_r)

    As in their public code, mentions are reduced by a linear layer and ReLU first: without, the
    matrices W_r of a BERT have 590,000 weights for each relation type. The embeddings of the
    distance between the entities are those of GLRE, see `distance_bins`.

    sizes (HeadSizes): The sizes of encoder and data.
    reduced_width (int): Width that mentions are reduced to; 0 leaves them as they are.
    distance_width (int): Width of the embeddings of distances joined with the entities; 0 for none.
    loss (PairLoss): "bce" or "adaptive_threshold".
    """

    def __init__(
        self,
        sizes: HeadSizes,
        *,
        reduced_width: int = 128,
        distance_width: int = 0,
        loss: PairLoss = "bce",
    ) -> None:
        super().__init__(sizes.n_labels, loss)
        self.bilinear = PooledBilinear(
            sizes.width,
            self.n_outputs,
            reduced_width=reduced_width,
            distance_width=distance_width,
        )

    @classmethod
    def small_settings(cls) -> dict[str, Any]:
        """See `RelationHead.small_settings`."""
        return {"reduced_width": 32, "distance_width": 4}

    def logits(self, encoding: Encoding) -> Tensor:
        """encoding (Encoding): The batch.
        RETURNS (Tensor): [P, n_outputs] float. The logits.
        """
        return self.bilinear(encoding)


Bilinear = head_factory("bilinear", BilinearHead)
