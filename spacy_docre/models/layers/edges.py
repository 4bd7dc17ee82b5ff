"""The edges among the mentions, entities and sentences of documents, as vectors."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from ..encoding import Encoding, EncodingIndex
from .distance import N_LEVELS, START, levels
from .pooling import mention_means, sentence_means
from .segments import segment_mean


@dataclass(frozen=True)
class Edges:
    """The edges of a document, whose n nodes are its entities, mentions and sentences, in that
    order.

    vectors (Tensor): [n, n, d] float. One for each ordered pair of nodes; zero for no edge.
    exist (Tensor): [n, n] bool. Which nodes are joined; no node is joined with itself.
    n_entities (int): How many of the nodes are entities.
    """

    vectors: Tensor
    exist: Tensor
    n_entities: int


class DocumentEdges(nn.Module):
    """What EoG (Christopoulou et al. 2019, section 2) knows of two nodes before walking.
    A node is the mean of its words (of its mentions, for an entity) and an embedding of its kind;
    an edge is a linear layer, one for each kind, over both,

        mention, mention   [m_i; m_j; c_ij; d_ij]  in one sentence
        mention, entity    [m; e]                  of that entity
        mention, sentence  [m; s]                  in that sentence
        entity, sentence   [e; s]                  with a mention in that sentence
        sentence, sentence [s_i; s_j; d_ij]

    where c_ij is the mean of what both mentions attend to in their sentence, but for their own
    words, softmax_w(m_i' w), and d_ij an embedding of the words or sentences between. An edge
    that is gone backwards has the nodes in the other order, as in the authors' code. Entities have
    no edges among themselves: these are what the walks find.

    Distances are in bins of powers of two, where the code has an embedding for each.

    width (int): The width of the encoder.
    type_width (int): The width of the embeddings of kinds of nodes.
    distance_width (int): The width of the embeddings of distances.
    edge_width (int): The width of an edge.
    context (bool): Whether mentions have a context c_ij.
    """

    def __init__(
        self,
        width: int,
        *,
        type_width: int,
        distance_width: int,
        edge_width: int,
        context: bool,
    ) -> None:
        super().__init__()
        self.node_type = nn.Parameter(START * torch.randn(3, type_width))
        self.distance = nn.Parameter(START * torch.randn(N_LEVELS, distance_width))
        kinds = (
            *("mention_mention", "mention_entity", "mention_sentence"),
            *("entity_sentence", "sentence_sentence"),
        )
        node = width + type_width
        self.ends = nn.ModuleDict(
            {kind: nn.Linear(2 * node, edge_width, bias=False) for kind in kinds}
        )
        self.far = nn.ModuleDict(
            {
                kind: nn.Linear(distance_width, edge_width, bias=False)
                for kind in ("mention_mention", "sentence_sentence")
            }
        )
        self.context: nn.Linear | None = None
        if context:
            self.context = nn.Linear(width, edge_width, bias=False)

    def forward(self, encoding: Encoding) -> list[Edges]:
        """encoding (Encoding): The batch. The vectors and attention of mentions are not used.
        RETURNS (list[Edges]): The edges of each document.
        """
        index = encoding.index
        mention = mention_means(encoding)
        entity = segment_mean(mention, index.mention_entity, index.n_entities)
        vectors = (mention, entity, sentence_means(encoding))
        m, e, s = (
            torch.cat([vector, kind.expand(len(vector), -1)], dim=1)
            for vector, kind in zip(vectors, self.node_type, strict=True)
        )
        context: Tensor | None = None
        if self.context is not None:
            context = self.context(mention_contexts(encoding, mention))
        return [
            Edges(
                self._vectors(m[own.mentions], e[own.entities], s[own.sentences], own, context),
                own.exist,
                own.n_entities,
            )
            for own in documents(index)
        ]

    def _vectors(
        self, m: Tensor, e: Tensor, s: Tensor, own: "DocumentNodes", context: Tensor | None
    ) -> Tensor:
        """[n, n, d] The edges of a document, by its nodes."""
        mentions = self._between("mention_mention", m, m)
        mentions = mentions + self._distances("mention_mention", own.words_apart)
        if context is not None:
            of_mention = context[own.mentions]
            mentions = mentions + (of_mention[:, None] + of_mention) / 2
        sentences = self._between("sentence_sentence", s, s)
        sentences = sentences + self._distances("sentence_sentence", own.sentences_apart)
        none = e.new_zeros(len(e), len(e), mentions.shape[2])
        e_m, m_e = self._both_ways("mention_entity", e, m)
        e_s, s_e = self._both_ways("entity_sentence", e, s)
        m_s, s_m = self._both_ways("mention_sentence", m, s)
        rows = ((none, e_m, e_s), (m_e, mentions, m_s), (s_e, s_m, sentences))
        vectors = torch.cat([torch.cat(row, dim=1) for row in rows])
        return vectors * own.exist[..., None]

    def _between(self, kind: str, first: Tensor, second: Tensor) -> Tensor:
        """[n, m, d] The layer over each two nodes, of which each half is taken once a node."""
        left, right = self.ends[kind].get_parameter("weight").chunk(2, dim=1)
        return (first @ left.T)[:, None] + second @ right.T

    def _both_ways(self, kind: str, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        return self._between(kind, first, second), self._between(kind, second, first)

    def _distances(self, kind: str, distance: Tensor) -> Tensor:
        return nn.functional.embedding(levels(distance), self.far[kind](self.distance))


@dataclass(frozen=True)
class DocumentNodes:
    """Which entities, mentions and sentences are a document's, and how these stand to each other.

    entities (slice): Its entities in the batch; mentions (slice) and sentences (slice) likewise.
    owner (Tensor): [m] int64. The entity of each mention, counted in the document.
    sentence (Tensor): [m] int64. The sentence of each mention, counted in the document.
    start (Tensor): [m] int64. Its first token.
    last (Tensor): [m] int64. Its last token.
    """

    entities: slice
    mentions: slice
    sentences: slice
    owner: Tensor
    sentence: Tensor
    start: Tensor
    last: Tensor

    @property
    def n_entities(self) -> int:
        """The number of its entities."""
        return self.entities.stop - self.entities.start

    @property
    def words_apart(self) -> Tensor:
        """[m, m] int64. How far apart its mentions are: from the last word of one to the first of
        the other; for mentions that share words, from the last word to the last."""
        ahead = self.start - self.last[:, None]
        apart = torch.maximum(ahead, ahead.T)
        return torch.where(apart > 0, apart, (self.last - self.last[:, None]).abs())

    @property
    def sentences_apart(self) -> Tensor:
        """[s, s] int64. How far apart its sentences are."""
        number = torch.arange(self.sentences.stop - self.sentences.start, device=self.owner.device)
        return (number - number[:, None]).abs()

    @cached_property
    def exist(self) -> Tensor:
        """[n, n] bool. Which of its nodes are joined, see `DocumentEdges`: entities first, then
        mentions, then sentences."""
        n_mentions = len(self.owner)
        n = self.n_entities + n_mentions + self.sentences.stop - self.sentences.start
        exist = torch.zeros(n, n, dtype=torch.bool, device=self.owner.device)
        mention = self.n_entities + torch.arange(n_mentions, device=self.owner.device)
        sentence = self.n_entities + n_mentions + self.sentence
        for one, other in (
            (mention, self.owner),
            (mention, sentence),
            (self.owner, sentence),
        ):
            exist[one, other] = True
            exist[other, one] = True
        mentions = slice(self.n_entities, self.n_entities + n_mentions)
        exist[mentions, mentions] = self.sentence == self.sentence[:, None]
        exist[mentions.stop :, mentions.stop :] = True
        return exist.fill_diagonal_(False)


def documents(index: EncodingIndex) -> Iterator[DocumentNodes]:
    """The nodes of each document of a batch.

    index (EncodingIndex): The batch.
    YIELDS (DocumentNodes): The nodes of a document.
    """
    owners = (index.entity_doc, index.mention_doc, index.sentence_doc)
    stops = torch.stack(
        [torch.bincount(owner, minlength=index.n_docs).cumsum(0) for owner in owners], dim=1
    ).tolist()
    for starts, ends in zip([[0, 0, 0], *stops], stops, strict=False):
        entities, mentions, sentences = map(slice, starts, ends)
        yield DocumentNodes(
            entities,
            mentions,
            sentences,
            index.mention_entity[mentions] - entities.start,
            index.mention_sentence[mentions] - sentences.start,
            index.mention_start[mentions],
            index.mention_end[mentions] - 1,
        )


def mention_contexts(encoding: Encoding, mention: Tensor) -> Tensor:
    """What each mention attends to in its sentence, but for its own words: softmax_w(m' w).

    encoding (Encoding): The batch.
    mention (Tensor): [M, d] float. The mentions.
    RETURNS (Tensor): [M, d] The contexts; zero where the sentence has no other words.
    """
    index = encoding.index
    scores = index.mentions_by_doc(mention) @ encoding.tokens.transpose(1, 2)
    scores = scores[index.mention_doc, index.mention_slot]  # [M, L]
    is_near = index.column_sentence[index.mention_doc] == index.mention_sentence[:, None]
    column = index.span_cell % encoding.tokens.shape[1]
    is_near = is_near.index_put((index.span_mention, column), is_near.new_zeros(()))
    is_alone = ~is_near.any(dim=1, keepdim=True)
    scores = scores.masked_fill(~(is_near | is_alone), float("-inf"))
    weights = torch.softmax(scores, dim=1).masked_fill(is_alone, 0)
    contexts = index.mentions_by_doc(weights) @ encoding.tokens
    return contexts[index.mention_doc, index.mention_slot]
