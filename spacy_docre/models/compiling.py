"""Compiling pretrained encoders for inference on a CPU, see `compiled`."""

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from thinc.api import Model
from torch import Tensor, nn

from ..errors import DocreError, Errors
from .compat import has_transformers
from .compiled import CompiledEncoder, Precision, digest_of
from .encoders.architecture import FIRST_WORD, PADDING_MATTERS, max_positions
from .encoders.graph import EncoderGraph, graph_inputs, input_names, run_graph
from .encoders.layout import MentionsInWindows, WindowBatch
from .encoders.structured_attention import StructureMasks
from .encoders.transformer import run_batch
from .openvino_graph import (
    check_graph,
    cut_shared,
    load_openvino,
    reason_of,
    without_remarks,
    without_telemetry,
)
from .weights import FormatError

# How far the compiled encoder may be from PyTorch in fp32, beside the largest state.
TOLERANCE = 1e-4
# The shapes of windows that it is tried on; the first is compiled.
SHAPES = ((2, 24), (1, 9), (3, 5))
# Batches of windows by which the ranges of 8-bit integers are chosen.
MAX_BATCHES = 100
# What may stand between a weight and its product.
PASSED_THROUGH = ("Convert", "Reshape", "Transpose")


def compile_encoders(model: Model, precision: Precision, run: Callable[[], Any]) -> None:
    """Compile all pretrained encoders of an extractor's model. What is compiled is used from now
    on, and saved with the model.

    model (Model[tuple[list[Doc], ClusterBatch], HeadOutput]): The model, on the CPU.
    precision (str): "fp32", "bf16" or "int8".
    run (Callable[[], Any]): Runs the model on documents, by which the ranges of 8-bit integers are
        chosen; not called for the other precisions.
    RAISES (DocreError): If OpenVINO is missing, if there is an encoder that cannot be compiled, or
        if what it is compiled to gives something else.
    """
    for package, extra, load, is_needed in (
        ("openvino", "openvino", load_openvino, True),
        ("nncf", "int8", _load_nncf, precision == "int8"),
    ):
        if is_needed and load() is None:
            purpose = f"compiling to {precision}"
            raise DocreError(Errors.D021.format(package=package, purpose=purpose, extra=extra))
    encoder = model.get_ref("encoder")
    shims = _shims(encoder)
    if not shims:
        reason = "it is none that is pretrained, with a transformer of its own"
        raise DocreError(Errors.D200.format(name=encoder.name, reason=reason))
    found = []
    for name, shim in shims:
        with _naming(name):
            found.append(_converted(shim))
    if precision == "int8":
        with _recording([shim for _, shim in shims]) as recorders:
            run()
        for place, ((name, _), recorder) in enumerate(zip(shims, recorders, strict=True)):
            with _naming(name):
                found[place] = _quantized(found[place], recorder.inputs)
    for (name, shim), graph in zip(shims, found, strict=True):
        with _naming(name):
            shim.compiled = _as_saved(graph, precision, shim._model)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """A context whose errors say which encoder cannot be compiled."""
    try:
        yield
    except DocreError:
        raise
    except Exception as error:
        # Transformers, PyTorch's tracing, OpenVINO and NNCF raise errors of all kinds.
        raise DocreError(Errors.D200.format(name=name, reason=reason_of(error))) from error


def _shims(encoder: Model) -> list[tuple[str, Any]]:
    if not has_transformers:
        return []
    from .encoders.safetensors_shim import SafetensorsShim

    return [
        (str(node.attrs.get("name", node.name)), shim)
        for node in encoder.walk()
        for shim in node.shims
        if isinstance(shim, SafetensorsShim)
    ]


def _load_nncf() -> Any:
    with without_telemetry():
        try:
            import nncf
        except ImportError:
            return None
    return nncf


def _converted(shim: Any) -> Any:
    """OpenVINO's model of an encoder, which has been compared with PyTorch."""
    transformer = shim._model
    if transformer is None:
        raise DocreError(Errors.D012)
    if transformer.config.model_type in PADDING_MATTERS:
        raise FormatError("padding changes its results, and lengths are filled up")
    shim.compiled = None
    transformer.eval()
    graph = EncoderGraph(transformer).eval()
    batches = [_sample(transformer, *shape) for shape in SHAPES]
    # Parts of OpenVINO are imported only now.
    with torch.no_grad(), _quiet(), without_telemetry():
        expected = [_by_pytorch(shim, batch) for batch in batches]
        inputs = graph_inputs(transformer, batches[0])
        model = load_openvino().convert_model(graph, example_input=inputs)
    compiled = _as_saved(model, "fp32", transformer)
    for batch, (hidden, rows) in zip(batches, expected, strict=True):
        found, found_rows = run_graph(compiled, transformer, batch)
        mask = torch.from_numpy(batch.mask)
        scale = max(1.0, float(hidden[mask].abs().max()))
        change = max(
            float((found - hidden)[mask].abs().max()) / scale,
            float((found_rows - rows).abs().max()),
        )
        if not change <= TOLERANCE:
            raise FormatError(f"its results change by {change:.2g}")
    return model


def _by_pytorch(shim: Any, batch: WindowBatch) -> tuple[Tensor, Tensor]:
    if batch.structure is None:
        output, _ = run_batch(shim, batch, False)
    else:
        masks = StructureMasks.of_rows(torch.from_numpy(batch.structure))
        with shim._model.entity_structure.use(masks):
            output, _ = run_batch(shim, batch, False)
    return output.hidden, output.attention


def _as_saved(model: Any, precision: Precision, transformer: nn.Module) -> CompiledEncoder:
    with TemporaryDirectory() as folder:
        graph, constants = Path(folder) / "graph.xml", Path(folder) / "graph.bin"
        load_openvino().serialize(model, graph, constants)
        written, values = without_remarks(graph.read_bytes()), constants.read_bytes()
    check_graph(written, input_names(transformer), len(values))
    left, shared = cut_shared(written, values, transformer.state_dict())
    return CompiledEncoder(precision, written, left, shared, digest_of(transformer))


def _quantized(model: Any, inputs: Sequence[dict[str, Tensor]]) -> Any:
    nncf = _load_nncf()
    samples = [{name: tensor.numpy() for name, tensor in of_batch.items()} for of_batch in inputs]
    if not samples:
        raise DocreError(Errors.D201)
    # Products of what was computed, such as the scores of attention, stay as they are.
    others = [
        layer.get_friendly_name()
        for layer in model.get_ops()
        if layer.get_type_name() == "MatMul" and not any(map(_is_constant, layer.input_values()))
    ]
    with _quiet(), without_telemetry():
        return nncf.quantize(
            model,
            nncf.Dataset(samples),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(samples),
            ignored_scope=nncf.IgnoredScope(names=others),
        )


def _is_constant(value: Any) -> bool:
    layer = value.get_node()
    while layer.get_type_name() in PASSED_THROUGH:
        layer = layer.input_value(0).get_node()
    return bool(layer.get_type_name() == "Constant")


@dataclass
class _Recorder:
    """In place of a compiled encoder, keeps what goes into it.

    graph (EncoderGraph): The encoder.
    """

    graph: EncoderGraph
    inputs: list[dict[str, Tensor]] = field(default_factory=list)

    def is_of(self, module: nn.Module) -> bool:
        """It has no weights of its own."""
        return True

    def can_run(self, module: nn.Module) -> bool:
        """PyTorch is there."""
        return True

    def __call__(self, module: nn.Module, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """See `CompiledEncoder`."""
        if len(self.inputs) < MAX_BATCHES:
            self.inputs.append(inputs)
        results: tuple[Tensor, Tensor] = self.graph(**inputs)
        return results


@contextmanager
def _recording(shims: Sequence[Any]) -> Iterator[list[_Recorder]]:
    recorders = [_Recorder(EncoderGraph(shim._model).eval()) for shim in shims]
    try:
        for shim, recorder in zip(shims, recorders, strict=True):
            shim.compiled = recorder
        yield recorders
    finally:
        for shim in shims:
            shim.compiled = None


def _sample(transformer: Any, n_windows: int, length: int) -> WindowBatch:
    """Windows of wordpieces that say nothing, but the first half as long as the others."""
    length = min(length, max_positions(transformer) or length)
    rng = np.random.default_rng(0)
    n_ids = getattr(transformer.config, "vocab_size", None) or FIRST_WORD + length
    ids = rng.integers(min(FIRST_WORD, n_ids - 1), n_ids, (n_windows, length))
    mask = np.ones_like(ids, dtype=bool)
    mask[: n_windows // 2, length // 2 :] = False
    window = np.repeat(np.arange(n_windows), 2)
    slot = np.tile([0, 1], n_windows)
    anchors = MentionsInWindows(window, np.arange(2 * n_windows), slot, slot)
    doc, order = np.arange(n_windows), np.broadcast_to(np.arange(length), ids.shape)
    if not hasattr(transformer, "entity_structure"):
        return WindowBatch(doc, ids, mask, order, anchors)
    rows = rng.integers(0, 6, (n_windows, 2, length)).astype(np.uint8)
    rows[:, 1, 0] = rows[:, 0, 1]
    # Between a mention and what is in none there is one structure or none.
    rows[:, :, 2:] = np.where(rows[:, :, 2:] > 2, 5, 0) * mask[:, None, 2:]
    return WindowBatch(doc, ids, mask, order, anchors, order, rows)


@contextmanager
def _quiet() -> Iterator[None]:
    """Tracing warns of what is meant here, and NNCF reports on each step."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
