"""GAIN: double graph based reasoning for document-level relation extraction (Zeng et al., EMNLP
2020)."""

from typing import Any

import torch
from torch import Tensor, nn

from ..encoding import Encoding, EncodingIndex
from ..layers.blocks import in_blocks
from ..layers.distance import small_embedding
from ..layers.entity_paths import EntityPaths
from ..layers.mention_graph import MentionGraph, MentionGraphLayer
from ..layers.pooling import document_means, mention_means
from ..layers.segments import segment_mean
from ..objective import PairLoss
from ..torch_head import HeadSizes, TypewiseHead, head_factory


class GAINHead(TypewiseHead):
    """The classifier of GAIN. A mention is the mean of its words, joined with an embedding of its
    entity's type and one of its entity's number in the document. A graph of mentions and document
    (see `MentionGraphLayer`) says what they know of each other; an entity e and the document m are
    the (mean of the) nodes of all layers. Paths over a third entity are found in a graph of the
    entities (see `EntityPaths`), and

        I_ht = [e_h; e_t; |e_h - e_t|; e_h * e_t; m; p_ht]
        P(r | h, t) = sigmoid(W_b ReLU(W_a I_ht + b_a) + b_b)

    The document's node begins as the mean of the sentences' words, as not every encoder has a
    vector for the whole (the paper: [CLS]).

    sizes (HeadSizes): The sizes of encoder and data.
    type_width (int): The width of the embeddings of entity types.
    number_width (int): The width of the embeddings of entities' numbers, in the order in which they
        are mentioned first.
    max_entities (int): How many numbers have an embedding of their own; later entities share one.
    layers (int): The number of layers of the graph of mentions.
    hidden (int): The width of the hidden layer; 0 for twice that of e, as in the paper's code.
    dropout (float): The dropout rate of all layers, in training.
    loss (PairLoss): The loss, see `PairObjective`.
    """

    def __init__(
        self,
        sizes: HeadSizes,
        *,
        type_width: int = 20,
        number_width: int = 20,
        max_entities: int = 80,
        layers: int = 2,
        hidden: int = 0,
        dropout: float = 0.6,
        loss: PairLoss = "bce",
    ) -> None:
        super().__init__(sizes.n_labels, loss)
        self.entity_type = small_embedding(sizes.n_types, type_width)
        self.number = small_embedding(max_entities + 1, number_width)
        node_width = sizes.width + type_width + number_width
        self.layers = nn.ModuleList(MentionGraphLayer(node_width, dropout) for _ in range(layers))
        width = (layers + 1) * node_width
        self.paths = EntityPaths(node_width, width, dropout)
        hidden = hidden or 2 * width
        self.of_entity = nn.ModuleList(nn.Linear(width, hidden, bias=False) for _ in range(2))
        self.of_both = nn.Linear(2 * width, hidden, bias=False)
        self.of_document = nn.Linear(width, hidden)
        self.of_paths = nn.Linear(4 * node_width, hidden, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden, self.n_outputs)

    @classmethod
    def small_settings(cls) -> dict[str, Any]:
        """See `RelationHead.small_settings`."""
        return {"type_width": 4, "number_width": 4, "hidden": 64, "dropout": 0.0}

    @property
    def can_leave_out_pairs(self) -> bool:
        """See `RelationHead.can_leave_out_pairs`. Graphs are of all entities; pairs are asked one
        by one."""
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
        mention, document = self._nodes(encoding)
        owner = index.mention_entity
        entity = segment_mean(mention, owner, index.n_entities)
        node = entity[:, -self.paths.start.in_features :]
        paths = self.paths(node, entity, index)
        head, tail = (layer(entity) for layer in self.of_entity)
        whole = self.of_document(document)

        def of_pairs(h: Tensor, t: Tensor, doc: Tensor, paths: Tensor) -> Tensor:
            one, other = entity[h], entity[t]
            both = torch.cat([(one - other).abs(), one * other], dim=1)
            return head[h] + tail[t] + whole[doc] + self.of_both(both) + self.of_paths(paths)

        sides = (index.pair_head, index.pair_tail, index.pair_doc)
        items_per_row = 2 * entity.shape[1] + head.shape[1]
        hidden = torch.relu(in_blocks(of_pairs, *sides, paths, items_per_row=items_per_row))
        logits: Tensor = self.classifier(self.dropout(hidden))
        return logits

    def _nodes(self, encoding: Encoding) -> tuple[Tensor, Tensor]:
        """[M, b] and [B, b] Mentions and documents, in all layers."""
        index = encoding.index
        owner = index.mention_entity
        number = order_of_mention(index)[owner].clamp(max=self.number.num_embeddings - 1)
        types = self.entity_type(index.entity_type[owner])
        mention = torch.cat([mention_means(encoding), types, self.number(number)], dim=1)
        document = document_means(encoding)
        document = nn.functional.pad(document, (0, mention.shape[1] - document.shape[1]))
        graph = MentionGraph(index)
        found = [(mention, document)]
        for layer in self.layers:
            found.append(layer(*found[-1], graph))
        mentions, documents = zip(*found, strict=True)
        return torch.cat(mentions, dim=1), torch.cat(documents, dim=1)


def order_of_mention(index: EncodingIndex) -> Tensor:
    """Number the entities of each document in the order in which they are mentioned first, whatever
    the order of their clusters.

    index (EncodingIndex): The batch.
    RETURNS (Tensor): [N] int64. The numbers, from 0; those that begin at the same token share one.
    """
    first, farthest = index.entity_start, torch.iinfo(torch.int64).max
    others = first.new_full((index.n_docs, index.max_entities), farthest)
    others = others.index_put((index.entity_doc, index.entity_slot), first)
    return (others[index.entity_doc] < first[:, None]).sum(dim=1)


GAIN = head_factory("gain", GAINHead)
