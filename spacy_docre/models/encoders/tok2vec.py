"""Any spaCy tok2vec as the encoder: no download, no GPU."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import ArgsKwargs, Model, torch2xp, xp2torch
from thinc.types import Floats2d, Ints1d
from torch import Tensor, nn

from ...data.docs import beginning
from ..batch import ClusterBatch
from ..encoding import Encoding, EncodingIndex
from ..layers.segments import segment_mean
from ..relation_model import Encoder, EncoderInput
from ..torch_module import LazyTorchShim, lazy_shim, run_backward

# Distances of 2 ** (FARTHEST - 1) tokens and more count as the same.
FARTHEST = 8
# The slope at which the bias of the most local head falls with each doubling of the distance.
STEEPEST = 2.0


def Tok2VecEncoder(
    tok2vec: Model[list[Doc], list[Floats2d]],
    *,
    n_heads: int = 8,
    head_width: int = 16,
    use_entity_types: bool = True,
    use_distance: bool = True,
) -> Encoder:
    """The encoder "spacy-docre.Tok2VecEncoder.v1": the vectors of any spaCy tok2vec (hash
    embeddings with a CNN or a BiLSTM, a listener to a shared tok2vec or transformer), and the
    vectors and attention of the mentions over them, see `MentionAttention`.

    tok2vec (Model[list[Doc], list[Floats2d]]): The tok2vec.
    n_heads (int): The number of attention heads, K.
    head_width (int): The width of each head.
    use_entity_types (bool): Mark the tokens of mentions with their entities' types.
    use_distance (bool): Let the attention depend on the distance from the mention.
    RETURNS (Model[tuple[list[Doc], ClusterBatch], Encoding]): The encoder.
    """
    make = partial(
        _make, use_entity_types, n_heads=n_heads, head_width=head_width, use_distance=use_distance
    )
    return Model(
        "tok2vec_encoder",
        forward,
        init=init,
        layers=[tok2vec],
        refs={"tok2vec": tok2vec},
        dims={"nO": None, "nT": None},
        shims=[LazyTorchShim(make)],
    )


def _make(use_entity_types: bool, *, n_types: int, **settings: Any) -> "MentionAttention":
    return MentionAttention(n_types=n_types if use_entity_types else 0, **settings)


class MentionAttention(nn.Module):
    """Gives a tok2vec what a transformer that reads markers has: vectors of mentions and their
    attention.

    The tokens of a mention are marked by adding an embedding of its entity's type; a mention's
    vector is the mean over its tokens. Its attention to the document's tokens is that of
    multi-head attention with learned projections and a learned bias for the distance,

        softmax(q k' / sqrt(d_k) + b[bucket(distance)]),

    with the bias of T5 (Raffel et al. 2020, section 2.1). It starts out as that of ALiBi (Press et
    al. 2022, section 3), with a slope of its own for each head, because what relates two mentions
    tends to stand near both of them, which a tok2vec without positions could not learn.

    width (int): The width d of the tok2vec.
    n_types (int): The number of entity types, the unknown type (0) included; 0 for no embedding.
    n_heads (int): The number of attention heads, K.
    head_width (int): The width d_k of each head.
    use_distance (bool): Whether there is a bias for the distance.
    """

    def __init__(
        self, *, width: int, n_types: int, n_heads: int, head_width: int, use_distance: bool
    ) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.type_embedding = nn.Embedding(n_types, width) if n_types else None
        self.query = nn.Linear(width, n_heads * head_width)
        self.key = nn.Linear(width, n_heads * head_width)
        self.distance_bias = nn.Embedding(2 * FARTHEST + 1, n_heads) if use_distance else None
        if self.distance_bias is not None:
            steps = torch.arange(-FARTHEST, FARTHEST + 1).abs()[:, None]
            slopes = torch.linspace(0, STEEPEST, n_heads)
            nn.init.zeros_(self.distance_bias.weight).data.sub_(steps * slopes)

    def forward(
        self, flat: Tensor, layout: "TokenLayout", index: EncodingIndex
    ) -> tuple[Tensor, Tensor, Tensor]:
        """flat (Tensor): [T, d] The vectors of all tokens of the batch.
        layout (TokenLayout): Where they belong.
        index (EncodingIndex): The batch.
        RETURNS (tuple[Tensor, Tensor, Tensor]): tokens [B, L, d], mention [M, d] and attention
            [K, M, L] of an `Encoding`.
        """
        n_docs, length = layout.column_token.shape
        tokens = flat.new_zeros(n_docs * length, flat.shape[1])
        tokens = tokens.index_copy(0, layout.token_cell, flat)
        if self.type_embedding is not None:
            marks = self.type_embedding(index.entity_type[index.mention_entity])
            tokens = tokens.index_add(0, index.span_cell, marks[index.span_mention])
        mention = segment_mean(tokens[index.span_cell], index.span_mention, index.n_mentions)
        tokens = tokens.unflatten(0, (n_docs, length))
        return tokens, mention, self._attention(tokens, mention, layout, index)

    def _attention(
        self, tokens: Tensor, mention: Tensor, layout: "TokenLayout", index: EncodingIndex
    ) -> Tensor:
        slots = index.mentions_by_doc(self.query(mention))
        query = slots.unflatten(2, (self.n_heads, -1)).transpose(1, 2)  # [B, K, m, d_k]
        key = self.key(tokens).unflatten(2, (self.n_heads, -1)).transpose(1, 2)
        scores = query @ key.transpose(2, 3) / math.sqrt(key.shape[3])
        scores = scores[index.mention_doc, :, index.mention_slot]  # [M, K, L]
        position = torch.arange(key.shape[2], device=key.device)
        if self.distance_bias is not None:
            bias = self.distance_bias(_distance_bucket(position, index))
            scores = scores + bias.transpose(1, 2)
        is_padding = position >= index.lengths[index.mention_doc, None]
        scores = scores.masked_fill(is_padding[:, None], torch.finfo(scores.dtype).min)
        return torch.softmax(scores, dim=2).transpose(0, 1)


def _distance_bucket(position: Tensor, index: EncodingIndex) -> Tensor:
    """[M, L] int64. The sign and the logarithm to the base 2, rounded up, of how far each token is
    outside each mention; from 0, with the mention's own tokens in the middle."""
    before = (index.mention_start[:, None] - position).clamp(min=0)
    after = (position - index.mention_end[:, None] + 1).clamp(min=0)
    steps = torch.log2(after + 1.0).ceil() - torch.log2(before + 1.0).ceil()
    return steps.clamp(-FARTHEST, FARTHEST).long() + FARTHEST


@dataclass(frozen=True)
class TokenLayout:
    """Where the tokens of a flat batch go in a padded one.

    column_token (np.ndarray): [B, L] int64. The token that each column is, -1 for padding; there is
        at least one column.
    token_cell (Tensor): [T] int64. The cell of each token, row by row.
    """

    column_token: np.ndarray
    token_cell: Tensor

    @classmethod
    def of(cls, clusters: ClusterBatch, device: torch.device) -> "TokenLayout":
        """clusters (ClusterBatch): The entity clusters.
        device (torch.device): The encoder's device.
        RETURNS (TokenLayout): The layout.
        """
        lengths = clusters.doc_length
        columns = np.arange(max(1, int(lengths.max(initial=0))))
        column_token = np.where(columns < lengths[:, None], columns, -1)
        return cls(
            column_token=column_token,
            token_cell=torch.from_numpy(np.flatnonzero(column_token >= 0)).to(device),
        )


def _outflow(shim: LazyTorchShim, flat: Tensor) -> Tensor | None:
    """The gradient that a shared encoder gets: zero if there is none or any of it is not finite,
    since the gradients of other components wait for it, but none if its own vectors are not finite.
    That is noted, without waiting for the device."""
    if flat.grad is None:
        return torch.zeros_like(flat) if flat.isfinite().all() else None
    is_finite = flat.grad.isfinite().all()
    so_far = shim.outflow_is_finite
    shim.outflow_is_finite = is_finite if so_far is None else is_finite & so_far
    return torch.where(is_finite, flat.grad, 0.0)


def init(model: Encoder, X: EncoderInput | None = None, Y: None = None) -> None:
    """Initialise the tok2vec and build the mentions' attention for its width."""
    tok2vec = model.get_ref("tok2vec")
    shim = lazy_shim(model)
    tok2vec.initialize(X=None if X is None else X[0])
    if X is None or shim.is_built:
        return
    width = tok2vec.get_dim("nO")
    model.set_dim("nO", width)
    shim.build(width=width, n_types=model.get_dim("nT"))


def forward(
    model: Encoder, inputs: EncoderInput, is_train: bool
) -> tuple[Encoding, Callable[[tuple[Tensor | None, ...]], None]]:
    """Encode a batch. The backward pass takes the gradients of `Encoding.tensors`."""
    docs, clusters = inputs
    tok2vec, shim = model.get_ref("tok2vec"), lazy_shim(model)
    shim.require_built()
    vectors, backprop_tok2vec = _read(tok2vec, docs, clusters.doc_length, is_train)
    flat = xp2torch(tok2vec.ops.flatten(vectors), requires_grad=is_train, device=shim.device)
    layout = TokenLayout.of(clusters, shim.device)
    index = EncodingIndex.from_clusters(
        clusters, clusters.doc_length, layout.column_token, shim.device
    )
    outputs, backprop_shim = shim(ArgsKwargs((flat, layout, index), {}), is_train)
    tokens, mention, attention = outputs
    encoding = Encoding(tokens, mention, attention, index)

    def backprop(gradients: tuple[Tensor | None, ...]) -> None:
        run_backward(backprop_shim, encoding.tensors, gradients, [flat])
        gradient = flat.grad
        if any(hasattr(node, "upstream_name") for node in tok2vec.walk()):
            gradient = _outflow(shim, flat)
        if gradient is not None:
            d_vectors = cast(Floats2d, torch2xp(gradient))
            backprop_tok2vec(tok2vec.ops.unflatten(d_vectors, cast(Ints1d, clusters.doc_length)))

    return encoding, backprop


def _read(
    tok2vec: Model[list[Doc], list[Floats2d]],
    docs: list[Doc],
    n_tokens: np.ndarray,
    is_train: bool,
) -> tuple[list[Floats2d], Callable[[list[Floats2d]], Any]]:
    """The vectors of the first tokens of documents. A listener gets what another component has made
    of the whole documents, and wants the gradients of that."""
    lengths = [len(doc) for doc in docs]
    if lengths == n_tokens.tolist():
        return tok2vec(docs, is_train)
    if not any(hasattr(layer, "upstream_name") for layer in tok2vec.walk()):
        return tok2vec([beginning(*item) for item in zip(docs, n_tokens, strict=True)], is_train)
    vectors, backprop = tok2vec(docs, is_train)

    def backprop_all(d_vectors: list[Floats2d]) -> Any:
        padded = []
        for gradient, length in zip(d_vectors, lengths, strict=True):
            d_whole = tok2vec.ops.alloc2f(length, gradient.shape[1])
            d_whole[: len(gradient)] = gradient
            padded.append(d_whole)
        return backprop(padded)

    return [v[:n] for v, n in zip(vectors, n_tokens, strict=True)], backprop_all
