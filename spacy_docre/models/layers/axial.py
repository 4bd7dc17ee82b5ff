"""Axial attention over the matrix of a document's pairs."""

import torch
from torch import Tensor, nn

from .blocks import in_blocks
from .divisor import check_divides


class AxialAttention(nn.Module):
    """Each pair attends to the pairs of the same head, and to those of the same tail (Ho et al.
    2019; KD-DocRE, Tan et al. 2022, section 3.2):

        a_ht = sum_p softmax_p(q_ht' k_hp) v_hp + sum_p softmax_p(q_ht' k_pt) v_pt

    with projections and an output layer of its own for each axis, as in the authors' code. A pair
    so reaches the pairs that share an entity with it, by which a relation may follow over a third
    entity.

    width (int): The width of a pair.
    heads (int): The number of attention heads; must divide the width.
    RAISES (DocreError): If it does not.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        check_divides("heads", heads, width)
        self.heads = heads
        self.projections = nn.ModuleList(nn.Linear(width, 3 * width, bias=False) for _ in range(2))
        self.outputs = nn.ModuleList(nn.Linear(width, width) for _ in range(2))

    def forward(self, cells: Tensor, is_entity: Tensor) -> Tensor:
        """cells (Tensor): [B, n, n, d] float. The pairs by the slots of head and tail.
        is_entity (Tensor): [B, n] bool. Which slots have an entity; at least one in each document.
        RETURNS (Tensor): [B, n, n, d] What the pairs attend to. Cells of empty slots mean nothing.
        """
        by_head = self._attend(0, cells, is_entity)
        by_tail = self._attend(1, cells.transpose(1, 2), is_entity).transpose(1, 2)
        return by_head + by_tail

    def _attend(self, axis: int, cells: Tensor, is_entity: Tensor) -> Tensor:
        """[B, n, n, d] Each row of the matrices by itself."""
        n_docs, n = cells.shape[:2]
        mask = is_entity[:, None].expand(n_docs, n, n).flatten(0, 1)

        def rows(cells: Tensor, mask: Tensor) -> Tensor:
            projected = self.projections[axis](cells).unflatten(2, (3, self.heads, -1))
            query, key, value = projected.permute(2, 0, 3, 1, 4)  # each [rows, heads, n, d / heads]
            attended = nn.functional.scaled_dot_product_attention(
                query, key, value, attn_mask=mask[:, None, None]
            )
            output: Tensor = self.outputs[axis](attended.transpose(1, 2).flatten(2))
            return output

        items_per_row = n * max(3 * cells.shape[3], self.heads * n)
        attended = in_blocks(rows, cells.flatten(0, 1), mask, items_per_row=items_per_row)
        return attended.unflatten(0, (n_docs, n))


class AxialTransformer(nn.Module):
    """Layers of axial attention (KD-DocRE, as in the authors' code): in each

        x = LayerNorm(W (x + AxialAttention(x)) + b)

    and what comes out is added to what came in.

    width (int): The width of a pair.
    layers (int): The number of layers; 0 for none.
    heads (int): The number of attention heads; must divide the width.
    """

    def __init__(self, width: int, *, layers: int, heads: int) -> None:
        super().__init__()
        self.attentions = nn.ModuleList(AxialAttention(width, heads) for _ in range(layers))
        self.linears = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))

    def forward(self, cells: Tensor, is_entity: Tensor) -> Tensor:
        """cells (Tensor): [B, n, n, d] float. The pairs by the slots of head and tail.
        is_entity (Tensor): [B, n] bool. Which slots have an entity.
        RETURNS (Tensor): [B, n, n, d] The pairs, aware of each other.
        """
        # Of a document without entities, nothing is read; but a softmax needs something to sum to.
        first = torch.arange(is_entity.shape[1], device=is_entity.device) == 0
        is_entity = is_entity | (first & ~is_entity.any(dim=1, keepdim=True))
        found = cells
        for attention, linear, norm in zip(self.attentions, self.linears, self.norms, strict=True):
            found = norm(linear(found + attention(found, is_entity)))
        return found + cells if len(self.attentions) else cells
