"""How much a saved encoder may be: no more than its weights have room for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from ..weights import FormatError
from .trust import settings_in

# Numbers up to this one are no danger whatever they count.
ANY_NUMBER = 2**20
# Transformers makes names of as many labels as a configuration says.
MAX_LABELS = 2**16
# Tables that are computed and not saved: masks, positions.
MAX_BUFFERS = 2**28
# Modules with a parameter stand in others that have none, with activations and dropouts.
MODULES_FOR_EACH = 40


class _Budget:
    """What building a module may still register.

    weights (Mapping[str, Tensor]): The weights that were saved for it.
    spare (int): Of parameters and of modules, how many more there may be than weights.
    """

    def __init__(self, weights: Mapping[str, Tensor], spare: int = 200) -> None:
        n_bytes = sum(tensor.nbytes for tensor in weights.values())
        self.tensors = 4 * len(weights) + spare
        self.modules = MODULES_FOR_EACH * self.tensors
        # Shared weights are saved for each of their places. A part that is not used, such as a
        # decoder, may be as large again, in a type of twice the size.
        self.parameters = 8 * n_bytes + MAX_BUFFERS
        self.buffers = n_bytes + MAX_BUFFERS

    def take(self, what: str, amount: int) -> None:
        left = getattr(self, what) - amount
        setattr(self, what, left)
        if left < 0:
            raise FormatError(f"its configuration asks for more {what} than its weights have")


_budget: ContextVar[_Budget | None] = ContextVar("budget", default=None)


def check_numbers(config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Check the numbers of a saved configuration before it is read.

    config (Mapping[str, Any]): The configuration.
    weights (Mapping[str, Tensor]): The weights that were saved with it.
    RAISES (FormatError): If one is larger than all of the weights.
    """
    largest = max(ANY_NUMBER, sum(tensor.numel() for tensor in weights.values()))
    for path, name, value in settings_in(config):
        limit = MAX_LABELS if name == "num_labels" else largest
        if isinstance(value, int) and abs(value) > limit:
            raise FormatError(f"'{path}' = {value} is more than its weights have room for")


@contextmanager
def within(weights: Mapping[str, Tensor]) -> Iterator[None]:
    """A context in which building a module ends with an error as soon as it is larger than the
    weights that it is to get: each of its parameters counts when it is registered.

    weights (Mapping[str, Tensor]): The weights.
    RAISES (FormatError): In that case.
    """
    handles = [
        register_module_module_registration_hook(_count_module),
        register_module_parameter_registration_hook(_count_parameter),
        register_module_buffer_registration_hook(_count_buffer),
    ]
    token = _budget.set(_Budget(weights))
    try:
        yield
    finally:
        _budget.reset(token)
        for handle in handles:
            handle.remove()


def _count_module(parent: nn.Module, name: str, module: nn.Module | None) -> None:
    budget = _budget.get()
    if budget is not None:
        budget.take("modules", 1)


def _count_parameter(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
    budget = _budget.get()
    if budget is not None and parameter is not None:
        budget.take("tensors", 1)
        budget.take("parameters", parameter.nbytes)


def _count_buffer(module: nn.Module, name: str, buffer: Tensor | None) -> None:
    budget = _budget.get()
    if budget is not None and buffer is not None:
        budget.take("buffers", buffer.nbytes)


def build_without_memory(build: Any, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a module's weights are, without memory for them, whose sizes may be any.

    build (Callable[[], nn.Module]): Builds the module.
    weights (Mapping[str, Tensor]): The weights that were saved for it.
    RETURNS (dict[str, Tensor]): Its weights, without values.
    RAISES (FormatError): If it is larger than the saved weights.
    """
    with torch.device("meta"), within(weights):
        return dict(build().state_dict())
