"""A Hugging Face encoder that reads documents with markers around the mentions."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import ArgsKwargs, Model
from torch import Tensor

from ...clusters import ClusterBatch
from ...compat import HFObjects, HFShim, has_transformers, huggingface_from_pretrained
from ...errors import DocreError, Errors
from ..encoding import Encoding, EncodingIndex
from ..relation_model import Encoder, EncoderInput
from ..torch_module import run_backward
from .assembly import WindowOutput, assemble
from .attention import LastLayerAttention, find_projections
from .layout import WindowLayout
from .windows import cut_windows
from .wordpieces import WordpieceMarker


def MarkedTransformer(
    name: str,
    *,
    window: int | None = None,
    stride: int | None = None,
    start_marker: str = "*",
    end_marker: str = "*",
    max_batch_items: int = 8192,
    gradient_checkpointing: bool = False,
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
        once. In training, all windows of the batch do.
    gradient_checkpointing (bool): Recompute the activations in the backward pass: slower, but with
        a fraction of the memory.
    mixed_precision (bool): Train and predict in half precision on GPU.
    grad_scaler_config (dict): Arguments of Thinc's `PyTorchGradScaler`.
    tokenizer_config (dict): Arguments of the tokenizer's `from_pretrained`.
    transformer_config (dict): Settings of the model's configuration.
    RETURNS (Model[tuple[list[Doc], ClusterBatch], Encoding]): The encoder.
    """
    if not has_transformers:
        raise DocreError(
            Errors.D021.format(
                package="spacy-transformers", purpose="MarkedTransformer", extra="transformers"
            )
        )
    hf_model = HFObjects(None, None, None, tokenizer_config or {}, transformer_config or {})
    shim = HFShim(
        hf_model,
        mixed_precision=mixed_precision,
        grad_scaler_config=dict(grad_scaler_config or {}),
    )
    return Model(
        "marked_transformer",
        forward,
        init=init,
        dims={"nO": None},
        attrs={
            "name": name,
            "window": window,
            "stride": stride,
            "start_marker": start_marker,
            "end_marker": end_marker,
            "max_batch_items": max_batch_items,
            "gradient_checkpointing": gradient_checkpointing,
        },
        shims=[shim],
    )


def init(model: Encoder, X: EncoderInput | None = None, Y: None = None) -> None:
    """Load the pretrained encoder, unless one is loaded, and add markers that it does not know."""
    shim = _shim(model)
    if shim._model is not None:
        return
    tokenizer_config = dict(shim._hfmodel._init_tokenizer_config)
    transformer_config = dict(shim._hfmodel._init_transformer_config)
    loaded = huggingface_from_pretrained(model.attrs["name"], tokenizer_config, transformer_config)
    markers = (model.attrs["start_marker"], model.attrs["end_marker"])
    new = [marker for marker in markers if _single_id(loaded.tokenizer, marker) is None]
    if new:
        loaded.tokenizer.add_special_tokens({"additional_special_tokens": list(dict.fromkeys(new))})
        loaded.transformer.resize_token_embeddings(len(loaded.tokenizer))
    shim._hfmodel = loaded
    shim._model = loaded.transformer
    model.set_dim("nO", loaded.transformer.config.hidden_size)


def forward(
    model: Encoder, inputs: EncoderInput, is_train: bool
) -> tuple[Encoding, Callable[[tuple[Tensor | None, ...]], None]]:
    """Encode a batch. The backward pass takes the gradients of `Encoding.tensors`."""
    docs, clusters = inputs
    shim = _shim(model)
    if shim._model is None:
        raise DocreError(Errors.D012)
    if is_train and model.attrs["gradient_checkpointing"]:
        shim._model.gradient_checkpointing_enable({"use_reentrant": False})
    layout = window_layout(model, docs, clusters)
    max_items = None if is_train else model.attrs["max_batch_items"]
    with torch.set_grad_enabled(is_train):
        runs = [_run(shim, layout, chunk, is_train) for chunk in _chunks(layout, max_items)]
        tokens, mention, attention = assemble(layout, [output for output, _ in runs])
    index = EncodingIndex.from_clusters(clusters, layout.lengths, layout.column_token, shim.device)
    encoding = Encoding(tokens, mention, attention, index)

    def backprop_encoding(gradients: tuple[Tensor | None, ...]) -> None:
        # In training all windows of the batch are run at once.
        [(_, backprop)] = runs
        run_backward(backprop, encoding.tensors, gradients)

    return encoding, backprop_encoding


def window_layout(model: Encoder, docs: list[Doc], clusters: ClusterBatch) -> WindowLayout:
    """Cut documents into marked wordpieces and windows.

    model (Model[tuple[list[Doc], ClusterBatch], Encoding]): An initialised encoder.
    docs (list[Doc]): The documents.
    clusters (ClusterBatch): Their entity clusters.
    RETURNS (WindowLayout): The windows and their wordpieces.
    """
    shim = _shim(model)
    marker = _marker(model, shim)
    marked = marker(docs, clusters)
    capacity = _window(model, shim) - len(marker.specials)
    stride = model.attrs["stride"]
    windows = cut_windows(marked.lengths, capacity, capacity // 4 if stride is None else stride)
    return WindowLayout(marked, windows, marker.specials, clusters.mention_doc)


def _run(
    shim: Any, layout: WindowLayout, chunk: np.ndarray, is_train: bool
) -> tuple[WindowOutput, Callable[[ArgsKwargs], Any]]:
    """Run the transformer on some windows; returns its output and the shim's backward pass."""
    ids, mask = layout.input_ids(chunk)
    found = layout.mentions_in(chunk)
    transformer = shim._model
    device = shim.device
    positions = torch.from_numpy(found.padded_positions(len(ids))).to(device)
    mask_tensor = torch.from_numpy(mask).to(device)
    kwargs: dict[str, Any] = {
        "input_ids": torch.from_numpy(ids).to(device),
        "attention_mask": mask_tensor.long(),
    }
    projections = find_projections(transformer)
    if projections is None:
        # Only the eager kernel gives probabilities; newer versions of transformers insist on it.
        transformer.config._attn_implementation = "eager"
        kwargs["output_attentions"] = True
    with LastLayerAttention(projections) if projections else nullcontext() as last_layer:
        output, backprop = shim(ArgsKwargs((), kwargs), is_train)
        if last_layer is not None:
            attention = last_layer.rows(positions, mask_tensor)
        else:
            full = output.attentions[-1].float()
            rows = positions[:, None, :, None].expand(-1, full.shape[1], -1, full.shape[3])
            attention = full.gather(2, rows)
    hidden = output.last_hidden_state.float()
    return WindowOutput(chunk, hidden, found, attention), backprop


def _shim(model: Encoder) -> Any:
    return model.shims[0]


def _chunks(layout: WindowLayout, max_items: int | None) -> Iterator[np.ndarray]:
    """Divide the windows so that none of the parts has more than `max_items` positions, padding
    included, and windows of similar length come together. A window that is longer by itself is a
    part of its own."""
    lengths = layout.window_lengths
    if max_items is None:
        yield np.arange(len(lengths))
        return
    chunk: list[int] = []
    for window in np.argsort(lengths, kind="stable"):
        if chunk and lengths[window] * (len(chunk) + 1) > max_items:
            yield np.array(chunk)
            chunk = []
        chunk.append(int(window))
    yield np.array(chunk, dtype=np.int64)


def _window(model: Encoder, shim: Any) -> int:
    # Tokenizers of models without a limit report an astronomic one.
    longest = min(shim._hfmodel.tokenizer.model_max_length, _max_positions(shim._model.config))
    window = model.attrs["window"] or longest
    minimum = len(_marker(model, shim).specials) + 2
    if not minimum <= window <= longest:
        raise DocreError(
            Errors.D010.format(
                name=model.attrs["name"], window=window, minimum=minimum, maximum=longest
            )
        )
    return window


def _max_positions(config: Any) -> int:
    # RoBERTa's positions start after its padding index, and two of its 514 are never used.
    offset = config.pad_token_id + 1 if "roberta" in config.model_type else 0
    return getattr(config, "max_position_embeddings", 2**30) - offset


def _marker(model: Encoder, shim: Any) -> WordpieceMarker:
    tokenizer = shim._hfmodel.tokenizer
    marker = model.attrs.get("marker")
    if marker is None or marker.tokenizer is not tokenizer:
        start = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(model.attrs["start_marker"]))[0]
        end = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(model.attrs["end_marker"]))[0]
        marker = model.attrs["marker"] = WordpieceMarker(tokenizer, start, end)
    return marker


def _single_id(tokenizer: Any, text: str) -> int | None:
    ids = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text))
    return ids[0] if len(ids) == 1 and ids[0] != tokenizer.unk_token_id else None
