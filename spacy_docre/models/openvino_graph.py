"""Graphs in OpenVINO's form, XML beside the bytes of its constants, as data from anybody."""

import math
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

import torch
from torch import Tensor

from ..errors import shortened
from .weights import FormatError

# The kinds of layers that encoders are made of: arithmetic on what goes in, in one pass. None
# repeats a part, keeps a state, reads a file or is an extension. By how many inputs they have.
LAYERS = {
    (0, 0): "Const Parameter",
    (1, 1): """Abs BitwiseNot Ceiling Clamp Convert Cos Erf Exp Floor Gelu HSwish Log LogicalNot
        Negative ReLU Result ShapeOf Sigmoid Sign Sin SoftMax SoftPlus Sqrt Tanh""",
    (1, 2): "Squeeze Swish",
    (2, 2): """Add BitwiseAnd BitwiseOr ConvertLike CumSum Divide Equal FloorMod GatherElements
        GatherND Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr LogicalXor MVN MatMul
        Maximum Minimum Mod Multiply NotEqual Power ReduceLogicalAnd ReduceMax ReduceMean ReduceMin
        ReduceProd ReduceSum Reshape Split SquaredDifference Subtract Tile Transpose Unsqueeze""",
    (2, 3): "Broadcast",
    (3, 3): "Gather Range Select VariadicSplit",
    (3, 4): "Eye Pad StridedSlice",
    (3, 6): "ScaledDotProductAttention",
    (4, 5): "Slice",
    (5, 5): "FakeQuantize",
    (1, 64): "Concat Einsum",
}
N_INPUTS = {kind: counts for counts, kinds in LAYERS.items() for kind in kinds.split()}
# All others have one result but for `Result`, which is the end.
WITH_PARTS = ("Split", "VariadicSplit")
# Bytes of a number of each type that constants may have.
ITEM_SIZES = {"f32": 4, "f16": 2, "bf16": 2, "i64": 8, "i32": 4, "i8": 1, "u8": 1, "boolean": 1}
# Smaller constants are saved even where they are weights of the encoder.
MIN_SHARED = 4096
# The package that OpenVINO's others tell of what is done with them.
TELEMETRY = "openvino_telemetry"


def load_openvino() -> Any:
    """Import OpenVINO.

    RETURNS (Any): The package, or None if it is not installed.
    """
    with without_telemetry():
        try:
            import openvino
        except ImportError:
            return None
    return openvino


@contextmanager
def without_telemetry() -> Iterator[None]:
    """A context in which OpenVINO, or a package of its makers, is imported without the part that
    tells Google Analytics of every import."""
    modules: dict[str, Any] = sys.modules
    is_known, telemetry = TELEMETRY in modules, modules.get(TELEMETRY)
    # To import what is None is an error, at which these packages do without.
    modules[TELEMETRY] = None
    try:
        yield
    finally:
        del modules[TELEMETRY]
        if is_known:
            modules[TELEMETRY] = telemetry


def reason_of(error: Exception) -> str:
    """What an error says, in a line. OpenVINO says where it was found first.

    error (Exception): The error.
    RETURNS (str): The line.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    places = ("Exception from", "Check '", "FrontEnd API failed")
    said = [line for line in lines if not line.startswith(places)]
    return shortened((said or lines or [type(error).__name__])[0]).rstrip(".")


def check_graph(graph: bytes, inputs: Collection[str], n_bytes: int) -> None:
    """Check a graph before OpenVINO gets it.

    graph (bytes): The XML.
    inputs (Collection[str]): The names of its inputs.
    n_bytes (int): The size of its constants together.
    RAISES (FormatError): If it is something else than layers of `LAYERS` with one edge to
        each of their inputs, all in the direction of their order, or if a constant is not within
        those bytes.
    """
    root = _parse(graph)
    layers, edges = root.find("layers"), root.find("edges")
    if root.tag != "net" or len(root) != 2 or layers is None or edges is None:
        raise FormatError("the graph is not layers and edges")
    names = [layer.get("name", "") for layer in layers if layer.get("type") == "Parameter"]
    n_results = sum(layer.get("type") == "Result" for layer in layers)
    if sorted(names) != sorted(inputs) or n_results != 2:
        raise FormatError(f"the graph goes from {', '.join(names)} to {n_results} results")
    _check_edges(layers, edges)
    for offset, size in constants(root):
        if not 0 <= offset <= offset + size <= n_bytes:
            raise FormatError("a constant of the graph lies outside of its bytes")


def _check_edges(layers: ElementTree.Element, edges: ElementTree.Element) -> None:
    # OpenVINO follows circles without end, and takes inputs for there that are not.
    places: dict[str, int] = {}
    ports: dict[str, list[tuple[str, str]]] = {"input": [], "output": []}
    for place, layer in enumerate(layers):
        kind, number = layer.get("type", ""), layer.get("id", "")
        if layer.tag != "layer" or kind not in N_INPUTS or layer.get("version", "")[:5] != "opset":
            raise FormatError(f"the graph has a layer of the type {kind!r}, which no encoder needs")
        if number in places:
            raise FormatError(f"the graph has two layers of the number {number!r}")
        places[number] = place
        of_layer = {
            side: [(number, port.get("id", "")) for port in layer.iterfind(f"{side}/port")]
            for side in ports
        }
        fewest, most = N_INPUTS[kind]
        n_outputs = len(of_layer["output"])
        has_outputs = n_outputs == (kind != "Result") or (kind in WITH_PARTS and n_outputs > 0)
        if not (fewest <= len(of_layer["input"]) <= most and has_outputs):
            raise FormatError(f"a layer {kind!r} of the graph has other inputs or outputs")
        for side, found in of_layer.items():
            ports[side] += found
    starts, ends = ([_end(edge, side) for edge in edges] for side in ("from", "to"))
    if sorted(ends) != sorted(ports["input"]) or not set(starts) <= set(ports["output"]):
        raise FormatError("the graph has an edge that leads nowhere, or an input without one")
    pairs = zip(starts, ends, strict=True)
    if any(places[start] >= places[end] for (start, _), (end, _) in pairs):
        raise FormatError("the graph goes in a circle")


def _end(edge: ElementTree.Element, side: str) -> tuple[str, str]:
    return edge.get(f"{side}-layer", ""), edge.get(f"{side}-port", "")


def constants(root: ElementTree.Element) -> Iterator[tuple[int, int]]:
    """Where the constants of a graph lie.

    root (Element): The graph.
    YIELDS (tuple[int, int]): The first byte of each and its size.
    RAISES (FormatError): If one has another size than its shape.
    """
    for layer in root.iter("layer"):
        if layer.get("type") != "Const":
            continue
        data = layer.find("data")
        found: Mapping[str, str] = {} if data is None else data.attrib
        try:
            shape = [int(size) for size in found["shape"].split(",") if size.strip()]
            offset, size = int(found["offset"]), int(found["size"])
            expected = math.prod(shape) * ITEM_SIZES[found["element_type"]]
        except (KeyError, ValueError):
            raise FormatError("a constant of the graph is not described") from None
        if size != expected or min(shape, default=0) < 0:
            raise FormatError("a constant of the graph has another size than its shape")
        yield offset, size


def without_remarks(graph: bytes) -> bytes:
    """A graph as it is saved: layers and edges, without what OpenVINO notes beside them.

    graph (bytes): What OpenVINO wrote.
    RETURNS (bytes): The graph.
    """
    root = _parse(graph)
    for remark in root.findall("rt_info"):
        root.remove(remark)
    for parent in root.iter():
        for child in parent.findall("rt_info"):
            parent.remove(child)
        parent.text, parent.tail = (parent.text or "").strip(), None
    written: bytes = ElementTree.tostring(root)
    return written


def cut_shared(
    graph: bytes, values: bytes, weights: Mapping[str, Tensor]
) -> tuple[bytes, list[tuple[int, str]]]:
    """Leave out of the constants what are weights of the encoder, which are saved with it.

    graph (bytes): The graph.
    values (bytes): The bytes of its constants.
    weights (Mapping[str, Tensor]): The encoder's weights by name.
    RETURNS (tuple[bytes, list[tuple[int, str]]]): The bytes that are left, and what was where: the
        first byte and the name of each weight, in their order.
    """
    names = {bytes_of(tensor): name for name, tensor in reversed(list(weights.items()))}
    shared, left, position = [], [], 0
    for offset, size in sorted(set(constants(_parse(graph)))):
        name = names.get(values[offset : offset + size]) if size >= MIN_SHARED else None
        if name is not None and offset >= position:
            left.append(values[position:offset])
            shared.append((offset, name))
            position = offset + size
    return b"".join([*left, values[position:]]), shared


def full_size(left: bytes, shared: Sequence[tuple[int, str]], weights: Mapping[str, Tensor]) -> int:
    """How many bytes `put_back` gives.

    left (bytes): See there, also for the following.
    shared (Sequence[tuple[int, str]]): What was where.
    weights (Mapping[str, Tensor]): The encoder's weights by name.
    RETURNS (int): Their number.
    RAISES (FormatError): If these do not go together.
    """
    n_shared = 0
    position = 0
    for offset, name in shared:
        if name not in weights or not position <= offset <= n_shared + len(left):
            raise FormatError(f"the graph has no place for the encoder's weights {name!r}")
        size = weights[name].numel() * weights[name].element_size()
        n_shared += size
        position = offset + size
    return n_shared + len(left)


def put_back(
    left: bytes, shared: Sequence[tuple[int, str]], weights: Mapping[str, Tensor]
) -> bytes:
    """Undo `cut_shared`.

    left (bytes): The bytes that are left.
    shared (Sequence[tuple[int, str]]): What was where.
    weights (Mapping[str, Tensor]): The encoder's weights by name.
    RETURNS (bytes): The bytes of all constants.
    """
    parts, n_taken, position = [], 0, 0
    for offset, name in shared:
        parts += [left[n_taken : n_taken + offset - position], bytes_of(weights[name])]
        n_taken += offset - position
        position = offset + len(parts[-1])
    return b"".join([*parts, left[n_taken:]])


def bytes_of(tensor: Tensor) -> bytes:
    """The bytes of a tensor's values.

    tensor (Tensor): The tensor.
    RETURNS (bytes): The bytes, row by row.
    """
    flat = tensor.detach().cpu().contiguous().flatten()
    return flat.view(torch.uint8).numpy().tobytes()


def _parse(graph: bytes) -> ElementTree.Element:
    # Definitions of entities could make it unfold without end. In UTF-16 they would look otherwise.
    if b"<!" in graph or b"\0" in graph or not graph.startswith(b"<"):
        raise FormatError("the graph is not plain XML")
    try:
        return ElementTree.fromstring(graph)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise FormatError(f"the graph is not XML ({error})") from None
