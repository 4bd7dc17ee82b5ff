"""A BiLSTM for spaCy's tok2vec whose results do not depend on the batch."""

from collections.abc import Callable
from functools import partial
from typing import cast

import torch
from thinc.api import ArgsKwargs, Model, torch2xp, xp2torch
from thinc.types import Floats2d
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

from ..torch_module import LazyTorchShim, lazy_shim, run_backward

Vectors = list[Floats2d]


def BiLSTMEncoder(
    width: int, depth: int = 1, dropout: float = 0.0, bidirectional: bool = True
) -> Model[Vectors, Vectors]:
    """The encoder "spacy-docre.BiLSTMEncoder.v1", to be named as `encode` of "spacy.Tok2Vec.v2" in
    place of "spacy.TorchBiLSTMEncoder.v1". That one reads a batch's padding into the shorter
    documents, backwards, so that a document's vectors depend on the others in its batch; here
    each document is read by itself.

    width (int): The width of input and output, an even number.
    depth (int): The number of layers.
    dropout (float): The dropout rate between layers.
    bidirectional (bool): Whether to read in both directions.
    RETURNS (Model[list[Floats2d], list[Floats2d]]): The encoder.
    """
    return Model(
        "bilstm_encoder",
        forward,
        init=init,
        dims={"nI": width, "nO": width},
        shims=[LazyTorchShim(partial(_PackedLSTM, width, depth, dropout, bidirectional))],
    )


class _PackedLSTM(nn.Module):
    def __init__(self, width: int, depth: int, dropout: float, bidirectional: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            width,
            width // 2 if bidirectional else width,
            depth,
            dropout=dropout,
            bidirectional=bidirectional,
        )

    def forward(self, flat: Tensor, lengths: list[int]) -> Tensor:
        """flat (Tensor): [T, d] The vectors of all documents' tokens.
        lengths (list[int]): The number of tokens of each document.
        RETURNS (Tensor): [T, d] Their new vectors.
        """
        sequences = [vectors for vectors in flat.split(lengths) if len(vectors)]
        if not sequences:
            return flat
        # A CPU without instructions for bf16 has no such LSTM.
        with torch.autocast("cpu", enabled=False):
            packed, _ = self.lstm(pack_sequence(sequences, enforce_sorted=False))
        # NumPy, which the vectors go on to, has no bfloat16.
        return torch.cat(unpack_sequence(packed)).to(flat.dtype)


def init(model: Model[Vectors, Vectors], X: Vectors | None = None, Y: None = None) -> None:
    """Build the LSTM."""
    shim = lazy_shim(model)
    if not shim.is_built:
        shim.build()


def forward(
    model: Model[Vectors, Vectors], vectors: Vectors, is_train: bool
) -> tuple[Vectors, Callable[[Vectors], Vectors]]:
    """Encode a batch of documents."""
    shim = lazy_shim(model)
    shim.require_built()
    lengths = [len(v) for v in vectors]
    flat = xp2torch(model.ops.flatten(vectors), requires_grad=is_train, device=shim.device)
    encoded, backprop_shim = shim(ArgsKwargs((flat, lengths), {}), is_train)

    def unflatten(tensor: Tensor) -> Vectors:
        flat_vectors = cast(Floats2d, torch2xp(tensor))
        return model.ops.unflatten(flat_vectors, model.ops.asarray1i(lengths))

    def backprop(d_vectors: Vectors) -> Vectors:
        gradient = xp2torch(model.ops.flatten(d_vectors), device=shim.device)
        run_backward(backprop_shim, [encoded], [gradient], [flat])
        return unflatten(flat.grad if flat.grad is not None else torch.zeros_like(flat))

    return unflatten(encoded), backprop
