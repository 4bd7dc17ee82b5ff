"""The model of the relation extractor: an encoder and a head."""

import warnings
from collections.abc import Callable, Sequence
from typing import Literal, cast

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import Model
from torch import Tensor

from ..errors import DocreError, Errors, Warnings
from .batch import ClusterBatch
from .distillation import SoftTargets
from .encoding import Encoding, HeadOutput, Targets
from .growth import resize_output
from .layers.blocks import MAX_BLOCK_ITEMS, block_limit
from .precision import CpuPrecision, GpuPrecision, set_precision
from .torch_head import RelationHead
from .torch_module import lazy_shim

EncoderInput = tuple[list[Doc], ClusterBatch]
Encoder = Model[EncoderInput, Encoding]
Head = Model[Encoding, HeadOutput]


def RelationModel(
    encoder: Encoder,
    head: Head,
    max_block_items: int = MAX_BLOCK_ITEMS,
    gpu_precision: GpuPrecision = "fp32",
    cpu_precision: Literal[CpuPrecision, "int8"] = "fp32",
) -> Model[EncoderInput, HeadOutput]:
    """The model "spacy-docre.RelationModel.v1": documents and their entity clusters go through an
    encoder, its `Encoding` through a head. Any encoder goes with any head.

    The precision is a setting of the whole model, since it is one for all encoders and heads, and
    by device, since a pipeline is trained on one and used on another. It changes no weight, and
    can be another one when the pipeline is loaded.

    encoder (Model[tuple[list[Doc], ClusterBatch], Encoding]): The encoder.
    head (Model[Encoding, HeadOutput]): The method's classifier.
    max_block_items (int): The most numbers of an intermediate tensor of the head. What would take
        more is computed in blocks of pairs, and again in the backward pass. It changes nothing but
        memory and time.
    gpu_precision (str): What encoder and head compute in on a GPU, in training and at inference:
        "fp32"; "bf16" or, for GPUs from before Ampere, "fp16", by `torch.autocast`, with losses
        and scores in fp32.
    cpu_precision (str): The same on a CPU: "fp32"; "bf16", for CPUs with instructions for it; or
        "int8", of earlier versions, which is fp32 with a warning: `compile` makes an encoder of
        8-bit integers. An encoder that was compiled has its own.
    RETURNS (Model[tuple[list[Doc], ClusterBatch], HeadOutput]): The model.
    RAISES (DocreError): If that is less than 1.
    """
    if max_block_items < 1:
        raise DocreError(
            Errors.D020.format(
                setting="max_block_items", condition="at least 1", value=max_block_items
            )
        )
    model: Model[EncoderInput, HeadOutput] = Model(
        "relation_model",
        forward,
        init=init,
        layers=[encoder, head],
        attrs={"max_block_items": max_block_items, "resize_output": resize_output},
        refs={"encoder": encoder, "head": head, "output_layer": head},
    )
    if cpu_precision == "int8":
        warnings.warn(Warnings.DW72, stacklevel=2)
        cpu_precision = "fp32"
    set_precision(model, gpu=gpu_precision, cpu=cpu_precision)
    return model


def init(
    model: Model[EncoderInput, HeadOutput], X: EncoderInput | None = None, Y: None = None
) -> None:
    """Initialise the encoder, then the head on what the encoder gives for the sample."""
    encoder, head = model.layers
    encoder.initialize(X=X)
    head.initialize(X=None if X is None else encoder.predict(X))


def forward(
    model: Model[EncoderInput, HeadOutput], inputs: EncoderInput, is_train: bool
) -> tuple[HeadOutput, Callable[[Sequence[Tensor | None]], None]]:
    """Run encoder and head. The backward pass takes the gradients of the output's tensors."""
    return _run(model, inputs, is_train)


def begin_update(
    model: Model[EncoderInput, HeadOutput], inputs: EncoderInput, *, train_encoder: bool
) -> tuple[HeadOutput, Callable[[Sequence[Tensor | None]], None]]:
    """As `Model.begin_update`, but for an encoder that may be frozen: then nothing is kept for its
    backward pass and no gradient of it computed. Its dropout stays.

    model (Model[tuple[list[Doc], ClusterBatch], HeadOutput]): The model.
    inputs (tuple[list[Doc], ClusterBatch]): The batch.
    train_encoder (bool): Whether the encoder gets gradients.
    RETURNS (tuple[HeadOutput, Callable]): The output and the backward pass.
    """
    return _run(model, inputs, True, train_encoder)


def _run(
    model: Model[EncoderInput, HeadOutput],
    inputs: EncoderInput,
    is_train: bool,
    train_encoder: bool = True,
) -> tuple[HeadOutput, Callable[[Sequence[Tensor | None]], None]]:
    encoder, head = model.layers
    with torch.set_grad_enabled(train_encoder and torch.is_grad_enabled()):
        encoding, backprop_encoder = encoder(inputs, is_train)
    with block_limit(model.attrs["max_block_items"]):
        output, backprop_head = head(encoding, is_train)

    def backprop(gradients: Sequence[Tensor | None]) -> None:
        d_encoding = backprop_head(gradients)
        if train_encoder:
            backprop_encoder(d_encoding)

    return output, backprop


def relation_head(head: Head) -> RelationHead:
    """The PyTorch module in a head's layer.

    head (Model[Encoding, HeadOutput]): The head.
    RETURNS (RelationHead): The module.
    RAISES (DocreError): If the head is not initialised.
    """
    return cast(RelationHead, lazy_shim(head).require_built())


def count_wordpieces(encoder: Encoder, doc: Doc, n_tokens: int) -> np.ndarray:
    """What tokens cost an encoder. It says so by its attribute `count_wordpieces`, a function of
    the encoder, the document and the number of tokens; where it has none, a token costs one.

    encoder (Model[tuple[list[Doc], ClusterBatch], Encoding]): The encoder.
    doc (Doc): The document.
    n_tokens (int): How many of its tokens.
    RETURNS (np.ndarray): [n_tokens] int64. The wordpieces of each, at least 1.
    """
    count = encoder.attrs.get("count_wordpieces")
    ones = np.ones(n_tokens, dtype=np.int64)
    return ones if count is None else np.maximum(ones, count(encoder, doc, n_tokens))


def loss_and_gradients(
    head: Head, output: HeadOutput, targets: Targets, soft: SoftTargets | None = None
) -> tuple[float, list[Tensor | None]]:
    """Compute a head's loss, cut off from the graph of its forward pass, as Thinc's chain of
    callbacks needs it.

    head (Model[Encoding, HeadOutput]): The head.
    output (HeadOutput): What it returned.
    targets (Targets): The gold standard.
    soft (Optional[SoftTargets]): What other models say of the pairs, if that is to be learned too.
    RETURNS (tuple[float, list[Optional[Tensor]]]): The loss, and its gradient for each of the
        output's tensors in their order, None for those that it does not use: a gradient of zero
        would let the optimizer move parameters by momentum and weight decay.
    """
    module = relation_head(head)
    leaves = tuple(tensor.detach().requires_grad_() for tensor in output.tensors)
    with torch.enable_grad():
        predicted = output.with_tensors(leaves)
        loss = module.loss(predicted, targets)
        if soft is not None:
            loss = soft.mixed(loss, predicted)
    gradients = torch.autograd.grad(loss, leaves, allow_unused=True)
    return loss.item(), list(gradients)
