"""EoG: connecting the dots, document-level relation extraction with edge-oriented graphs
(Christopoulou et al., EMNLP 2019)."""

from typing import Any

import torch
from torch import Tensor, nn

from ..encoding import Encoding
from ..layers.edges import DocumentEdges
from ..layers.walks import Walks
from ..objective import PairLoss
from ..torch_head import HeadSizes, TypewiseHead, head_factory


class EoGHead(TypewiseHead):
    """The classifier of EoG: entities, mentions and sentences are joined by edges that are vectors
    (see `DocumentEdges`); walks over them join the entities of a pair (see `Walks`), and the edge
    that they make is classified, o_r = W e_ht + b.

    The paper reads sentences with a BiLSTM; here the encoder says what the vector of a word is.

    sizes (HeadSizes): The sizes of encoder and data.
    edge_width (int): The width of an edge.
    type_width (int): The width of the embeddings of kinds of nodes.
    distance_width (int): The width of the embeddings of distances.
    context (bool): Whether the edges of two mentions know what these attend to in their sentence.
    iterations (int): How often walks are joined: they have up to 2 ** iterations steps.
    beta (float): The share of the shorter walks, 0 to 1.
    dropout (float): The dropout rate of edges before they are classified, in training.
    loss (PairLoss): The loss, see `PairObjective`. The paper's softmax over the types and "no
        relation" allows one type for each pair; adaptive thresholding is its form for several.
    """

    def __init__(
        self,
        sizes: HeadSizes,
        *,
        edge_width: int = 100,
        type_width: int = 10,
        distance_width: int = 10,
        context: bool = True,
        iterations: int = 3,
        beta: float = 0.8,
        dropout: float = 0.3,
        loss: PairLoss = "adaptive_threshold",
    ) -> None:
        super().__init__(sizes.n_labels, loss)
        self.edges = DocumentEdges(
            sizes.width,
            type_width=type_width,
            distance_width=distance_width,
            edge_width=edge_width,
            context=context,
        )
        self.walks = Walks(edge_width, iterations=iterations, beta=beta)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(edge_width, self.n_outputs)

    @classmethod
    def small_settings(cls) -> dict[str, Any]:
        """See `RelationHead.small_settings`."""
        return {"edge_width": 32, "type_width": 4, "distance_width": 4, "dropout": 0.0}

    @property
    def can_leave_out_pairs(self) -> bool:
        """See `RelationHead.can_leave_out_pairs`. Walks go over all nodes; those that end at a pair
        that is wanted are classified."""
        return True

    @property
    def output_bias(self) -> nn.Parameter:
        """See `TypewiseHead.output_bias`."""
        return self.classifier.bias

    def logits(self, encoding: Encoding) -> Tensor:
        """encoding (Encoding): The batch. The vectors and attention of mentions are not used.
        RETURNS (Tensor): [P, n_outputs] float. The logits.
        """
        known = [self.walks(edges).flatten(0, 1) for edges in self.edges(encoding)]
        rows = torch.cat(known).index_select(0, encoding.index.pair_row)
        logits: Tensor = self.classifier(self.dropout(rows))
        return logits


EoG = head_factory("eog", EoGHead)
