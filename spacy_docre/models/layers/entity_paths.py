"""Paths between entities over a third one."""

import torch
from torch import Tensor, nn

from ..encoding import EncodingIndex
from .blocks import in_blocks
from .pair_map import shares_sentence


class EntityPaths(nn.Module):
    """The inference of GAIN (Zeng et al. 2020, sections 3.3 and 3.4). Entities with mentions in one
    sentence are joined by an edge; two of these make a path over a third entity o, and a pair
    attends to its paths,

        e_ij = ReLU(W_q [n_i; n_j] + b_q)
        p_o = [e_ho; e_ot; e_to; e_oh]
        p_ht = ReLU(W_p sum_o alpha_o p_o + b_p),  alpha = softmax_o([e_h; e_t]' W_l p_o)

    where n is the entity as the last layer of the mentions' graph has it, and e_h as all layers
    have. Of a pair without a path the sum is zero. W_p and the place of dropout are from the
    authors' code.

    node_width (int): The width of n, of an edge and of a quarter of p.
    entity_width (int): The width of e_h.
    dropout (float): The dropout rate of edges and of p_ht, in training.
    """

    def __init__(self, node_width: int, entity_width: int, dropout: float) -> None:
        super().__init__()
        self.start = nn.Linear(node_width, node_width)
        self.end = nn.Linear(node_width, node_width, bias=False)
        self.ask_head = nn.Linear(entity_width, 4 * node_width, bias=False)
        self.ask_tail = nn.Linear(entity_width, 4 * node_width, bias=False)
        self.mapping = nn.Linear(4 * node_width, 4 * node_width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, node: Tensor, entity: Tensor, index: EncodingIndex) -> Tensor:
        """node (Tensor): [N, d] float. The entities n.
        entity (Tensor): [N, b] float. The entities e.
        index (EncodingIndex): The batch.
        RETURNS (Tensor): [P, 4 d] The paths p_ht of each pair.
        """
        start = index.entities_by_doc(self.start(node))
        end = index.entities_by_doc(self.end(node))
        edges = self.dropout(torch.relu(start[:, :, None] + end[:, None]))
        joined = shares_sentence(index) & ~torch.eye(
            index.max_entities, dtype=torch.bool, device=edges.device
        )
        head, tail = self.ask_head(entity), self.ask_tail(entity)

        def of_pairs(h: Tensor, t: Tensor, doc: Tensor) -> Tensor:
            """[P', 4 d] Before the mapping."""
            query = (head[h] + tail[t]).unflatten(1, (4, -1))
            h, t = index.entity_slot[h], index.entity_slot[t]
            steps = (edges[doc, h], edges[doc, :, t], edges[doc, t], edges[doc, :, h])
            scores = sum(
                (step @ query[:, part, :, None]).squeeze(2) for part, step in enumerate(steps)
            )
            is_path = joined[doc, h] & joined[doc, t]
            has_path = is_path.any(dim=1, keepdim=True)
            scores = scores.masked_fill(~is_path & has_path, float("-inf"))
            weights = torch.softmax(scores, dim=1) * has_path
            return torch.cat([(weights[:, None] @ step).squeeze(1) for step in steps], dim=1)

        sides = (index.pair_head, index.pair_tail, index.pair_doc)
        items_per_row = 4 * index.max_entities * node.shape[1]
        paths = in_blocks(of_pairs, *sides, items_per_row=items_per_row)
        mapped: Tensor = self.dropout(torch.relu(self.mapping(paths)))
        return mapped
