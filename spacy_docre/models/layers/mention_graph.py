"""Graph convolution over the mentions of documents and the documents themselves."""

import torch
from torch import Tensor, nn

from ..encoding import EncodingIndex
from .segments import segment_sum


class MentionGraph:
    """The graph of each document (Zeng et al. 2020, GAIN, section 3.2). Its nodes are the mentions
    and the document. Three types of edges, all undirected, join

    - the mentions of an entity with each other ("intra"),
    - the mentions of a sentence that are of different entities ("inter"),
    - the document with each mention ("document").

    Edges among mentions, whose number is quadratic, are never listed: a sum over "all others" is
    the sum over all without some.

    index (EncodingIndex): The batch.
    """

    def __init__(self, index: EncodingIndex) -> None:
        self.index = index
        key = index.mention_sentence * max(1, index.n_entities) + index.mention_entity
        groups, self.group = torch.unique(key, return_inverse=True)
        self.n_groups = len(groups)
        self.of_entity = torch.bincount(index.mention_entity, minlength=index.n_entities)
        self.of_sentence = torch.bincount(index.mention_sentence, minlength=index.n_sentences)
        self.of_group = torch.bincount(self.group, minlength=self.n_groups)
        self.of_doc = torch.bincount(index.mention_doc, minlength=index.n_docs)

    def intra(self, mention: Tensor) -> Tensor:
        """mention (Tensor): [M, d] float.
        RETURNS (Tensor): [M, d] The mean of the entity's other mentions; zero for none.
        """
        owner = self.index.mention_entity
        total = segment_sum(mention, owner, self.index.n_entities)
        return _mean(total[owner] - mention, self.of_entity[owner] - 1)

    def inter(self, mention: Tensor) -> Tensor:
        """mention (Tensor): [M, d] float.
        RETURNS (Tensor): [M, d] The mean of the sentence's mentions of other entities; zero for
            none.
        """
        sentence = self.index.mention_sentence
        total = segment_sum(mention, sentence, self.index.n_sentences)[sentence]
        own = segment_sum(mention, self.group, self.n_groups)[self.group]
        return _mean(total - own, self.of_sentence[sentence] - self.of_group[self.group])

    def of_document(self, mention: Tensor) -> Tensor:
        """mention (Tensor): [M, d] float.
        RETURNS (Tensor): [B, d] The mean of the document's mentions; zero for none.
        """
        total = segment_sum(mention, self.index.mention_doc, self.index.n_docs)
        return _mean(total, self.of_doc)


def _mean(total: Tensor, number: Tensor) -> Tensor:
    return total / number.clamp(min=1)[:, None]


class MentionGraphLayer(nn.Module):
    """One layer (Zeng et al. 2020, GAIN, section 3.2), as in the authors' code:

        h_u' = ReLU(sum_k mean_{v in N_k(u)} W_k h_v + W_0 h_u + b)

    where the paper's equation has a sum over the neighbours, and no W_0.

    width (int): The width of a node.
    dropout (float): The dropout rate of what comes out, in training.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        edges = ("intra", "inter", "document")
        self.edges = nn.ModuleDict({edge: nn.Linear(width, width, bias=False) for edge in edges})
        self.own = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        for weight in (parameter for parameter in self.parameters() if parameter.dim() > 1):
            nn.init.xavier_uniform_(weight, gain=nn.init.calculate_gain("relu"))
        nn.init.zeros_(self.own.bias)

    def forward(
        self, mention: Tensor, document: Tensor, graph: MentionGraph
    ) -> tuple[Tensor, Tensor]:
        """mention (Tensor): [M, d] float. The mentions.
        document (Tensor): [B, d] float. The documents.
        graph (MentionGraph): The graph.
        RETURNS (tuple[Tensor, Tensor]): [M, d] and [B, d] What they become.
        """
        to_mention = (
            self.own(mention)
            + self.edges["intra"](graph.intra(mention))
            + self.edges["inter"](graph.inter(mention))
            + self.edges["document"](document)[graph.index.mention_doc]
        )
        to_document = self.own(document) + self.edges["document"](graph.of_document(mention))
        return self.dropout(torch.relu(to_mention)), self.dropout(torch.relu(to_document))
