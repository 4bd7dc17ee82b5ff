"""In which precision PyTorch modules compute: the shims' part of `RelationModel`'s settings."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

import torch
from thinc.api import (
    ArgsKwargs,
    Model,
    Optimizer,
    PyTorchGradScaler,
    PyTorchShim,
    torch2xp,
    xp2torch,
)
from thinc.types import FloatsXd
from torch import Tensor, nn

from ..errors import DocreError, Errors

GpuPrecision = Literal["fp32", "bf16", "fp16"]
CpuPrecision = Literal["fp32", "bf16"]
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class PrecisionShim(PyTorchShim):
    """A shim whose module computes in full or in half precision (`torch.autocast`), by the device
    that it is on. The weights stay what they are, and so does what is saved.

    Gradients are scaled for fp16 alone, whose range is that small. Thinc divides those of earlier
    steps by the scale again when gradients are accumulated, and keeps some memory of each step;
    this shim does neither.
    """

    gpu_precision: str = "fp32"
    cpu_precision: str = "fp32"
    # Arguments of Thinc's `PyTorchGradScaler`.
    scaler_settings: Mapping[str, Any] = MappingProxyType({})
    _in_mode: nn.Module | None = None

    @property
    def precision(self) -> str:
        """The precision on the device that the module is on."""
        return self.cpu_precision if self.device.type == "cpu" else self.gpu_precision

    def set_precision(self, *, gpu: str, cpu: str) -> None:
        """Choose the precision.

        gpu (str): "fp32", "bf16" or "fp16".
        cpu (str): "fp32" or "bf16".
        """
        # An encoder's own `mixed_precision`, older than this, is fp16.
        self.gpu_precision = "fp16" if gpu == "fp32" and self._mixed_precision else gpu
        self.cpu_precision = cpu
        settings = {"enabled": self.gpu_precision == "fp16", **self.scaler_settings}
        self._grad_scaler = PyTorchGradScaler(**settings)

    def predict(self, inputs: ArgsKwargs) -> Any:
        """Run the module in evaluation mode.

        inputs (ArgsKwargs): Its arguments.
        RETURNS (Any): What it returns.
        """
        module = self._switch(is_train=False)
        with torch.inference_mode(), self._autocast():
            return module(*inputs.args, **inputs.kwargs)

    def begin_update(self, inputs: ArgsKwargs) -> tuple[Any, Callable[[ArgsKwargs], None]]:
        """Run the module in training mode. The backward pass leaves the gradients in the
        parameters' and inputs' `grad`; inputs whose gradients are wanted go into its `leaves`.

        inputs (ArgsKwargs): The module's arguments.
        RETURNS (tuple[Any, Callable]): What it returns, and the backward pass.
        """
        module = self._switch(is_train=True)
        with self._autocast():
            output = module(*inputs.args, **inputs.kwargs)

        def backprop(gradients: ArgsKwargs) -> None:
            tensors = gradients.kwargs["grad_tensors"]
            if self.precision != "fp16":
                torch.autograd.backward(gradients.args[0], grad_tensors=tensors)
            else:
                leaves = gradients.kwargs.get("leaves", ())
                self._scaled_backward(gradients.args[0], tensors, [*module.parameters(), *leaves])

        return output, backprop

    def finish_update(self, optimizer: Optimizer) -> None:
        """Apply the gradients, where none has overflowed, and set them to zero.

        optimizer (Optimizer): The optimizer.
        """
        for name, parameter in self._model.named_parameters():
            if parameter.grad is None:
                continue
            if not self._grad_scaler.found_inf:
                weights, gradient = (torch2xp(t) for t in (parameter.data, parameter.grad))
                updated, _ = optimizer(
                    (self.id, name), cast(FloatsXd, weights), cast(FloatsXd, gradient)
                )
                # Thinc makes the result the parameter's data. As that is the same memory, it holds
                # on to its predecessor, which holds on to its own: more memory with each step.
                if updated is not weights:
                    parameter.data.copy_(xp2torch(updated, device=parameter.device))
            parameter.grad.zero_()
        self._grad_scaler.update()

    def _switch(self, is_train: bool) -> nn.Module:
        # Thinc switches twice for each call, which takes a step for each of hundreds of modules.
        module: nn.Module = self._model
        if self._in_mode is not module or module.training != is_train:
            module.train(is_train)
            self._in_mode = module
        return module

    def _autocast(self) -> torch.autocast:
        dtype = DTYPES.get(self.precision)
        return torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not None)

    def _scaled_backward(
        self, outputs: tuple[Tensor, ...], gradients: list[Tensor], leaves: list[Tensor]
    ) -> None:
        earlier = [leaf.grad for leaf in leaves]
        for leaf in leaves:
            leaf.grad = None
        scaler = self._grad_scaler
        torch.autograd.backward(outputs, grad_tensors=scaler.scale(gradients))
        scaler.unscale([leaf.grad for leaf in leaves if leaf.grad is not None])
        for leaf, grad in zip(leaves, earlier, strict=True):
            if grad is not None:
                leaf.grad = grad if leaf.grad is None else grad.add_(leaf.grad)


def full_precision(tensor: Tensor) -> torch.autocast:
    """A context in which nothing is computed in half precision, for what needs the range or the
    digits.

    tensor (Tensor): A tensor on the device in question.
    RETURNS (torch.autocast): The context.
    """
    return torch.autocast(tensor.device.type, enabled=False)


def at_least_single(tensor: Tensor) -> Tensor:
    """A tensor in fp32 if it is in half precision, else as it is.

    tensor (Tensor): The tensor.
    RETURNS (Tensor): The same values.
    """
    return tensor.float() if tensor.dtype in DTYPES.values() else tensor


def set_precision(model: Model, *, gpu: str, cpu: str) -> None:
    """Choose the precision of an extractor's model, at any time.

    model (Model[tuple[list[Doc], ClusterBatch], HeadOutput]): The model, see `RelationModel`.
    gpu (str): "fp32", "bf16" or "fp16".
    cpu (str): "fp32" or "bf16".
    RAISES (DocreError): If there is no such precision.
    """
    for setting, value, known in (
        ("gpu_precision", gpu, get_args(GpuPrecision)),
        ("cpu_precision", cpu, get_args(CpuPrecision)),
    ):
        if value not in known:
            condition = f"one of {', '.join(known)}"
            raise DocreError(Errors.D020.format(setting=setting, condition=condition, value=value))
    for node in model.walk():
        for shim in node.shims:
            if isinstance(shim, PrecisionShim):
                shim.set_precision(gpu=gpu, cpu=cpu)
