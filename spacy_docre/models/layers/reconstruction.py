"""Paths between entities, and how likely a network finds them again."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ..encoding import EncodingIndex
from .blocks import in_blocks
from .pair_map import shares_sentence
from .pair_tables import PairTables
from .typed_graph import TypedGraph

# The nodes of the longest path.
MAX_STEPS = 6


@dataclass(frozen=True)
class Paths:
    """One path through the graph for each candidate pair, from head to tail.

    nodes (Tensor): [P, 6] int64. Its nodes in the graph; the tail again behind its end.
    length (Tensor): [P] int64. How many there are.
    """

    nodes: Tensor
    length: Tensor

    @property
    def is_step(self) -> Tensor:
        """[P, 6] bool. What is not behind the path's end."""
        steps = torch.arange(MAX_STEPS, device=self.length.device)
        return steps < self.length[:, None]


@torch.no_grad()
def find_paths(index: EncodingIndex, graph: TypedGraph) -> Paths:
    """Find a path for each candidate pair along one of the meta-paths of HeterGSAN (Xu et al.
    2021), the first for which there is one:

    - entity, mention, mention, entity: both are mentioned in one sentence;
    - entity, mention, mention, mention, mention, entity: each is mentioned in a sentence with a
      third entity, over two mentions of which the path leads;
    - entity, sentence, sentence, entity: from a sentence of one to a sentence of the other.

    Of several paths the authors' code takes the first by the numbers of nodes; here it is the first
    third entity, the first sentence and the first mention in the order of the text, so that a
    path is the same from tail to head.

    index (EncodingIndex): The batch.
    graph (TypedGraph): The graph.
    RETURNS (Paths): The paths.
    """
    occurs = graph.occurs
    shared = shares_sentence(index)
    order = index.mention_place.argsort(stable=True)
    rank = order.argsort()
    last = index.n_mentions
    of_entity = rank.new_full((index.n_entities,), last)
    of_entity = of_entity.scatter_reduce(0, index.mention_entity, rank, reduce="amin")
    entity_rank = rank.new_full(occurs.shape[:2], last)
    entity_rank = entity_rank.index_put((index.entity_doc, index.entity_slot), of_entity)
    owner = index.entity_slot[index.mention_entity]
    _, n_entities, n_sentences = occurs.shape
    cell = (index.mention_doc * n_entities + owner) * n_sentences
    cell = cell + graph.sentence[index.mention_sentence]
    first = rank.new_full((occurs.numel(),), last)
    first = first.scatter_reduce(0, cell, rank, reduce="amin").view(occurs.shape)
    # Where an entity is not mentioned, whatever is read is not used.
    mention = n_entities + index.mention_slot[order][first.clamp(max=last - 1)]
    first_sentence = n_entities + index.max_mentions + _first(occurs)

    def of_pairs(h: Tensor, t: Tensor, doc: Tensor) -> Tensor:
        """[P', 7] The nodes, and how many."""
        both = occurs[doc, h] & occurs[doc, t]
        between = shared[doc, h] & shared[doc, t]
        o = entity_rank[doc].masked_fill(~between, last).argmin(dim=1)
        s = _first(both)
        s_h, s_t = (_first(occurs[doc, o] & occurs[doc, x]) for x in (h, t))
        in_sentence = (h, mention[doc, h, s], mention[doc, t, s], t, t, t)
        to_third = (h, mention[doc, h, s_h], mention[doc, o, s_h])
        from_third = (mention[doc, o, s_t], mention[doc, t, s_t], t)
        over_sentences = (h, first_sentence[doc, h], first_sentence[doc, t], t, t, t)
        is_near, has_third = both.any(dim=1, keepdim=True), between.any(dim=1, keepdim=True)
        far = torch.stack((*to_third, *from_third), dim=1).where(
            has_third, torch.stack(over_sentences, dim=1)
        )
        nodes = torch.stack(in_sentence, dim=1).where(is_near, far)
        length = torch.where(has_third & ~is_near, MAX_STEPS, 4)
        return torch.cat([nodes, length], dim=1)

    heads, tails = index.entity_slot[index.pair_head], index.entity_slot[index.pair_tail]
    items_per_row = 2 * n_entities + n_sentences
    found = in_blocks(of_pairs, heads, tails, index.pair_doc, items_per_row=items_per_row)
    return Paths(found[:, :-1], found[:, -1])


def _first(exist: Tensor) -> Tensor:
    """[...] int64. The first column that is true, of [..., k] bool."""
    return exist.to(torch.uint8).argmax(dim=-1)


class PathReconstructor(nn.Module):
    """The reconstructor of HeterGSAN (Xu et al. 2021), as in the authors' code. An LSTM that begins
    with what is known of a pair, z, reads the nodes u of a path and is to tell the next of each,
    among the neighbours of the last or, for the first, among all nodes,

        h_0 = ReLU(W_h z + b_h),  c_0 = ReLU(W_c z + b_c),  h_k = LSTM(u_(k-1), h_(k-1))
        P(n_k) = softmax(h_k' ReLU(W n_j + b))

    where a learned vector is the input of the first step, and another is always among what can be
    chosen, as none of them.

    width (int): The width of a node.
    pair_width (int): The width of z.
    dropout (float): The dropout rate of the nodes that are read, in training.
    """

    def __init__(self, width: int, pair_width: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(pair_width, width)
        self.cell = nn.Linear(pair_width, width)
        # The gates of the LSTM in PyTorch's order; a node's share of them is computed once for it.
        self.input = nn.Linear(width, 4 * width)
        self.recurrent = nn.Linear(width, 4 * width, bias=False)
        self.key = nn.Linear(width, width)
        self.start = nn.Parameter(torch.zeros(width))
        self.none = nn.Parameter(torch.zeros(width))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        node: Tensor,
        hidden: PairTables,
        cell: PairTables,
        key: Tensor,
        paths: Paths,
        graph: TypedGraph,
        index: EncodingIndex,
    ) -> Tensor:
        """node (Tensor): [B, n, d] float. The nodes.
        hidden (PairTables): What the layer `hidden` makes of the pairs.
        cell (PairTables): What the layer `cell` does.
        key (Tensor): [P, 4] int64. The pairs' places in these.
        paths (Paths): The paths.
        graph (TypedGraph): The graph.
        index (EncodingIndex): The batch.
        RETURNS (Tensor): [P, 6] The log-odds of each step; zero behind the path's end.
        """
        inputs = self.input(self.dropout(node))
        keys, none = torch.relu(self.key(node)), torch.relu(self.key(self.none))
        start = self.input(self.start)
        counts = torch.bincount(index.pair_doc, minlength=index.n_docs).tolist()
        found = []
        # Pairs are sorted by their documents.
        of_docs = (rows.split(counts) for rows in (key, paths.nodes))
        for doc, rows in enumerate(zip(*of_docs, strict=True)):
            is_neighbour = graph.kind[doc] >= 0
            of_document = partial(
                self._log_odds,
                hidden=hidden,
                cell=cell,
                inputs=torch.cat([inputs[doc], start[None]]),
                keys=torch.cat([keys[doc], none[None]]),
                can_follow=torch.cat([is_neighbour, graph.exist[doc][None]]),
            )
            items_per_row = MAX_STEPS * (8 * node.shape[2] + 3 * node.shape[1])
            found.append(in_blocks(of_document, *rows, items_per_row=items_per_row))
        return torch.cat(found) * paths.is_step

    def _log_odds(
        self,
        key: Tensor,
        nodes: Tensor,
        *,
        hidden: PairTables,
        cell: PairTables,
        inputs: Tensor,
        keys: Tensor,
        can_follow: Tensor,
    ) -> Tensor:
        """[P', 6] Of the pairs of one document. The last row of `inputs` and `can_follow` is the
        start, that of `keys` is none of the nodes."""
        found = []
        h, c = torch.relu(hidden.rows(key)), torch.relu(cell.rows(key))
        last = torch.full_like(nodes[:, 0], len(inputs) - 1)
        for wanted in nodes.unbind(dim=1):
            gates = inputs[last] + self.recurrent(h)
            enter, forget, new, leave = gates.chunk(4, dim=1)
            c = torch.sigmoid(forget) * c + torch.sigmoid(enter) * torch.tanh(new)
            h = torch.sigmoid(leave) * torch.tanh(c)
            scores = h @ keys.T
            is_other = nn.functional.pad(can_follow[last], (0, 1), value=True)
            is_other = is_other.scatter(1, wanted[:, None], False)
            others = scores.masked_fill(~is_other, float("-inf")).logsumexp(dim=1)
            found.append(scores.gather(1, wanted[:, None])[:, 0] - others)
            last = wanted
        return torch.stack(found, dim=1)
