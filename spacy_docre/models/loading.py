"""Loading a Thinc model from bytes: everything is checked before anything changes, and what fails
nevertheless leaves the model as it was."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import srsly
from thinc.api import Model, PyTorchShim
from thinc.util import convert_recursive, is_xp_array

from ..data.messages import check_lengths
from .compat import HFShim, has_transformers
from .precision import PrecisionShim
from .weights import FormatError, read_message

PARTS = ("nodes", "attrs", "params", "shims")
LARGEST_DIM = 2**31
# What `Model.from_dict` changes in a layer besides weights, settings and modules.
SLOTS = ("name", "_dims", "_refs", "_has_params")

# The sizes that the weights of Thinc's layers have, in their order, so that a matrix is not taken
# for its transpose. Of other layers each size must be one of the layer's.
DENSE = {"W": ("nO", "nI"), "b": ("nO",)}
ACTIVATIONS = (
    *("clipped_linear", "dish", "gelu", "hardswish", "hardswishmobilenet", "linear", "mish"),
    *("relu", "sigmoid", "softmax", "swish"),
)
AXES: dict[str, dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(ACTIVATIONS, DENSE),
    "embed": {"E": ("nV", "nO")},
    "hashembed": {"E": ("nV", "nO")},
    "layernorm": {"G": ("nI",), "b": ("nI",)},
    "maxout": {"W": ("nO", "nP", "nI"), "b": ("nO", "nP")},
    "static_vectors": {"W": ("nO", "nM")},
}


def load_model(model: Model, data: bytes) -> None:
    """Load what `Model.to_bytes` gave.

    model (Model): The model, of the same architecture.
    data (bytes): The bytes.
    RAISES (FormatError): If they are something else; the model is as it was.
    """
    message = read_message(data, PARTS)
    nodes = list(model.walk())
    if any(not isinstance(message[part], list) for part in PARTS):
        raise FormatError("its parts are no lists")
    if any(len(message[part]) != len(nodes) for part in PARTS):
        n_layers = ", ".join(str(len(message[part])) for part in PARTS)
        raise FormatError(f"it has other layers ({n_layers}) than the config ({len(nodes)})")
    parts = zip(nodes, *(message[part] for part in PARTS), strict=True)
    is_trained = any(_arrays(params) for params in message["params"])
    for node, info, attrs, params, shims in parts:
        try:
            _check_info(node, info, nodes)
            _check_attrs(node, attrs)
            _check_params(node, params, info["dims"], is_trained)
        except FormatError as error:
            raise FormatError(f"in the layer '{node.name}', {error}") from None
        if not isinstance(shims, list) or len(shims) != len(node.shims):
            raise FormatError(f"the layer '{node.name}' has other PyTorch modules")
        _check_shims(node, shims)
    with unchanged_on_error(model), _sealed():
        model.from_dict(convert_recursive(is_xp_array, model.ops.asarray, message))


@contextmanager
def unchanged_on_error(model: Model) -> Iterator[None]:
    """A context whose errors leave a model as it was.

    model (Model): The model. What changes must be replaced, not written over, which is Thinc's
        way, but for the modules of its own `PyTorchShim`, of whose weights a copy is kept.
    """
    before = [(node, _state(node)) for node in model.walk()]
    try:
        yield
    except BaseException:
        for node, state in before:
            _restore(node, state)
        raise


def non_finite_weights(model: Model) -> list[str]:
    """The names of the weights of a model in which there are values that are no finite numbers.

    model (Model): The model.
    RETURNS (list[str]): The names.
    """
    names = []
    for node in model.walk():
        for name in node.param_names:
            if node.has_param(name) and not node.ops.xp.isfinite(node.get_param(name)).all():
                names.append(f"{node.name}.{name}")
        for shim in node.shims:
            module = getattr(shim, "_model", None)
            if isinstance(shim, PyTorchShim) and module is not None:
                tensors = module.named_parameters()
                names += [f"{node.name}.{name}" for name, t in tensors if not t.isfinite().all()]
    return names


def _check_info(node: Model, info: Any, nodes: list[Model]) -> None:
    if not isinstance(info, dict) or not isinstance(info.get("name"), str):
        raise FormatError("the name is missing")
    dims, refs = info.get("dims"), info.get("refs")
    if not isinstance(dims, dict) or not isinstance(refs, dict):
        raise FormatError("sizes or references are missing")
    for name, value in dims.items():
        if name not in node.dim_names:
            raise FormatError(f"there is an unknown size '{name}'")
        if value is not None and not (_is_int(value) and 0 <= value < LARGEST_DIM):
            raise FormatError(f"the size '{name}' is {value!r}")
        if value is not None and node.has_dim(name) and node.get_dim(name) != value:
            raise FormatError(f"the size '{name}' is {value} instead of {node.get_dim(name)}")
    for name, value in refs.items():
        known = nodes.index(node.get_ref(name)) if node.has_ref(name) else None
        if name not in node.ref_names or (value != known and known is not None):
            raise FormatError(f"the reference '{name}' goes to another layer")
        if value is not None and not (_is_int(value) and 0 <= value < len(nodes)):
            raise FormatError(f"the reference '{name}' goes nowhere")


def _check_attrs(node: Model, attrs: Any) -> None:
    if not isinstance(attrs, dict):
        raise FormatError("the settings are missing")
    for name, data in attrs.items():
        known = node.attrs.get(name)
        if not isinstance(data, bytes):
            raise FormatError(f"the setting '{name}' is {data!r}")
        _check_lengths(f"the setting '{name}'", data)
        if isinstance(known, (bool, int, float, str, list, tuple, dict)):
            try:
                value = srsly.msgpack_loads(data)
            except Exception as error:
                # See `read_message`.
                raise FormatError(f"the setting '{name}' cannot be read ({error})") from None
            if value is not None and not same_kind(known, value):
                raise FormatError(f"the setting '{name}' is {value!r}, which is no {type(known)}")


def _check_params(node: Model, params: Any, dims: Mapping[str, Any], is_trained: bool) -> None:
    if not isinstance(params, dict) or set(params) != set(node.param_names):
        raise FormatError(f"the weights are not {', '.join(node.param_names) or 'none'}")
    known = {name: node.get_dim(name) for name in node.dim_names if node.has_dim(name)}
    known |= {name: value for name, value in dims.items() if value is not None}
    sizes = set(known.values())
    for name, array in params.items():
        if array is None:
            if is_trained:
                raise FormatError(f"the weights '{name}' are missing")
            continue
        if not isinstance(array, np.ndarray) or array.dtype != np.float32:
            # Thinc computes in native 32 bits alone, and fails on others when it does.
            kind = getattr(array, "dtype", type(array).__name__)
            raise FormatError(f"the weights '{name}' are not native float32 numbers, but {kind}")
        now = node.get_param(name) if node.has_param(name) else None
        expected = [known.get(dim) for dim in AXES.get(node.name, {}).get(name, ())]
        fits = now is None or now.shape == array.shape
        fits &= None in expected or not expected or list(array.shape) == expected
        if not fits or (sizes and not set(array.shape) <= sizes | {1}):
            raise FormatError(f"the weights '{name}' have the shape {list(array.shape)}")


def _check_shims(node: Model, shims: list[Any]) -> None:
    for data in shims:
        if isinstance(data, bytes):
            _check_lengths("the PyTorch module", data)
    # Those of spacy-transformers in this component, too, which look at nothing themselves.
    if has_transformers and any(isinstance(shim, HFShim) for shim in node.shims):
        from .encoders.safetensors_shim import check_encoder

        for shim, data in zip(node.shims, shims, strict=True):
            if isinstance(shim, HFShim):
                check_encoder(data)


def _check_lengths(what: str, data: bytes) -> None:
    try:
        check_lengths(data)
    except ValueError as error:
        raise FormatError(f"{what} cannot be read ({error})") from None


def _sealed() -> AbstractContextManager:
    if not has_transformers:
        return nullcontext()
    from .encoders.sealed import sealed

    return sealed()


def _arrays(params: Any) -> bool:
    return isinstance(params, dict) and any(value is not None for value in params.values())


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def same_kind(known: Any, value: Any) -> bool:
    """Whether a saved value is of the kind of another: an integer may stand for a fraction, a list
    for a tuple.

    known (Any): What there is.
    value (Any): What was saved.
    RETURNS (bool): Whether they are of one kind.
    """
    if isinstance(known, bool) or isinstance(value, bool):
        return isinstance(known, bool) and isinstance(value, bool)
    for kinds in ((int, float), (list, tuple)):
        if isinstance(known, kinds):
            return isinstance(value, kinds)
    return isinstance(value, type(known))


def _state(node: Model) -> dict[str, Any]:
    params = {name: node.get_param(name) for name in node.param_names if node.has_param(name)}
    return {
        "slots": {name: copy.copy(getattr(node, name)) for name in SLOTS},
        "attrs": dict(node.attrs),
        "params": params,
        "shims": [dict(vars(shim)) for shim in node.shims],
        "weights": [_weights_to_keep(shim) for shim in node.shims],
    }


def _restore(node: Model, state: Mapping[str, Any]) -> None:
    for name, value in state["slots"].items():
        setattr(node, name, value)
    node.attrs.clear()
    node.attrs.update(state["attrs"])
    for name, value in state["params"].items():
        node.set_param(name, value)
    kept = zip(node.shims, state["shims"], state["weights"], strict=True)
    for shim, values, weights in kept:
        vars(shim).clear()
        vars(shim).update(values)
        if weights is not None:
            shim._model.load_state_dict(weights)


def _weights_to_keep(shim: Any) -> dict[str, Any] | None:
    is_written_over = isinstance(shim, PyTorchShim) and not isinstance(shim, PrecisionShim)
    if not is_written_over or shim._model is None:
        return None
    return {name: tensor.clone() for name, tensor in shim._model.state_dict().items()}
