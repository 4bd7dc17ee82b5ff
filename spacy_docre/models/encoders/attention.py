"""The last layer's attention at chosen positions, without slowing the encoder down."""

import math
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

# What the projections have computed since the recording began; None outside of one. A variable of
# the context, so that threads which share an encoder do not see each other's.
_states: ContextVar[dict[str, Any] | None] = ContextVar("last_layer_states", default=None)

# Architectures that are BERT's but for their embeddings.
BERT_FAMILY = ("bert", "roberta", "xlm-roberta", "camembert", "electra", "data2vec-text")


@dataclass(frozen=True)
class Projections:
    """The query and key projections of an encoder's last self-attention layer.

    query (nn.Module): From hidden states [W, L, d] to queries [W, L, K * d_k].
    key (nn.Module): The same for keys.
    n_heads (int): The number of heads, K.
    bias (Optional[nn.Module]): What adds to the scores, if anything does; gives None or an object
        whose `rows` [W, K, e, L] are its values for each window's first positions, to which all
        that are asked for must belong.
    """

    query: nn.Module
    key: nn.Module
    n_heads: int
    bias: nn.Module | None = None


def find_projections(transformer: Any) -> Projections | None:
    """Find the projections of the last layer in a Hugging Face encoder whose attention is exactly
    softmax(q k' / sqrt(d_k)): the families of BERT, DistilBERT and ALBERT with absolute positions;
    or softmax(q k' / sqrt(d_k) + bias), if the layer has a module `bias`.

    transformer (PreTrainedModel): The encoder.
    RETURNS (Optional[Projections]): None for other architectures, such as DeBERTa, MPNet or
        ModernBERT, whose scores depend on more than queries and keys.
    """
    config = transformer.config
    if getattr(config, "position_embedding_type", "absolute") != "absolute" or config.is_decoder:
        return None
    if config.model_type in BERT_FAMILY:
        attention = transformer.encoder.layer[-1].attention.self
        bias = getattr(attention, "bias", None)
        return Projections(attention.query, attention.key, attention.num_attention_heads, bias)
    if config.model_type == "distilbert":
        attention = transformer.transformer.layer[-1].attention
        return Projections(attention.q_lin, attention.k_lin, attention.n_heads)
    if config.model_type == "albert":
        attention = transformer.encoder.albert_layer_groups[-1].albert_layers[-1].attention
        return Projections(attention.query, attention.key, attention.num_attention_heads)
    return None


class LastLayerAttention:
    """Records what the last layer's projections compute while the encoder runs with any attention
    kernel, and gives the attention rows of chosen positions: [W, K, I, L] instead of the
    [layers, W, K, L, L] that `output_attentions=True` makes. Equal to it up to rounding, and
    without the dropout that it applies to the probabilities in training.

    projections (Projections): The last layer's projections.
    """

    def __init__(self, projections: Projections) -> None:
        self.projections = projections
        self._states: dict[str, Any] = {}
        self._token: Token | None = None

    def __enter__(self) -> "LastLayerAttention":
        # A module that several layers share, as in ALBERT, keeps the state of its last call.
        for name in ("query", "key", "bias"):
            _record(getattr(self.projections, name), name)
        self._token = _states.set(self._states)
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _states.reset(self._token)

    def rows(self, positions: Tensor, mask: Tensor) -> Tensor:
        """positions (Tensor): [W, I] int64. The positions in each window to attend from.
        mask (Tensor): [W, L] bool. Which positions hold a token.
        RETURNS (Tensor): [W, K, I, L] float32. The attention of each head; each row sums to 1.
        """
        n_heads = self.projections.n_heads
        query, key = (self._states[name].float() for name in ("query", "key"))
        index = positions.unsqueeze(2).expand(-1, -1, query.shape[2])
        query = query.gather(1, index).unflatten(2, (n_heads, -1)).transpose(1, 2)
        key = key.unflatten(2, (n_heads, -1)).transpose(1, 2)
        scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[3])
        bias = self._states.get("bias")
        if bias is not None:
            index = positions[:, None, :, None].expand(-1, n_heads, -1, scores.shape[3])
            scores = scores + bias.rows.float().gather(2, index)
        scores = scores.masked_fill(~mask[:, None, None, :], torch.finfo(scores.dtype).min)
        return torch.softmax(scores, dim=3)


@dataclass(frozen=True)
class _Recorder:
    """The hook that records what a projection computes, where somebody wants to know it.

    name (str): The projection's name.
    """

    name: str

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> None:
        states = _states.get()
        if states is not None:
            states[self.name] = output


def _record(module: nn.Module | None, name: str) -> None:
    # The hook stays: to take it off again would disturb other threads that run the module.
    if module is not None and _Recorder(name) not in list(module._forward_hooks.values()):
        module.register_forward_hook(_Recorder(name))
