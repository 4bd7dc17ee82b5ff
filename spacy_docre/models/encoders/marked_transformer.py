"""A Hugging Face encoder that reads documents with markers around the mentions."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ..encoding import Encoding
from ..relation_model import Encoder, EncoderInput
from .transformer import encode, load, run_windows, transformer_layer


def MarkedTransformer(
    name: str,
    *,
    window: int | None = None,
    stride: int | None = None,
    start_marker: str = "*",
    end_marker: str = "*",
    max_batch_items: int = 8192,
    gradient_checkpointing: bool = False,
    frozen_layers: int | None = None,
    mixed_precision: bool = False,
    grad_scaler_config: dict[str, Any] | None = None,
    tokenizer_config: dict[str, Any] | None = None,
    transformer_config: dict[str, Any] | None = None,
) -> Encoder:
    """The encoder "spacy-docre.MarkedTransformer.v1": a marker before and after every mention
    (Zhou et al. 2021, ATLOP, section 3.1), documents of any length by overlapping windows, the
    last layer's attention at the mentions. The vector and the attention of a mention are those of
    its start marker. A wordpiece in several windows has the mean of its states; attention is
    summed over the windows that hold the mention and normalised.

    Loading and serialisation are those of spacy-transformers.

    name (str): A model's name on the Hugging Face hub, or the path of one on disk.
    window (Optional[int]): Wordpieces in a window, special tokens included. None takes the
        largest that the model was trained for.
    stride (Optional[int]): Wordpieces that two neighbouring windows share. None takes a quarter
        of the window.
    start_marker (str): The marker before a mention. One that is not in the model's vocabulary is
        added to it as a special token.
    end_marker (str): The marker after a mention.
    max_batch_items (int): At inference, wordpieces (padding included) that go through the model at
        once. In training, all windows of the batch do. On a CPU, either way, at most 512 or one
        window.
    gradient_checkpointing (bool): Recompute the activations in the backward pass: slower, but with
        a fraction of the memory.
    frozen_layers (Optional[int]): The embeddings and so many of the lowest layers are not trained,
        and cost a training step their forward pass alone; 0 freezes the embeddings, None nothing.
        A marker that is added to the vocabulary then keeps the vector that it starts with.
    mixed_precision (bool): Train and predict in fp16 on a GPU, the encoder alone. For encoder and
        head, and for other precisions, see `RelationModel`.
    grad_scaler_config (dict): Arguments of Thinc's `PyTorchGradScaler`.
    tokenizer_config (dict): Arguments of the tokenizer's `from_pretrained`.
    transformer_config (dict): Settings of the model's configuration.
    RETURNS (Model[tuple[list[Doc], ClusterBatch], Encoding]): The encoder.
    """
    return transformer_layer(
        "marked_transformer",
        forward,
        init,
        mixed_precision=mixed_precision,
        grad_scaler_config=grad_scaler_config,
        tokenizer_config=tokenizer_config,
        transformer_config=transformer_config,
        attrs={
            "name": name,
            "window": window,
            "stride": stride,
            "start_marker": start_marker,
            "end_marker": end_marker,
            "max_batch_items": max_batch_items,
            "gradient_checkpointing": gradient_checkpointing,
            "frozen_layers": frozen_layers,
        },
    )


def init(model: Encoder, X: EncoderInput | None = None, Y: None = None) -> None:
    """Load the pretrained encoder, unless one is loaded."""
    load(model)


def forward(
    model: Encoder, inputs: EncoderInput, is_train: bool
) -> tuple[Encoding, Callable[[tuple[Tensor | None, ...]], None]]:
    """Encode a batch. The backward pass takes the gradients of `Encoding.tensors`."""
    return encode(model, inputs, is_train, run_windows)
