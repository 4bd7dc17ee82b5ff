"""SSAN: entity structure within and throughout (Xu et al., AAAI 2021)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from thinc.api import ArgsKwargs
from torch import Tensor

from ...errors import DocreError, Errors
from ..encoding import Encoding
from ..relation_model import Encoder, EncoderInput
from .architecture import TextEncoder
from .assembly import WindowOutput
from .attention import BERT_FAMILY, find_projections
from .entity_features import EntityFeatures
from .layout import WindowLayout
from .structure import WindowStructure
from .structured_attention import CurrentMasks, Form, StructuredSelfAttention, StructureMasks
from .transformer import encode, load, run_batch, transformer_layer


def EntityStructureTransformer(
    name: str,
    *,
    bias: Form = "biaffine",
    markers: bool = False,
    type_width: int = 0,
    number_width: int = 0,
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
    """The encoder "spacy-docre.EntityStructureTransformer.v1": SSAN (Xu et al. 2021), a pretrained
    encoder of BERT's family with a learned bias for the entity structure between two wordpieces in
    every layer and head,

        score_ij = (q_i k_j + bias_s(q_i, k_j)) / sqrt(d_k)

    where s is one of `Structure`. A mention's vector is the mean of its wordpieces' vectors, its
    attention the normalised sum of their attention rows. Everything else is as in
    `MarkedTransformer`. The structure of two wordpieces is known where one window holds both.

    Where a wordpiece is in mentions of several entities, two wordpieces that share any entity are
    coreferent. "intra+NE" holds in both directions, as the paper defines it; the authors' code
    leaves out that from a wordpiece outside to one in a mention.

    name (str): A model's name on the Hugging Face hub, or the path of one on disk: BERT, RoBERTa,
        XLM-RoBERTa, CamemBERT, ELECTRA or data2vec-text.
    bias (str): "biaffine", q_i' B k_j + b, or "decomposed", q_i u + v k_j + b, with fewer
        parameters.
    markers (bool): Whether to mark the mentions as `MarkedTransformer` does, and take the start
        marker's vector and attention as the mention's. What stands from the start marker to the
        last wordpiece of a mention then belongs to it.
    type_width (int): Width of embeddings of the entity's type that are joined to the wordpieces and
        mentions, see `EntityFeatures`; 0 for none. The authors of SSAN and RSMAN train with 20.
    number_width (int): The same for the entity's number in its document.
    window (Optional[int]): Wordpieces in a window, special tokens included. None takes the
        largest that the model was trained for.
    stride (Optional[int]): Wordpieces that two neighbouring windows share. None takes a quarter
        of the window.
    start_marker (str): The marker before a mention.
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
    if bias not in ("biaffine", "decomposed"):
        condition = "'biaffine' or 'decomposed'"
        raise DocreError(Errors.D020.format(setting="bias", condition=condition, value=bias))
    return transformer_layer(
        "entity_structure_transformer",
        forward,
        init,
        mixed_precision=mixed_precision,
        grad_scaler_config=grad_scaler_config,
        tokenizer_config=tokenizer_config,
        transformer_config=transformer_config,
        model_cls=StructuredModel,
        attrs={
            "name": name,
            "bias": bias,
            "type_width": type_width,
            "number_width": number_width,
            "window": window,
            "stride": stride,
            "start_marker": start_marker if markers else None,
            "end_marker": end_marker if markers else None,
            "max_batch_items": max_batch_items,
            "gradient_checkpointing": gradient_checkpointing,
            "frozen_layers": frozen_layers,
        },
    )


def init(model: Encoder, X: EncoderInput | None = None, Y: None = None) -> None:
    """Load the pretrained encoder and give its layers their biases, unless that is done."""
    widths = {name: model.attrs[name] for name in ("type_width", "number_width")}

    def prepare(transformer: Any) -> None:
        add_structure(transformer, model.attrs["bias"])
        if any(widths.values()):
            add_features(transformer, widths)

    load(model, prepare)


def forward(
    model: Encoder, inputs: EncoderInput, is_train: bool
) -> tuple[Encoding, Callable[[tuple[Tensor | None, ...]], None]]:
    """Encode a batch. The backward pass takes the gradients of `Encoding.tensors`."""
    return encode(model, inputs, is_train, run_windows, _checkpointing, _join_features)


def run_windows(
    shim: Any, layout: WindowLayout, chunk: np.ndarray, is_train: bool
) -> tuple[WindowOutput, Callable[[ArgsKwargs], Any]]:
    """Run the transformer on some windows with their structure; see `transformer.run_windows`."""
    structure = WindowStructure.of(layout, chunk)
    masks = StructureMasks.of(structure, shim.device)
    batch = replace(layout.batch(chunk).reordered(structure.order), structure=structure.rows)
    with shim._model.entity_structure.use(masks):
        return run_batch(shim, batch, is_train)


def _checkpointing(transformer: Any) -> dict[str, Any]:
    return {"context_fn": transformer.entity_structure.checkpoint_contexts}


def _join_features(
    transformer: Any, tokens: Tensor, mention: Tensor, *of_batch: Any
) -> tuple[Tensor, Tensor]:
    if not hasattr(transformer, "entity_features"):
        return tokens, mention
    joined: tuple[Tensor, Tensor] = transformer.entity_features(tokens, mention, *of_batch)
    return joined


def add_features(transformer: Any, widths: dict[str, int]) -> None:
    """Give an encoder `EntityFeatures`, whose widths are kept in its configuration.

    transformer (PreTrainedModel): The encoder, changed in place.
    widths (dict[str, int]): The features' settings.
    """
    transformer.config.entity_features = widths
    transformer.entity_features = EntityFeatures(**widths)


def add_structure(transformer: Any, form: Form) -> None:
    """Give every layer of an encoder a `StructureBias`. The form is kept in the encoder's
    configuration, so that it is saved with the weights.

    transformer (PreTrainedModel): The encoder, changed in place.
    form (str): The form of the bias: "biaffine" or "decomposed".
    RAISES (DocreError): If it is no encoder of BERT's family.
    """
    config = transformer.config
    if config.model_type not in BERT_FAMILY or find_projections(transformer) is None:
        positions = getattr(config, "position_embedding_type", "absolute")
        raise DocreError(
            Errors.D030.format(
                model_type=config.model_type, positions=positions, supported=", ".join(BERT_FAMILY)
            )
        )
    config.entity_structure = form
    transformer.entity_structure = CurrentMasks()
    for layer in transformer.encoder.layer:
        layer.attention.self = StructuredSelfAttention(
            layer.attention.self, form, transformer.entity_structure
        )


class StructuredModel:
    """Builds an encoder that was saved with a structure, for spacy-transformers' `HFShim`."""

    @staticmethod
    def from_config(config: Any, **settings: Any) -> Any:
        """config (PretrainedConfig): The saved configuration.
        **settings (Any): Further settings of `TextEncoder.from_config`.
        RETURNS (PreTrainedModel): The encoder, its weights not loaded.
        """
        transformer = TextEncoder.from_config(config, **settings)
        add_structure(transformer, config.entity_structure)
        if getattr(config, "entity_features", None):
            add_features(transformer, config.entity_features)
        return transformer
