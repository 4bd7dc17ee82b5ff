"""Attention over a graph of entities, mentions and sentences whose edges have kinds."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..encoding import EncodingIndex
from .sentences import entities_in_sentences, sentence_positions

KINDS = (
    "mention_mention",
    "coreference",
    "mention_entity",
    "sentence_sentence",
    "mention_sentence",
    "entity_sentence",
)

# What Xavier's bounds are multiplied with at the start.
GAIN = 1.414


@dataclass(frozen=True)
class TypedGraph:
    """The graph of each document (Xu et al. 2021, HeterGSAN). Its nodes are entities, mentions and
    sentences, in that order, each filled up to the most of a document. An edge joins

    - two mentions in one sentence ("mention_mention") or, which comes first, of one entity
      ("coreference"),
    - a mention with its entity ("mention_entity") and its sentence ("mention_sentence"),
    - an entity with the sentences that it is mentioned in ("entity_sentence"),
    - all sentences with each other ("sentence_sentence"),

    and no node with itself.

    kind (Tensor): [B, n, n] int64. The kind of each edge, as a number in KINDS; -1 for no edge.
    exist (Tensor): [B, n] bool. Which nodes there are.
    occurs (Tensor): [B, e, s] bool. Which entities are mentioned in which sentences.
    sentence (Tensor): [S] int64. The place of each sentence among those of its document.
    """

    kind: Tensor
    exist: Tensor
    occurs: Tensor
    sentence: Tensor

    @classmethod
    def from_index(cls, index: EncodingIndex) -> "TypedGraph":
        """index (EncodingIndex): The batch.
        RETURNS (TypedGraph): The graphs.
        """
        position, n_sentences = sentence_positions(index.sentence_doc, index.n_docs)
        is_entity, is_mention = index.is_entity, index.is_mention
        is_sentence = is_entity.new_zeros(index.n_docs, n_sentences)
        is_sentence = is_sentence.index_put((index.sentence_doc, position), is_entity.new_ones(()))
        owner = index.mentions_by_doc(index.entity_slot[index.mention_entity])
        place = index.mentions_by_doc(position[index.mention_sentence])
        of_entity = _one_hot(owner, index.max_entities) & is_mention[:, :, None]
        in_sentence = _one_hot(place, n_sentences) & is_mention[:, :, None]
        occurs = entities_in_sentences(index)
        sentences = is_sentence[:, :, None] & is_sentence[:, None]
        exist = torch.cat([is_entity, is_mention, is_sentence], dim=1)
        kind = index.mention_doc.new_full((*exist.shape, exist.shape[1]), -1)
        stops = (index.max_entities, index.max_entities + index.max_mentions, exist.shape[1])
        entity, mention, sentence = map(slice, (0, *stops), stops)
        for rows, columns, name, edges in (
            (mention, mention, "mention_mention", _meet(in_sentence, in_sentence)),
            (mention, mention, "coreference", _meet(of_entity, of_entity)),
            (mention, entity, "mention_entity", of_entity),
            (sentence, sentence, "sentence_sentence", sentences),
            (mention, sentence, "mention_sentence", in_sentence),
            (entity, sentence, "entity_sentence", occurs),
        ):
            kind[:, rows, columns].masked_fill_(edges, KINDS.index(name))
            kind[:, columns, rows].masked_fill_(edges.transpose(1, 2), KINDS.index(name))
        kind.diagonal(dim1=1, dim2=2).fill_(-1)
        return cls(kind, exist, occurs, position)

    def nodes(
        self, entity: Tensor, mention: Tensor, sentence: Tensor, index: EncodingIndex
    ) -> Tensor:
        """Bring vectors into the order of the nodes.

        entity (Tensor): [N, d] float; mention (Tensor): [M, d] and sentence (Tensor): [S, d].
        index (EncodingIndex): The batch.
        RETURNS (Tensor): [B, n, d] The nodes, zero where there is none.
        """
        sentences = sentence.new_zeros(index.n_docs, self.occurs.shape[2], sentence.shape[1])
        sentences = sentences.index_put((index.sentence_doc, self.sentence), sentence)
        parts = (index.entities_by_doc(entity), index.mentions_by_doc(mention), sentences)
        return torch.cat(parts, dim=1)


def _one_hot(number: Tensor, n: int) -> Tensor:
    return number[..., None] == torch.arange(n, device=number.device)


def _meet(one: Tensor, other: Tensor) -> Tensor:
    """[B, x, y] bool. Which rows of two [B, x, k] and [B, y, k] have a column in common."""
    meet: Tensor = one.float() @ other.float().transpose(1, 2) > 0
    return meet


class TypedAttention(nn.Module):
    """A layer of HeterGSAN (Xu et al. 2021), as in the authors' code: with the nodes u after a
    layer norm, each head attends to a node's neighbours,

        h_i = W u_i,  o_i = ReLU(sum_j a_ij h_j)
        a_ij = softmax_j(LeakyReLU(w_k' [h_i; h_j] + b_k))

    where k is the kind of the edge between i and j. A node without any gets zeros.

    width (int): The width of a node.
    n_outputs (int): The width of what comes out, of all heads together.
    heads (int): The number of heads, a divisor of `n_outputs`.
    """

    def __init__(self, width: int, n_outputs: int, heads: int) -> None:
        super().__init__()
        part = n_outputs // heads
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.values = nn.Linear(width, n_outputs, bias=False)
        nn.init.xavier_uniform_(self.values.weight, gain=GAIN)
        # The weights of h_i, the node that asks, and of h_j, for each head and kind of edge.
        self.asking = nn.Parameter(torch.empty(heads, len(KINDS), part))
        self.asked = nn.Parameter(torch.empty(heads, len(KINDS), part))
        self.bias = nn.Parameter(torch.zeros(heads, len(KINDS)))
        bound = GAIN * math.sqrt(6 / (2 * part + 1))
        for weight in (self.asking, self.asked):
            nn.init.uniform_(weight, -bound, bound)

    def forward(self, node: Tensor, kind: Tensor) -> Tensor:
        """node (Tensor): [B, n, d] float. The nodes.
        kind (Tensor): [B, n, n] int64. The kind of each edge, -1 for none; the same both ways.
        RETURNS (Tensor): [B, n, n_outputs] What they attend to.
        """
        heads = self.asking.shape[0]
        values = self.values(self.norm(node)).unflatten(2, (heads, -1)).transpose(1, 2)
        asking = values @ self.asking.transpose(1, 2) + self.bias[:, None]  # [B, heads, n, kinds]
        asked = values @ self.asked.transpose(1, 2)
        of_edge = kind.clamp(min=0)[:, None].expand(-1, heads, -1, -1)
        scores = asking.gather(3, of_edge) + asked.gather(3, of_edge).transpose(2, 3)
        is_edge = (kind >= 0)[:, None]
        has_edge = is_edge.any(dim=3, keepdim=True)
        scores = nn.functional.leaky_relu(scores).masked_fill(~is_edge & has_edge, float("-inf"))
        found = (torch.softmax(scores, dim=3) * has_edge) @ values
        return torch.relu(found).transpose(1, 2).flatten(2)
