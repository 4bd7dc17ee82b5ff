"""The Context-Aware baseline (Sorokin and Gurevych, EMNLP 2017), on documents as in Yao et al.
(2019)."""

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from ..encoding import Encoding
from ..layers.pair_context import ContextClassifier, ContextForm
from ..layers.pooled_bilinear import PooledBilinear
from ..objective import PairLoss
from ..torch_head import HeadSizes, TypewiseHead, head_factory


class ContextAwareHead(TypewiseHead):
    """The Context-Aware classifier: with entities that are the mean of their mentions,

        o_i = e_s' W e_o + b                                       (a vector for each pair)
        o_c = sum_i theta_i o_i,  theta = softmax_i(o_i W_c o_s')  (over the other pairs)
        P(r | s, o) = sigmoid(W_r [o_s; o_c] + b_r)

    In Sorokin and Gurevych (2017) the context of a pair are the other pairs of the sentence; here
    it is those of the document. Yao et al.'s public code has the pair itself among them and a
    diagonal W_c; both are settings. The attention is that of GLRE's equation 7, see `PairContext`.

    sizes (HeadSizes): The sizes of encoder and data.
    pair_width (int): Width of the pairs' vectors.
    reduced_width (int): Width that mentions are reduced to, by a linear layer and ReLU; 0 leaves
        them as they are.
    distance_width (int): Width of the embeddings of distances joined with the entities; 0 for none.
    context (ContextForm): "full", "low_rank" or "diagonal", see `PairContext`, or "none".
    rank (int): The rank of W_c if it is "low_rank".
    include_self (bool): Whether a pair is in its own context.
    max_attended (Optional[int]): The most pairs of a document that the others attend to, see
        `ContextClassifier`; None for all.
    dropout (float): The dropout rate of the pairs' vectors in training.
    loss (PairLoss): The loss, see `PairObjective`.
    """

    def __init__(
        self,
        sizes: HeadSizes,
        *,
        pair_width: int = 128,
        reduced_width: int = 128,
        distance_width: int = 0,
        context: ContextForm = "full",
        rank: int = 64,
        max_attended: int | None = None,
        include_self: bool = False,
        dropout: float = 0.1,
        loss: PairLoss = "bce",
    ) -> None:
        super().__init__(sizes.n_labels, loss)
        self.pairs = PooledBilinear(
            sizes.width, pair_width, reduced_width=reduced_width, distance_width=distance_width
        )
        self.classifier = ContextClassifier(
            pair_width,
            self.n_outputs,
            hidden=0,
            dropout=dropout,
            form=context,
            rank=rank,
            include_self=include_self,
            max_attended=max_attended,
            has_threshold=self.has_threshold,
        )

    @classmethod
    def small_settings(cls) -> dict[str, Any]:
        """See `RelationHead.small_settings`."""
        return {"pair_width": 32, "reduced_width": 32, "distance_width": 4, "dropout": 0.0}

    @property
    def can_leave_out_pairs(self) -> bool:
        """See `RelationHead.can_leave_out_pairs`. Vectors and keys are made of all
        pairs; those that are wanted attend to them and are classified."""
        return True

    @property
    def output_bias(self) -> nn.Parameter:
        """See `TypewiseHead.output_bias`."""
        return self.classifier.bias

    def logits(self, encoding: Encoding) -> Tensor:
        """encoding (Encoding): The batch.
        RETURNS (Tensor): [P, n_outputs] float. The logits.
        """
        index, rows = encoding.index.with_all_pairs()
        return self.classifier(self.pairs(replace(encoding, index=index)), index, rows)


ContextAware = head_factory("context_aware", ContextAwareHead)
