"""Self-attention that knows the entity structure of its input (Xu et al. 2021, SSAN)."""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .structure import N_STRUCTURES, Structure, WindowStructure

Form = Literal["biaffine", "decomposed"]


@dataclass(frozen=True)
class StructureMasks:
    """A `WindowStructure` as the attention layers use it, its wordpieces in its order.

    near (list[Tensor]): Five of [w, 1, e, e] bool. Where each structure (from 1) holds between the
        first e wordpieces of each window.
    far (Tensor): [w, 1, e, l - e] bool. Where `Structure.INTRA_NE` holds between them and the
        others, the only one that can.
    """

    near: list[Tensor]
    far: Tensor

    @classmethod
    def of(cls, structure: WindowStructure, device: torch.device) -> "StructureMasks | None":
        """structure (WindowStructure): The structure of some windows.
        device (torch.device): The encoder's device.
        RETURNS (Optional[StructureMasks]): None if there is no mention in the windows.
        """
        if not structure.rows.shape[1]:
            return None
        return cls.of_rows(torch.from_numpy(structure.rows).to(device))

    @classmethod
    def of_rows(cls, rows: Tensor) -> "StructureMasks":
        """rows (Tensor): [w, e, l] uint8. See `WindowStructure.rows`.
        RETURNS (StructureMasks): The masks.
        """
        n_first = rows.shape[1]
        rows = rows.unsqueeze(1)
        near = [rows[..., :n_first] == s for s in Structure if s != Structure.NONE]
        return cls(near, rows[..., n_first:] == Structure.INTRA_NE)


_masks: ContextVar["StructureMasks | None"] = ContextVar("structure_masks", default=None)


class CurrentMasks:
    """Hands the masks of the windows that an encoder is running on to its layers, past a forward
    method that does not know about them; each thread its own."""

    @property
    def masks(self) -> StructureMasks | None:
        """The masks; None for no bias."""
        return _masks.get()

    @contextmanager
    def use(self, masks: StructureMasks | None) -> Iterator[None]:
        """Set the masks for a while.

        masks (Optional[StructureMasks]): The masks; None for no bias.
        """
        token = _masks.set(masks)
        try:
            yield
        finally:
            _masks.reset(token)

    def checkpoint_contexts(self) -> tuple[AbstractContextManager, AbstractContextManager]:
        """For PyTorch's `checkpoint`, as its `context_fn`: a layer that is run again in the
        backward pass sees the masks of its forward pass, whatever ran in between."""
        return nullcontext(), self.use(self.masks)


@dataclass(frozen=True)
class BiasBlocks:
    """What the structure adds to the scores of attention, where it is not zero.

    rows (Tensor): [w, K, e, l] For the first e queries.
    left (Tensor): [w, K, l - e, e] For the other queries and the first e keys.
    """

    rows: Tensor
    left: Tensor

    def dense(self, mask: Tensor | None) -> Tensor:
        """The bias in full.

        mask (Optional[Tensor]): [w, 1, 1, l] float. A mask to add for padding.
        RETURNS (Tensor): [w, K, l, l].
        """
        n_first, n_other = self.rows.shape[2], self.left.shape[2]
        rows, left = self.rows, self.left
        rest = rows.new_zeros(1, 1, 1, n_other) if mask is None else mask[..., n_first:]
        if mask is not None:
            rows, left = rows + mask, left + mask[..., :n_first]
        rest = rest.expand(*left.shape[:3], n_other)
        return torch.cat([rows, torch.cat([left, rest], dim=3)], dim=2)


class StructureBias(nn.Module):
    """The bias of one layer: for each structure s, with parameters of its own for each head,

        biaffine: q_i' B_s k_j + b_s,        decomposed: q_i u_s + v_s k_j + b_s,

    and 0 where there is no structure. As in the authors' code, B, u and v start with Xavier's
    distribution for a structure's parameters of all heads as one tensor, which makes a biaffine
    bias small beside a pretrained encoder's scores; b starts at 0.

    n_heads (int): The number of heads, K.
    head_width (int): The width d_k of each head.
    form (str): "biaffine" or "decomposed".
    current (CurrentMasks): Where the masks of the current windows are.
    """

    def __init__(self, n_heads: int, head_width: int, form: Form, current: CurrentMasks) -> None:
        super().__init__()
        self.scale = 1 / math.sqrt(head_width)
        self.current = current
        vector, matrix = (n_heads, head_width), (n_heads, head_width, head_width)
        shapes = {"bilinear": matrix} if form == "biaffine" else {"query": vector, "key": vector}
        self.weights = nn.ParameterDict(
            {
                name: torch.stack(
                    [nn.init.xavier_uniform_(torch.empty(shape)) for _ in range(N_STRUCTURES)]
                )
                for name, shape in shapes.items()
            }
        )
        self.constant = nn.Parameter(torch.zeros(N_STRUCTURES, n_heads, 1, 1))

    def forward(self, query: Tensor, key: Tensor) -> BiasBlocks | None:
        """query (Tensor): [w, K, l, d_k] The queries.
        key (Tensor): [w, K, l, d_k] The keys.
        RETURNS (Optional[BiasBlocks]): The bias over the square root of d_k; None if none of the
            windows has a mention.
        """
        masks = self.current.masks
        if masks is None:
            return None
        n_first = masks.far.shape[2]
        sizes = [n_first, query.shape[2] - n_first]
        first_query, other_query = query.split(sizes, dim=2)
        first_key, other_key = key.split(sizes, dim=2)
        # Scaled once here, not for each pair.
        weights = {name: (weight * self.scale).unbind() for name, weight in self.weights.items()}
        constant = (self.constant * self.scale).unbind()

        def scores(q: Tensor, k: Tensor, s: int) -> Tensor:
            return _scores(q, k, {name: w[s] for name, w in weights.items()}) + constant[s]

        parts = (mask * scores(first_query, first_key, s) for s, mask in enumerate(masks.near))
        near = reduce(torch.add, parts)
        outside = Structure.INTRA_NE - 1
        right = masks.far * scores(first_query, other_key, outside)
        left = masks.far.transpose(2, 3) * scores(other_query, first_key, outside)
        return BiasBlocks(torch.cat([near, right], dim=3), left)


def _scores(query: Tensor, key: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """[w, K, i, j] A structure's scores without its constant."""
    if "bilinear" not in weights:
        by_query, by_key = (weights[name].unsqueeze(2) for name in ("query", "key"))
        return query @ by_query + (key @ by_key).transpose(2, 3)
    weight, keys = weights["bilinear"], key.transpose(2, 3)
    # The smaller of the two factors is multiplied by B.
    if query.shape[2] <= key.shape[2]:
        return (query @ weight) @ keys
    return query @ (weight @ keys)


class StructuredSelfAttention(nn.Module):
    """In place of the self-attention of a layer of BERT or its kin, with its projections:

        softmax((q_i k_j + bias_ij) / sqrt(d_k))

    attention (nn.Module): The self-attention to replace.
    form (str): The form of the bias: "biaffine" or "decomposed".
    current (CurrentMasks): Where the masks of the current windows are.
    """

    def __init__(self, attention: Any, form: Form, current: CurrentMasks) -> None:
        super().__init__()
        self.query = attention.query
        self.key = attention.key
        self.value = attention.value
        self.num_attention_heads = attention.num_attention_heads
        self.dropout = attention.dropout
        self.bias = StructureBias(
            attention.num_attention_heads, attention.attention_head_size, form, current
        ).to(attention.query.weight)

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> tuple[Tensor]:
        """hidden_states (Tensor): [w, l, d] The layer's input.
        attention_mask (Optional[Tensor]): [w, 1, 1 or l, l] float. What masks padding.
        *args (Any): What encoders have no use for: cross-attention, cached keys.
        **kwargs (Any): The same.
        RETURNS (tuple[Tensor]): [w, l, d] The output.
        """
        query, key, value = (
            projection(hidden_states).unflatten(2, (self.num_attention_heads, -1)).transpose(1, 2)
            for projection in (self.query, self.key, self.value)
        )
        blocks = self.bias(query, key)
        if blocks is not None:
            mask = None if attention_mask is None else attention_mask[:, :, :1]
            attention_mask = blocks.dense(mask).to(query.dtype)
        output = nn.functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=attention_mask,
            dropout_p=self.dropout.p if self.training else 0.0,
        )
        return (output.transpose(1, 2).flatten(2),)
