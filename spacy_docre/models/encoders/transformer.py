"""What the Hugging Face encoders share: loading and saving, windows, the last layer's attention."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import ArgsKwargs, Model
from torch import Tensor

from ...errors import DocreError, Errors
from ..batch import ClusterBatch
from ..batching import batches_by_length
from ..compat import HFObjects, has_transformers
from ..encoding import Encoding, EncodingIndex, to_device
from ..relation_model import Encoder, EncoderInput
from ..torch_module import run_backward
from .architecture import (
    DEFAULT_WINDOW,
    MAX_WINDOW,
    PADDING_MATTERS,
    TextEncoder,
    attention_rows,
    first_position,
    grow_vocabulary,
    max_positions,
)
from .assembly import WindowOutput, assemble
from .attention import LastLayerAttention, find_projections
from .freezing import freeze
from .graph import run_graph
from .layout import WindowBatch, WindowLayout
from .trust import asks_for_code
from .windows import cut_windows
from .wordpieces import WordpieceMarker

# Runs a transformer, given by its shim, on some windows of a layout; the flag says whether in
# training. Returns the output and the shim's backward pass.
Run = Callable[[Any, WindowLayout, np.ndarray, bool], tuple[WindowOutput, Callable]]

# From the transformer, tokens, mentions, layout and clusters to other tokens and mentions.
Join = Callable[[Any, Tensor, Tensor, WindowLayout, ClusterBatch], tuple[Tensor, Tensor]]

# Wordpieces, padding included, that go through an encoder at once on a CPU: enough for its matrix
# products to run at full speed. More would only add padding, and leave the caches. Of a narrow
# encoder, whose calls cost more than its products, so many that their states have so many numbers.
CPU_BATCH_ITEMS = 512
CPU_BATCH_NUMBERS = 2**17


def transformer_layer(
    name: str,
    forward: Callable,
    init: Callable,
    *,
    attrs: dict[str, Any],
    mixed_precision: bool,
    grad_scaler_config: dict[str, Any] | None,
    tokenizer_config: dict[str, Any] | None,
    transformer_config: dict[str, Any] | None,
    **shim_settings: Any,
) -> Encoder:
    """Make the layer of an encoder that is loaded at initialisation.

    name (str): The layer's name.
    forward (Callable): Its forward pass.
    init (Callable): Its initialisation.
    attrs (dict[str, Any]): Its settings: those of `MarkedTransformer` that are not named below,
        with None for markers that are not to be set.
    mixed_precision (bool): See `MarkedTransformer`, also for the following.
    grad_scaler_config (dict): Arguments of Thinc's `PyTorchGradScaler`.
    tokenizer_config (dict): Arguments of the tokenizer's `from_pretrained`.
    transformer_config (dict): Settings of the model's configuration.
    **shim_settings (Any): Further arguments of spacy-transformers' `HFShim`.
    RETURNS (Model[tuple[list[Doc], ClusterBatch], Encoding]): The encoder.
    """
    if not has_transformers:
        raise DocreError(
            Errors.D021.format(
                package="spacy-transformers", purpose=f"the encoder '{name}'", extra="transformers"
            )
        )
    # Cannot be imported without spacy-transformers.
    from .safetensors_shim import SafetensorsShim

    for setting, values in (
        ("tokenizer_config", tokenizer_config),
        ("transformer_config", transformer_config),
    ):
        code = asks_for_code(values or {})
        if code is not None:
            raise DocreError(Errors.D162.format(setting=f"{setting}.{code}"))
    hf_model = HFObjects(None, None, None, tokenizer_config or {}, transformer_config or {})
    make: Any = SafetensorsShim
    shim = make(
        hf_model,
        mixed_precision=mixed_precision,
        grad_scaler_config=dict(grad_scaler_config or {}),
        **{"model_cls": TextEncoder, **shim_settings},
    )
    shim.scaler_settings = dict(grad_scaler_config or {})
    shim.set_precision(gpu="fp32", cpu="fp32")
    attrs = {**attrs, "count_wordpieces": _count_wordpieces}
    return Model(name, forward, init=init, dims={"nO": None}, attrs=attrs, shims=[shim])


def load(model: Encoder, prepare: Callable[[Any], Any] | None = None) -> None:
    """Load the pretrained encoder, unless one is loaded, and add markers that it does not know.

    model (Model[tuple[list[Doc], ClusterBatch], Encoding]): The encoder's layer.
    prepare (Optional[Callable[[PreTrainedModel], Any]]): What to do to the loaded encoder.
    """
    shim = _shim(model)
    if shim._model is not None:
        return
    # Cannot be imported without spacy-transformers.
    from .pretrained import load_pretrained

    loaded, width = load_pretrained(
        model.attrs["name"],
        shim._hfmodel._init_tokenizer_config,
        shim._hfmodel._init_transformer_config,
    )
    new = [marker for marker in _markers(model) if _single_id(loaded.tokenizer, marker) is None]
    if new:
        loaded.tokenizer.add_special_tokens({"additional_special_tokens": list(dict.fromkeys(new))})
        try:
            grow_vocabulary(loaded.transformer, len(loaded.tokenizer))
        except NotImplementedError:
            message = Errors.D165.format(name=model.attrs["name"], markers=", ".join(new))
            raise DocreError(message) from None
    if prepare is not None:
        prepare(loaded.transformer)
    shim._hfmodel = loaded
    shim._model = loaded.transformer
    features = getattr(loaded.transformer.config, "entity_features", {})
    model.set_dim("nO", width + sum(features.values()))


def encode(
    model: Encoder,
    inputs: EncoderInput,
    is_train: bool,
    run: Run,
    checkpointing: Callable[[Any], dict[str, Any]] | None = None,
    join: Join | None = None,
) -> tuple[Encoding, Callable[[tuple[Tensor | None, ...]], None]]:
    """Encode a batch. The backward pass takes the gradients of `Encoding.tensors`.

    model (Model[tuple[list[Doc], ClusterBatch], Encoding]): The encoder's layer.
    inputs (tuple[list[Doc], ClusterBatch]): The batch.
    is_train (bool): Whether a backward pass is to follow.
    run (Run): How the transformer reads windows.
    checkpointing (Optional[Callable[[PreTrainedModel], dict[str, Any]]]): Further arguments of
        PyTorch's `checkpoint`, for gradient checkpointing.
    join (Optional[Join]): What joins further features to tokens and mentions.
    RETURNS (tuple[Encoding, Callable]): The encoding and the backward pass.
    """
    docs, clusters = inputs
    shim = _shim(model)
    if shim._model is None:
        raise DocreError(Errors.D012)
    if is_train and model.attrs["gradient_checkpointing"]:
        further = checkpointing(shim._model) if checkpointing else {}
        shim._model.gradient_checkpointing_enable({"use_reentrant": False, **further})
    if is_train and model.attrs.get("frozen_layers") is not None:
        freeze(shim._model, model.attrs["frozen_layers"])
    layout = window_layout(model, docs, clusters)
    max_items = None if is_train else model.attrs["max_batch_items"]
    if shim.device.type == "cpu":
        at_once = cpu_batch_items(shim._model)
        max_items = min(max_items or at_once, at_once)
    with torch.inference_mode(not is_train):
        same_length = shim._model.config.model_type in PADDING_MATTERS
        chunks = _chunks(layout, max_items, same_length=same_length)
        runs = [run(shim, layout, chunk, is_train) for chunk in chunks]
        tokens, mention, attention = assemble(layout, [output for output, _ in runs])
        if join is not None:
            tokens, mention = join(shim._model, tokens, mention, layout, clusters)
    index = EncodingIndex.from_clusters(clusters, layout.lengths, layout.column_token, shim.device)
    encoding = Encoding(tokens, mention, attention, index)

    def backprop_encoding(gradients: tuple[Tensor | None, ...]) -> None:
        # All runs are one graph, through which the callback of any goes back.
        run_backward(runs[0][1], encoding.tensors, gradients)

    return encoding, backprop_encoding


def cpu_batch_items(transformer: Any) -> int:
    """How many wordpieces, padding included, go through an encoder at once on a CPU.

    transformer (PreTrainedModel): The encoder.
    RETURNS (int): Their number.
    """
    width = getattr(transformer.config, "hidden_size", CPU_BATCH_NUMBERS)
    return max(CPU_BATCH_ITEMS, CPU_BATCH_NUMBERS // width)


def window_layout(model: Encoder, docs: list[Doc], clusters: ClusterBatch) -> WindowLayout:
    """Cut documents into wordpieces, with markers if the encoder has them, and windows.

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
    return WindowLayout(marked, windows, marker.specials, clusters)


def run_windows(
    shim: Any, layout: WindowLayout, chunk: np.ndarray, is_train: bool
) -> tuple[WindowOutput, Callable[[ArgsKwargs], Any]]:
    """Run a transformer on some windows.

    shim (HFShim): The transformer's.
    layout (WindowLayout): The layout of the batch.
    chunk (np.ndarray): [w] int64. The windows.
    is_train (bool): Whether a backward pass is to follow.
    RETURNS (tuple[WindowOutput, Callable]): The output, and the shim's backward pass.
    """
    return run_batch(shim, layout.batch(chunk), is_train)


def run_batch(
    shim: Any, batch: WindowBatch, is_train: bool
) -> tuple[WindowOutput, Callable[[ArgsKwargs], Any]]:
    """Run a transformer, or what it was compiled to, on windows whose wordpieces may stand in
    another order: see `run_windows`.

    shim (HFShim): The transformer's.
    batch (WindowBatch): The windows.
    is_train (bool): Whether a backward pass is to follow.
    RETURNS (tuple[WindowOutput, Callable]): The output, and the shim's backward pass.
    """
    compiled = None if is_train else shim.compiled
    if compiled is not None:
        hidden, attention = run_graph(compiled, shim._model, batch)
        return WindowOutput(batch, hidden, attention), lambda _: None
    transformer = shim._model
    inputs = {"input_ids": batch.ids, "attention_mask": batch.mask}
    if batch.order is not None:
        inputs["position_ids"] = batch.order + first_position(transformer)
    positions = batch.anchors.padded_positions(len(batch.ids))
    kwargs: dict[str, Any] = to_device(shim.device, positions=positions, **inputs)
    positions, mask = kwargs.pop("positions"), kwargs["attention_mask"].bool()
    projections = find_projections(transformer)
    if projections is None:
        # Only the eager kernel gives probabilities; newer versions of transformers insist on it.
        transformer.config._attn_implementation = "eager"
        kwargs["output_attentions"] = True
    with LastLayerAttention(projections) if projections else nullcontext() as last_layer:
        output, backprop = shim(ArgsKwargs((), kwargs), is_train)
        if last_layer is not None:
            attention = last_layer.rows(positions, mask)
        else:
            attention = attention_rows(transformer, output, positions)
    hidden = output.last_hidden_state.float()
    return WindowOutput(batch, hidden, attention), backprop


def _shim(model: Encoder) -> Any:
    return model.shims[0]


def _chunks(
    layout: WindowLayout, max_items: int | None, *, same_length: bool
) -> Iterator[np.ndarray]:
    """The windows in parts of at most `max_items` positions, of windows of one length if asked;
    no windows are one part."""
    lengths = layout.window_lengths
    if same_length and len(lengths):
        return (
            of_length[part]
            for length in np.unique(lengths)
            for of_length in [np.flatnonzero(lengths == length)]
            for part in batches_by_length(lengths[of_length], max_items or int(lengths.sum()))
        )
    if max_items is None or not len(lengths):
        return iter([np.arange(len(lengths))])
    return batches_by_length(lengths, max_items)


def _window(model: Encoder, shim: Any) -> int:
    # Tokenizers of models without a limit report an astronomic one.
    limits = (shim._hfmodel.tokenizer.model_max_length, max_positions(shim._model))
    longest = int(min([MAX_WINDOW, *(limit for limit in limits if limit is not None)]))
    default = DEFAULT_WINDOW if longest == MAX_WINDOW else longest
    window = model.attrs["window"] or default
    minimum = len(_marker(model, shim).specials) + 2
    if not minimum <= window <= longest:
        raise DocreError(
            Errors.D010.format(
                name=model.attrs["name"], window=window, minimum=minimum, maximum=longest
            )
        )
    return window


def _markers(model: Encoder) -> list[str]:
    markers = (model.attrs["start_marker"], model.attrs["end_marker"])
    return [marker for marker in markers if marker is not None]


def _marker(model: Encoder, shim: Any) -> WordpieceMarker:
    tokenizer = shim._hfmodel.tokenizer
    marker = model.attrs.get("marker")
    if marker is None or marker.tokenizer is not tokenizer:
        ids = [
            tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text))[0] for text in _markers(model)
        ]
        start, end = ids or (None, None)
        marker = model.attrs["marker"] = WordpieceMarker(tokenizer, start, end)
    return marker


def _count_wordpieces(model: Encoder, doc: Doc, n_tokens: int) -> np.ndarray:
    shim = _shim(model)
    # The sample of an initialisation is read before there is a tokenizer.
    if shim._model is None:
        return np.ones(n_tokens, dtype=np.int64)
    return _marker(model, shim).count(doc, n_tokens)


def _single_id(tokenizer: Any, text: str) -> int | None:
    ids = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text))
    return ids[0] if len(ids) == 1 and ids[0] != tokenizer.unk_token_id else None
