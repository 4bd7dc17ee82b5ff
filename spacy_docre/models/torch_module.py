"""How a PyTorch module becomes part of a Thinc layer."""

from collections.abc import Callable, Collection, Iterable
from typing import Any, cast

import srsly
import torch
from thinc.api import ArgsKwargs, Model, get_torch_default_device
from torch import Tensor, nn

from ..errors import DocreError, Errors
from .precision import PrecisionShim
from .storage import read_weights, write_weights
from .weights import FormatError, check_weights, read_message


class LazyTorchShim(PrecisionShim):
    """Holds a PyTorch module that is built at initialisation, when its widths and labels are known,
    or at deserialisation, from the sizes that were saved with its weights. The weights are saved
    as safetensors: data, nothing that loading could run.

    make (Callable[..., nn.Module]): Builds the module from keyword arguments.
    """

    # [] bool. Whether what left the module as a gradient for another component was finite.
    outflow_is_finite: Tensor | None = None

    def __init__(self, make: Callable[..., nn.Module]) -> None:
        super().__init__(None)
        self.make = make

    @property
    def is_built(self) -> bool:
        """Whether the module exists."""
        return self._model is not None

    def require_built(self) -> nn.Module:
        """The module.

        RAISES (DocreError): If it has not been built.
        """
        if not self.is_built:
            raise DocreError(Errors.D012)
        return self._model

    def build(self, **sizes: Any) -> None:
        """Build the module.

        **sizes (Any): What the module is to be built with; saved with its weights, so plain values.
        """
        self.cfg = sizes
        self._model = self.make(**sizes).to(get_torch_default_device())

    def to_bytes(self) -> bytes:
        """The sizes and the weights."""
        weights = write_weights(self._model.state_dict()) if self.is_built else b""
        return srsly.msgpack_dumps({"sizes": self.cfg, "weights": weights})

    def from_bytes(self, bytes_data: bytes) -> "LazyTorchShim":
        """Build the module with the saved sizes and load its weights. What fails leaves the module
        that there is.

        bytes_data (bytes): What `to_bytes` gave.
        RETURNS (LazyTorchShim): The shim.
        RAISES (FormatError): If it is something else.
        """
        msg = read_message(bytes_data, ("sizes", "weights"))
        if msg["weights"]:
            sizes, weights = msg["sizes"], read_weights(msg["weights"])
            if not isinstance(sizes, dict) or not all(map(_is_size, sizes.values())):
                raise FormatError(f"the sizes of the module are {sizes!r}")
            # Without memory for its weights, whose sizes may be any.
            with torch.device("meta"):
                expected = self.make(**sizes).state_dict()
            check_weights(weights, expected)
            module = self.make(**sizes)
            module.load_state_dict(weights)
            module = module.to(get_torch_default_device())
            if self.is_built:
                _keep_unsaved(self._model, module, weights)
            self.cfg, self._model = sizes, module
        return self


def _keep_unsaved(old: nn.Module, new: nn.Module, saved: Collection[str]) -> None:
    """Let buffers that are not saved stay as they are, such as what a callback has set."""
    before = dict(old.named_buffers())
    for name, buffer in new.named_buffers():
        if name not in saved and name in before and before[name].shape == buffer.shape:
            buffer.copy_(before[name])


def _is_size(value: Any) -> bool:
    return value is None or (isinstance(value, int) and 0 <= value < 2**31)


def lazy_shim(model: Model) -> LazyTorchShim:
    """The shim of a layer that holds a lazily built PyTorch module."""
    return cast(LazyTorchShim, model.shims[0])


def run_backward(
    backprop: Callable[[ArgsKwargs], Any],
    tensors: Iterable[Tensor],
    gradients: Iterable[Tensor | None],
    leaves: Iterable[Tensor] = (),
) -> None:
    """Run a shim's backward pass from those of its outputs that have a gradient.

    backprop (Callable[[ArgsKwargs], Any]): The callback of the shim's forward pass.
    tensors (Iterable[Tensor]): The outputs.
    gradients (Iterable[Optional[Tensor]]): The gradient of each, None where it was not used.
    leaves (Iterable[Tensor]): The inputs that are to get a gradient.
    """
    pairs = [
        (tensor, gradient)
        for tensor, gradient in zip(tensors, gradients, strict=True)
        if gradient is not None and tensor.requires_grad
    ]
    if pairs:
        outputs, grad_tensors = zip(*pairs, strict=True)
        further = {"grad_tensors": list(grad_tensors), "leaves": list(leaves)}
        backprop(ArgsKwargs((outputs,), further))
