"""Bilinear forms of entities that are the mean of their mentions."""

import math

import torch
from torch import Tensor, nn

from ..encoding import Encoding, EncodingIndex
from .bilinear import RelationBilinear
from .distance import DistanceEmbedding, distance_bins
from .reduction import Reduced, reduced_mentions
from .segments import segment_mean


class PooledBilinear(nn.Module):
    """A bilinear form for each output, e_s' W_k e_o + b_k, of entities that are the mean of their
    mentions.

    With embeddings of the distance between the entities (see `distance_bins`), the form is that of
    [e_s; D(d_so)] and [e_o; D(d_os)].

    width (int): Width of the encoder's vectors.
    n_outputs (int): The number of outputs.
    reduced_width (int): Width that mentions are reduced to, by a linear layer and ReLU; 0 leaves
        them as they are.
    reduce (Reduced): What is reduced, see `reduced_mentions`.
    distance_width (int): Width of the embeddings of distances; 0 for none.
    dropout (float): The dropout rate of the entities in training.
    """

    def __init__(
        self,
        width: int,
        n_outputs: int,
        *,
        reduced_width: int,
        reduce: Reduced = "mentions",
        distance_width: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.reduce = reduce
        self.dropout = nn.Dropout(dropout)
        entity_width = reduced_width or width
        self.reduction = nn.Linear(width, reduced_width) if reduced_width else None
        self.bilinear = RelationBilinear(entity_width, n_outputs)
        self.distance: DistanceBilinear | None = None
        if distance_width:
            self.distance = DistanceBilinear(entity_width, distance_width, n_outputs)

    def forward(self, encoding: Encoding) -> Tensor:
        """encoding (Encoding): The batch.
        RETURNS (Tensor): [P, n_outputs] The forms of all candidate pairs.
        """
        return self.of_entities(self.entities(encoding), encoding.index)

    def entities(self, encoding: Encoding) -> Tensor:
        """encoding (Encoding): The batch.
        RETURNS (Tensor): [N, reduced width] The entities.
        """
        mention = reduced_mentions(encoding, self.reduction, self.reduce)
        index = encoding.index
        return self.dropout(segment_mean(mention, index.mention_entity, index.n_entities))

    def of_entities(self, entity: Tensor, index: EncodingIndex) -> Tensor:
        """entity (Tensor): [N, reduced width] float. The entities.
        index (EncodingIndex): The batch.
        RETURNS (Tensor): [P, n_outputs] The forms of all candidate pairs.
        """
        outputs = self.bilinear(entity[:, None], index)
        if self.distance is not None:
            outputs = outputs + self.distance(entity, index)
        return outputs


class DistanceBilinear(nn.Module):
    """What embeddings of the distance add to a bilinear form when they are joined with both
    entities:

        [e_s; D_so]' W [e_o; D_os] - e_s' W_ee e_o
            = e_s' W_ed D_os + D_so' W_de e_o + D_so' W_dd D_os

    There are few distances, so each term is a table by entity and distance, or by distances, that
    the pairs are looked up in.

    width (int): Width of the entities.
    distance_width (int): Width of the embeddings.
    n_outputs (int): The number of outputs, R.
    """

    def __init__(self, width: int, distance_width: int, n_outputs: int) -> None:
        super().__init__()
        self.embedding = DistanceEmbedding(distance_width)
        self.of_head = nn.Parameter(torch.empty(n_outputs, width, distance_width))
        self.of_tail = nn.Parameter(torch.empty(n_outputs, distance_width, width))
        self.of_both = nn.Parameter(torch.empty(n_outputs, distance_width, distance_width))
        for weight in (self.of_head, self.of_tail, self.of_both):
            nn.init.normal_(weight, std=1 / math.sqrt(weight[0].numel()))

    def forward(self, entity: Tensor, index: EncodingIndex) -> Tensor:
        """entity (Tensor): [N, width] float.
        index (EncodingIndex): The batch.
        RETURNS (Tensor): [P, R] The sum of the three terms.
        """
        forth, back = distance_bins(index)
        embedding = self.embedding.weight
        by_head = torch.einsum("nd,rdw,bw->nbr", entity, self.of_head, embedding)
        by_tail = torch.einsum("bw,rwd,nd->nbr", embedding, self.of_tail, entity)
        by_both = torch.einsum("aw,rwv,bv->abr", embedding, self.of_both, embedding)
        of_entities = by_head[index.pair_head, back] + by_tail[index.pair_tail, forth]
        return of_entities + by_both[forth, back]
