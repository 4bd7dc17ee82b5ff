"""Two encoders that share nothing, for methods with two parts that must not disturb each other."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model
from torch import Tensor

from ..encoding import Encoding
from ..relation_model import Encoder, EncoderInput, count_wordpieces


def TwinEncoder(first: Encoder, second: Encoder) -> Encoder:
    """The encoder "spacy-docre.TwinEncoder.v1": two independent encoders of the same documents.
    KMGRE gives each of its parts one; a head that knows nothing of it uses the first, and the
    second learns nothing.

    first (Model[tuple[list[Doc], ClusterBatch], Encoding]): The encoder whose encoding is returned.
    second (Model[tuple[list[Doc], ClusterBatch], Encoding]): That of `Encoding.second`.
    RETURNS (Model[tuple[list[Doc], ClusterBatch], Encoding]): The encoder.
    """
    return Model(
        "twin_encoder",
        forward,
        init=init,
        layers=[first, second],
        attrs={"count_wordpieces": count_in_both},
        refs={"first": first, "second": second},
        dims={"nT": None},
    )


def init(model: Encoder, X: EncoderInput | None = None, Y: None = None) -> None:
    """Initialise both encoders, for the number of entity types (dimension nT) where they want
    it."""
    for encoder in model.layers:
        if encoder.has_dim("nT") is None and model.has_dim("nT"):
            encoder.set_dim("nT", model.get_dim("nT"))
        encoder.initialize(X=X)


def count_in_both(model: Encoder, doc: Doc, n_tokens: int) -> np.ndarray:
    """The wordpieces of tokens, of the encoder that has more; see `count_wordpieces`."""
    first, second = (count_wordpieces(encoder, doc, n_tokens) for encoder in model.layers)
    return np.maximum(first, second)


def forward(
    model: Encoder, inputs: EncoderInput, is_train: bool
) -> tuple[Encoding, Callable[[tuple[Tensor | None, ...]], None]]:
    """Encode a batch twice. The backward pass takes the gradients of `Encoding.tensors`."""
    first, backprop_first = model.get_ref("first")(inputs, is_train)
    second, backprop_second = model.get_ref("second")(inputs, is_train)

    def backprop(gradients: tuple[Tensor | None, ...]) -> None:
        n_first = len(first.tensors)
        backprop_first(gradients[:n_first])
        backprop_second(gradients[n_first:])

    return replace(first, second=second), backprop
