"""GLRE: global-to-local neural networks for document-level relation extraction (Wang et al., EMNLP
2020)."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import DocreError, Errors
from ..encoding import Encoding
from ..layers.counterpart import CounterpartAttention
from ..layers.distance import START, DistanceEmbedding
from ..layers.lstm import DocumentLSTM
from ..layers.pair_context import ContextClassifier, ContextForm
from ..layers.pooling import mention_means, sentence_means
from ..layers.rgcn import RGCN, DocumentGraph, Nodes, Normalisation
from ..layers.segments import segment_mean
from ..objective import PairLoss
from ..torch_head import HeadSizes, TypewiseHead, head_factory


class GLREHead(TypewiseHead):
    """The classifier of GLRE.

    Mentions, entities and sentences are nodes of a graph: the mean of their words (of its mentions,
    for an entity), joined with an embedding of the kind of node (section 3.2). What a stacked
    R-GCN makes of an entity is its global representation (equation 2, see `RGCN`); its local
    representation is an attention over its mentions that the other entity of the pair asks for
    (equations 3 to 5, see `CounterpartAttention`), with weights of its own for heads and for
    tails. With an embedding of the distance of the first mentions, binned by powers of two,

        e_a = [e_a^glo; e_a^loc; D(d_ab)],  e_b = [e_b^glo; e_b^loc; D(d_ba)]   (equation 6)
        o_r = [e_a; e_b],  y_r = sigmoid(FFNN([o_r; o_c]))                      (equation 8)

    where the context o_c is an attention over all pairs of the document (equation 7, see
    `ContextClassifier`).

    The encoder's vectors are projected to `width` first, as in the authors' code; since this is
    linear, it is done after the means over words. Where a mention begins decides which sentence it
    is in. An entity's node is the mean of its mentions' without the embedding, for which the
    paper's formula has no room.

    sizes (HeadSizes): The sizes of encoder and data.
    width (int): Width of the projected words and of global and local representations.
    type_width (int): Width of the embeddings of kinds of nodes.
    distance_width (int): Width of the embeddings of distances.
    lstm_width (int): Width of a BiLSTM that reads the encoder's vectors first, an even number; 0
        for none. On CDR the authors have one on an encoder that is frozen.
    layers (int): The number of layers of the R-GCN.
    heads (int): The number of heads of the attention over mentions; a divisor of `width`.
    hidden (int): Width of the FFNN's hidden layer; 0 for none.
    dropout (float): The dropout rate before the FFNN's last layer.
    graph_dropout (float): The dropout rate of the nodes, before the graph and after each layer.
    normalisation (Normalisation): "type" (the paper) or "degree" (its code), see `RGCNLayer`.
    context (ContextForm): "full", "low_rank" or "diagonal", see `PairContext`; "none" leaves out
        o_c, as in the ablation of the paper's table 4.
    rank (int): The rank of the attention's W if it is "low_rank".
    max_attended (Optional[int]): The most pairs of a document that the others attend to, see
        `ContextClassifier`; None for all.
    global_representation (bool): Whether e^glo is part of the pair's vector. Without (table 4)
        there is no graph, and the entity's node asks for the local representation.
    local_representation (bool): Whether e^loc is (table 4).
    zero_distance (bool): Whether entities that begin at the same token have an embedding of their
        own, or that of the distance +1.
    loss (PairLoss): The loss, see `PairObjective`; equation 9 is "bce_sum".
    """

    def __init__(
        self,
        sizes: HeadSizes,
        *,
        width: int = 256,
        type_width: int = 20,
        distance_width: int = 20,
        lstm_width: int = 0,
        layers: int = 2,
        heads: int = 2,
        hidden: int = 512,
        dropout: float = 0.3,
        graph_dropout: float = 0.2,
        normalisation: Normalisation = "type",
        context: ContextForm = "full",
        rank: int = 64,
        max_attended: int | None = None,
        global_representation: bool = True,
        local_representation: bool = True,
        zero_distance: bool = False,
        loss: PairLoss = "bce_sum",
    ) -> None:
        super().__init__(sizes.n_labels, loss)
        if layers < 1:
            raise DocreError(
                Errors.D020.format(setting="layers", condition="at least 1", value=layers)
            )
        if not (global_representation or local_representation):
            raise DocreError(
                Errors.D020.format(
                    setting="local_representation",
                    condition="true where global_representation is false",
                    value=local_representation,
                )
            )
        node_width = width + type_width
        self.lstm: DocumentLSTM | None = None
        if lstm_width:
            self.lstm = DocumentLSTM(sizes.width, lstm_width)
        self.projection = nn.Linear(lstm_width or sizes.width, width)
        self.node_type = nn.Parameter(START * torch.randn(3, type_width))
        self.rgcn: RGCN | None = None
        if global_representation:
            self.rgcn = RGCN(node_width, width, layers, normalisation, graph_dropout)
        self.head_attention: CounterpartAttention | None = None
        self.tail_attention: CounterpartAttention | None = None
        if local_representation:
            query_width = width if global_representation else node_width
            self.head_attention = CounterpartAttention(query_width, node_width, width, heads)
            self.tail_attention = CounterpartAttention(query_width, node_width, width, heads)
        self.distance = DistanceEmbedding(distance_width, zero=zero_distance)
        self.classifier = ContextClassifier(
            2 * ((global_representation + local_representation) * width + distance_width),
            self.n_outputs,
            hidden=hidden,
            dropout=dropout,
            form=context,
            rank=rank,
            include_self=True,
            max_attended=max_attended,
            has_threshold=self.has_threshold,
        )

    @classmethod
    def small_settings(cls) -> dict[str, Any]:
        """See `RelationHead.small_settings`."""
        return {
            "width": 32,
            "type_width": 4,
            "distance_width": 4,
            "hidden": 32,
            "dropout": 0.0,
            "graph_dropout": 0.0,
        }

    @property
    def can_leave_out_pairs(self) -> bool:
        """See `RelationHead.can_leave_out_pairs`. Vectors and keys are made of all pairs; those
        that are wanted attend to them and are classified."""
        return True

    @property
    def output_bias(self) -> nn.Parameter:
        """See `TypewiseHead.output_bias`."""
        return self.classifier.bias

    def logits(self, encoding: Encoding) -> Tensor:
        """encoding (Encoding): The batch. The vectors and attention of mentions are not used.
        RETURNS (Tensor): [P, n_outputs] float. The logits.
        """
        index, rows = encoding.index.with_all_pairs()
        return self.classifier(self._pairs(replace(encoding, index=index)), index, rows)

    def _pairs(self, encoding: Encoding) -> Tensor:
        """[P, d_r] The pairs' vectors o_r."""
        index = encoding.index
        nodes = self._nodes(encoding)
        entity = nodes.entity if self.rgcn is None else self.rgcn(nodes, DocumentGraph(index))
        sides = (index.pair_head, index.pair_tail)
        attentions = (self.head_attention, self.tail_attention)
        distances = self.distance.of_pairs(index)
        parts = []
        for one, other, attention, distance in zip(
            sides, sides[::-1], attentions, distances, strict=True
        ):
            if self.rgcn is not None:
                parts.append(entity.index_select(0, one))
            if attention is not None:
                local = attention(entity, nodes.sentence, nodes.mention, index).flatten(0, 1)
                place = one * index.max_entities + index.entity_slot[other]
                parts.append(local.index_select(0, place))
            parts.append(distance)
        return torch.cat(parts, dim=1)

    def _nodes(self, encoding: Encoding) -> Nodes:
        index = encoding.index
        if self.lstm is not None:
            encoding = replace(encoding, tokens=self.lstm(encoding.tokens, index.lengths))
        mention = self.projection(mention_means(encoding))
        sentence = self.projection(sentence_means(encoding))
        entity = segment_mean(mention, index.mention_entity, index.n_entities)
        vectors = (mention, entity, sentence)
        return Nodes(
            *(
                torch.cat([vector, embedding.expand(len(vector), -1)], dim=1)
                for vector, embedding in zip(vectors, self.node_type, strict=True)
            )
        )


GLRE = head_factory("glre", GLREHead)
