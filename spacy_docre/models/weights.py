"""Reading saved weights as data: nothing is run, and any bit of them may be wrong."""

import gc
from collections.abc import Collection, Mapping
from io import BytesIO
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import srsly
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from ..data.messages import check_lengths
from ..errors import first_of

# What the files of `torch.save` begin with: a ZIP archive, and before PyTorch 1.6 a pickle.
ZIP, PICKLE = b"PK", b"\x80"
# What stands in safetensors after the eight bytes that give the size of the header.
HEADER = b"{"
SHOWN = 3


class FormatError(ValueError):
    """Says what is wrong with saved data. Who knows the file's name adds it."""


def read_message(data: bytes, keys: Collection[str]) -> dict[str, Any]:
    """Read a mapping in msgpack, the format of Thinc's files.

    data (bytes): The data.
    keys (Collection[str]): The keys that the mapping must have.
    RETURNS (dict[str, Any]): The mapping.
    RAISES (FormatError): If it is something else.
    """
    collects = gc.isenabled()
    try:
        check_lengths(data)
        message = srsly.msgpack_loads(data)
    except Exception as error:
        # Cut or changed bytes make its parts raise errors of all kinds.
        raise FormatError(f"it is no msgpack data ({_said(error)})") from None
    finally:
        # srsly leaves garbage collection off after an error.
        if collects:
            gc.enable()
    if not isinstance(message, dict) or not set(keys) <= message.keys():
        raise FormatError(f"it is not what the component saves: {', '.join(keys)}")
    return message


def read_tensors(data: Any) -> dict[str, Tensor]:
    """Read tensors as they are stored, from safetensors, or from a file of `torch.save` without
    running what it says.

    data (bytes): The data.
    RETURNS (dict[str, Tensor]): The tensors by name.
    RAISES (FormatError): If it is something else.
    """
    if not isinstance(data, bytes):
        raise FormatError("the weights are no bytes")
    # The size of a header of safetensors, which comes before it, may begin like either of these.
    is_safe = data[8:9] == HEADER
    if data.startswith(PICKLE) and not is_safe:
        raise FormatError("the weights are a pickle, which can run any program; it is not read")
    if data.startswith(ZIP) and not is_safe:
        return _read_torch_file(data)
    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise FormatError(f"the weights are no safetensors ({_said(error)})") from None


def check_weights(
    weights: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    *,
    optional: Collection[str] = (),
    same_dtype: bool = True,
) -> None:
    """Check that weights are those of a module.

    weights (Mapping[str, Tensor]): The weights.
    expected (Mapping[str, Tensor]): Tensors of the names, shapes and types that there must be.
    optional (Collection[str]): Endings of names that may be missing or unknown.
    same_dtype (bool): Whether the types must be the same, or only of one kind.
    RAISES (FormatError): If a tensor is missing, unknown, or of another shape or type.
    """
    endings = tuple(optional)

    def needed(names: Collection[str]) -> list[str]:
        return sorted(name for name in names if not (endings and name.endswith(endings)))

    for kind, names in (
        ("missing", needed(expected.keys() - weights.keys())),
        ("not the model's", needed(weights.keys() - expected.keys())),
    ):
        if names:
            shown = first_of([repr(name) for name in names], SHOWN)
            raise FormatError(f"of the tensors are {kind}: {shown}")
    for name in weights.keys() & expected.keys():
        found, wanted = weights[name], expected[name]
        if found.shape != wanted.shape:
            shapes = f"{list(found.shape)} instead of {list(wanted.shape)}"
            raise FormatError(f"the tensor '{name}' has the shape {shapes}")
        is_same = found.is_floating_point() == wanted.is_floating_point()
        if not is_same or (same_dtype and found.dtype != wanted.dtype):
            types = f"{found.dtype} instead of {wanted.dtype}"
            raise FormatError(f"the tensor '{name}' is of the type {types}")


def _read_torch_file(data: bytes) -> dict[str, Tensor]:
    try:
        # PyTorch stores without compression. What is compressed could be a thousand times larger.
        if any(part.compress_type != ZIP_STORED for part in ZipFile(BytesIO(data)).infolist()):
            raise FormatError("the weights are a compressed archive, which PyTorch does not write")
        weights = torch.load(BytesIO(data), map_location="cpu", weights_only=True)
    except (BadZipFile, FormatError) as error:
        raise FormatError(f"the weights cannot be read ({_said(error)})") from None
    except Exception as error:
        # PyTorch's reader raises whatever its parts do, `UnpicklingError` for what it will not run.
        raise FormatError(f"the weights are no file of tensors alone ({_said(error)})") from None
    if not isinstance(weights, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items()
    ):
        raise FormatError("the weights are no tensors by name")
    return dict(weights)


def _said(error: Exception) -> str:
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first[:200]}" if first else type(error).__name__
