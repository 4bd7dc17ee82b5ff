"""What the extractor does in training where a loss or a gradient is not a finite number."""

import math
import random
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import torch
from spacy.training import Example
from thinc.api import Model
from torch import Tensor

from ..data.clusters import describe
from ..errors import DocreError, Errors, Warnings, first_of
from ..models.batch import ClusterBatch
from ..models.encoding import HeadOutput
from ..models.loading import non_finite_weights
from ..models.torch_module import LazyTorchShim, lazy_shim
from .optimizer import Gradients, drop_gradients, scalers_of

OnNonFinite = Literal["raise", "skip"]

# After so many steps in a row that are left out, nothing will be learned any more.
MAX_IN_A_ROW = 100
# Documents that are remembered until the step is taken, and that a message names.
MAX_DOCS, SHOWN_DOCS = 512, 8
# Gradients that fit into 16 bits only if they are scaled down are too large.
LEAST_SCALE = 1.0


class Learner(Protocol):
    """A component that is guarded. `cfg["on_nonfinite"]` says what to do, `model` has the refs
    "encoder" and "head"."""

    name: str
    model: Model
    cfg: dict[str, Any]

    def fails_alone(self, example: Example) -> bool:
        """Whether the loss or the gradient of an example by itself is not finite."""


@dataclass
class Step:
    """What a guard knows of a step that has not been taken yet.

    examples (list[Example]): What it learns from; of very many the last ones.
    losses (dict[str, float]): Where the steps that are left out are counted.
    buffers (list[tuple[Tensor, Tensor]]): What the head counts, and its values before the step.
    failure (Optional[str]): What is not finite.
    suspects (list[Example]): The batches in which that was so.
    with_bad_logits (list[Example]): The documents whose logits were not finite.
    """

    examples: list[Example] = field(default_factory=list)
    losses: dict[str, float] = field(default_factory=dict)
    buffers: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    failure: str | None = None
    suspects: list[Example] = field(default_factory=list)
    with_bad_logits: list[Example] = field(default_factory=list)


class StepGuard:
    """Keeps what is not finite away from the weights of a component. It looks at each loss, which
    has to be waited for anyway, and once before each step at the norm of all gradients, which the
    optimizer needs too. If one is not finite, the step is an error or is left out: no gradient
    of it remains; weights, moments of the optimizer and random numbers are as they were.

    An overflow of the scaled gradients of fp16 is neither: the scale goes down, as it should.

    pipe (Learner): The component.
    """

    def __init__(self, pipe: Learner) -> None:
        self.pipe = pipe
        self.count = 0
        self._in_a_row = 0
        self._step = Step()

    def begin(self, examples: Sequence[Example], losses: dict[str, float]) -> None:
        """Note what a step learns from. A step may have several batches.

        examples (Sequence[Example]): The batch.
        losses (dict[str, float]): Where the steps that are left out are counted.
        """
        step = self._step
        if not step.examples:
            step.buffers = [(buffer, buffer.clone()) for buffer in _head_buffers(self.pipe.model)]
        step.examples = [*step.examples, *examples][-MAX_DOCS:]
        step.losses = losses

    def check_loss(
        self,
        loss: float,
        examples: Sequence[Example],
        clusters: ClusterBatch,
        output: HeadOutput,
    ) -> bool:
        """Whether to learn from a batch.

        loss (float): Its loss.
        examples (Sequence[Example]): The batch.
        clusters (ClusterBatch): Its entities and pairs.
        output (HeadOutput): What the head said of them.
        RETURNS (bool): Whether the loss is finite.
        RAISES (DocreError): If it is not and that is an error.
        """
        if math.isfinite(loss):
            return True
        self._step.failure = f"The loss ({loss})"
        self._step.suspects += examples
        rows = _docs_with_bad_logits(output, clusters)
        self._step.with_bad_logits += [examples[i] for i in rows]
        if self._raises:
            raise self._error(Errors.D100)
        return False

    def check_step(self, gradients: Gradients) -> bool:
        """Whether to take a step.

        gradients (Gradients): All gradients of the model.
        RETURNS (bool): Whether all losses and gradients are finite.
        RAISES (DocreError): If not, and that is an error or has happened too often in a row.
        """
        outflow = _take_outflow(self.pipe.model)
        scalers = scalers_of(self.pipe.model)
        overflowed = any(scaler.found_inf for scaler in scalers)
        if overflowed:
            is_scaled_up = all(float(scaler._scale) >= LEAST_SCALE for scaler in scalers)
            for scaler in scalers:
                scaler.update()
            if is_scaled_up and self._step.failure is None:
                self._step = Step()
                return False
        if self._step.failure is None:
            finite = gradients.norm.isfinite()
            for flag in outflow:
                finite = finite & flag.to(finite.device)
            # Nowhere else a step waits for the device.
            if finite and not overflowed:
                self._in_a_row = 0
                self._step = Step()
                return True
            self._step.failure = "The gradient"
            self._step.suspects = self._step.examples
        self._leave_out()
        return False

    @property
    def _raises(self) -> bool:
        return bool(self.pipe.cfg["on_nonfinite"] == "raise")

    def _leave_out(self) -> None:
        if self._raises:
            raise self._error(Errors.D100)
        self.count += 1
        self._in_a_row += 1
        key = left_out_key(self.pipe.name)
        self._step.losses[key] = self._step.losses.get(key, 0) + 1
        if self._in_a_row >= MAX_IN_A_ROW:
            raise self._error(Errors.D101)
        if self.count == 10 ** (len(str(self.count)) - 1):
            message = Warnings.DW40.format(
                reason=self._reason(), count=self.count, next=10 * self.count
            )
            warnings.warn(message, stacklevel=2)
        self._end_without_a_trace()

    def _error(self, message: str) -> DocreError:
        error = DocreError(
            message.format(reason=self._reason(), name=self.pipe.name, n=self._in_a_row)
        )
        # Somebody may catch it and go on.
        self._end_without_a_trace()
        return error

    def _reason(self) -> str:
        """What has happened, and in which documents: those that fail by themselves, else all."""
        what = f"{self._step.failure} of the component '{self.pipe.name}' is not a finite number"
        if non_finite_weights(self.pipe.model):
            return f"{what}, as its weights are not: it fails on all documents"
        # A head's logits may mix the documents of a batch, so that they are the second choice.
        culprits = self._find_culprits() or self._step.with_bad_logits
        if culprits:
            return f"{what} in {_names(culprits)}"
        return f"{what} in a step whose documents are {_names(self._step.suspects)}"

    def _find_culprits(self) -> list[Example]:
        model = self.pipe.model
        # Without its own turn, a shared encoder has no answer for a single document; in fp16 many
        # a document overflows by itself.
        if is_listening(model) or any(scaler._enabled for scaler in scalers_of(model)):
            return []
        drop_gradients(model)
        with _unchanged_random_numbers():
            culprits = [eg for eg in self._step.suspects if self.pipe.fails_alone(eg)]
        drop_gradients(model)
        return culprits

    def _end_without_a_trace(self) -> None:
        drop_gradients(self.pipe.model)
        for buffer, before in self._step.buffers:
            buffer.copy_(before)
        self._step = Step()


def left_out_key(name: str) -> str:
    """The key under which the losses of a training count the steps that were left out.

    name (str): The component's name.
    RETURNS (str): The key.
    """
    return f"{name}_left_out"


def is_listening(model: Model) -> bool:
    """Whether a model has the output of another component for an input, such as a shared
    transformer's.

    model (Model): The model, with its sublayers.
    RETURNS (bool): Whether it has a listener.
    """
    return any(hasattr(node, "upstream_name") for node in model.walk())


@contextmanager
def _unchanged_random_numbers() -> Iterator[None]:
    of_python, of_numpy = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices):
        yield
    random.setstate(of_python)
    np.random.set_state(of_numpy)


def _take_outflow(model: Model) -> list[Tensor]:
    """What the shims noted about gradients that left the model."""
    flags = []
    for node in model.walk():
        for shim in node.shims:
            if isinstance(shim, LazyTorchShim) and shim.outflow_is_finite is not None:
                flags.append(shim.outflow_is_finite)
                shim.outflow_is_finite = None
    return flags


def _head_buffers(model: Model) -> Iterable[Tensor]:
    return lazy_shim(model.get_ref("head")).require_built().buffers()


def _docs_with_bad_logits(output: HeadOutput, clusters: ClusterBatch) -> list[int]:
    bad = ~(output.logits.isfinite().all(dim=1) & output.threshold.isfinite())
    return sorted({int(doc) for doc in clusters.pair_doc[bad.cpu().numpy()]})


def _names(examples: Iterable[Example]) -> str:
    names = list(dict.fromkeys(describe(eg.reference) for eg in examples))
    return first_of(names, SHOWN_DOCS)
