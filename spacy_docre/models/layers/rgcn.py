"""Relational graph convolution over the mentions, entities and sentences of documents."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ..encoding import EncodingIndex
from .segments import segment_sum

Normalisation = Literal["type", "degree"]
Neighbours = dict[str, tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Nodes:
    """The vectors of the nodes of a batch.

    mention (Tensor): [M, d] float.
    entity (Tensor): [N, d] float.
    sentence (Tensor): [S, d] float.
    """

    mention: Tensor
    entity: Tensor
    sentence: Tensor


class DocumentGraph:
    """The graph of each document (Wang et al. 2020, GLRE, section 3.2). Five types of edges, all
    undirected, join

    - the mentions of a sentence with each other,
    - a mention with its entity,
    - a mention with the sentence that it starts in,
    - an entity with each sentence that one of its mentions starts in, once,
    - all sentences of a document with each other.

    A node is no neighbour of itself, and entities are not joined with each other. The edges among
    the mentions of a sentence and among sentences, whose number is quadratic, are never listed: a
    sum over "all others" is the sum over all without the node itself.

    index (EncodingIndex): The batch.
    """

    def __init__(self, index: EncodingIndex) -> None:
        self.index = index
        n_sentences = max(1, index.n_sentences)
        edges = torch.unique(index.mention_entity * n_sentences + index.mention_sentence)
        self.edge_entity, self.edge_sentence = edges // n_sentences, edges % n_sentences
        self.mentions_of_entity = _count(index.mention_entity, index.n_entities)
        self.mentions_of_sentence = _count(index.mention_sentence, index.n_sentences)
        self.sentences_of_entity = _count(self.edge_entity, index.n_entities)
        self.entities_of_sentence = _count(self.edge_sentence, index.n_sentences)
        self.sentences_of_doc = _count(index.sentence_doc, index.n_docs)

    def of_mentions(self, nodes: Nodes) -> Neighbours:
        """For each type of edges at mentions: [M, d] float, the sum over the neighbours of each
        mention, and [M, 1] int64, their number."""
        index = self.index
        total = segment_sum(nodes.mention, index.mention_sentence, index.n_sentences)
        one = torch.ones_like(index.mention_entity)[:, None]
        return {
            "mention_mention": (
                total[index.mention_sentence] - nodes.mention,
                self.mentions_of_sentence[index.mention_sentence] - 1,
            ),
            "mention_entity": (nodes.entity[index.mention_entity], one),
            "mention_sentence": (nodes.sentence[index.mention_sentence], one),
        }

    def of_entities(self, nodes: Nodes) -> Neighbours:
        """The same for entities: sums [N, d] and numbers [N, 1]."""
        index = self.index
        sentences = nodes.sentence[self.edge_sentence]
        return {
            "mention_entity": (
                segment_sum(nodes.mention, index.mention_entity, index.n_entities),
                self.mentions_of_entity,
            ),
            "entity_sentence": (
                segment_sum(sentences, self.edge_entity, index.n_entities),
                self.sentences_of_entity,
            ),
        }

    def of_sentences(self, nodes: Nodes) -> Neighbours:
        """The same for sentences: sums [S, d] and numbers [S, 1]."""
        index = self.index
        total = segment_sum(nodes.sentence, index.sentence_doc, index.n_docs)
        entities = nodes.entity[self.edge_entity]
        return {
            "mention_sentence": (
                segment_sum(nodes.mention, index.mention_sentence, index.n_sentences),
                self.mentions_of_sentence,
            ),
            "entity_sentence": (
                segment_sum(entities, self.edge_sentence, index.n_sentences),
                self.entities_of_sentence,
            ),
            "sentence_sentence": (
                total[index.sentence_doc] - nodes.sentence,
                self.sentences_of_doc[index.sentence_doc] - 1,
            ),
        }


def _count(segment: Tensor, n_segments: int) -> Tensor:
    return torch.bincount(segment, minlength=n_segments)[:, None]


class RGCNLayer(nn.Module):
    """One layer (Wang et al. 2020, GLRE, section 3.2, equation 2):

        n_i' = ReLU(sum_x sum_{j in N_i^x} W_x n_j / |N_i^x| + W_0 n_i)

    With `normalisation = "degree"`, as in the authors' code, the whole sum, W_0 n_i included, is
    divided by the number of neighbours of all types plus one instead.

    edges (tuple[str, ...]): The types of the edges that the layer will meet.
    n_in (int): Width of the nodes before it.
    n_out (int): Width of the nodes after it.
    normalisation (Normalisation): "type" or "degree".
    """

    def __init__(
        self, edges: tuple[str, ...], n_in: int, n_out: int, normalisation: Normalisation
    ) -> None:
        super().__init__()
        self.by_degree = normalisation == "degree"
        self.own = nn.Linear(n_in, n_out, bias=False)
        self.edges = nn.ModuleDict({edge: nn.Linear(n_in, n_out, bias=False) for edge in edges})

    def forward(self, own: Tensor, neighbours: Neighbours) -> Tensor:
        """own (Tensor): [V, n_in] float. Nodes of one kind.
        neighbours (Neighbours): The sum [V, n_in] and number [V, 1] of their neighbours by type.
        RETURNS (Tensor): [V, n_out] The nodes after the layer.
        """
        total = self.own(own)
        degree = own.new_ones(1)
        for edge, (neighbour_sum, count) in neighbours.items():
            if not self.by_degree:
                neighbour_sum = neighbour_sum / count.clamp(min=1).to(own.dtype)
            total = total + self.edges[edge](neighbour_sum)
            degree = degree + count
        return torch.relu(total / degree if self.by_degree else total)


class RGCN(nn.Module):
    """Stacked layers over the graphs of documents, up to the entities' vectors. The last layer
    computes nothing else, so it has no weights for edges that do not end at an entity.

    n_in (int): Width of the nodes.
    width (int): Width of the entities' vectors.
    n_layers (int): The number of layers, at least 1.
    normalisation (Normalisation): "type" or "degree", see `RGCNLayer`.
    dropout (float): The dropout rate in training of the nodes and of what each layer makes of them.
    """

    def __init__(
        self,
        n_in: int,
        width: int,
        n_layers: int,
        normalisation: Normalisation,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        at_entities = ("mention_entity", "entity_sentence")
        everywhere = ("mention_mention", *at_entities, "mention_sentence", "sentence_sentence")
        widths = [n_in] + [width] * (n_layers - 1)
        self.layers = nn.ModuleList(
            RGCNLayer(everywhere, before, width, normalisation) for before in widths[:-1]
        )
        self.last = RGCNLayer(at_entities, widths[-1], width, normalisation)

    def forward(self, nodes: Nodes, graph: DocumentGraph) -> Tensor:
        """nodes (Nodes): The nodes, of width n_in.
        graph (DocumentGraph): Their edges.
        RETURNS (Tensor): [N, width] The entities.
        """
        nodes = self._drop(nodes)
        for layer in self.layers:
            after = Nodes(
                mention=layer(nodes.mention, graph.of_mentions(nodes)),
                entity=layer(nodes.entity, graph.of_entities(nodes)),
                sentence=layer(nodes.sentence, graph.of_sentences(nodes)),
            )
            nodes = self._drop(after)
        return self.dropout(self.last(nodes.entity, graph.of_entities(nodes)))

    def _drop(self, nodes: Nodes) -> Nodes:
        return Nodes(*map(self.dropout, (nodes.mention, nodes.entity, nodes.sentence)))
