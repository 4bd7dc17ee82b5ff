"""An encoder compiled for inference on a CPU: how it is saved, checked and run."""

import hashlib
import os
import warnings
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import Warnings
from .openvino_graph import bytes_of, check_graph, full_size, load_openvino, put_back, reason_of
from .weights import FormatError

Precision = Literal["fp32", "bf16", "int8"]
# What OpenVINO is told for what is not in integers. It would choose bfloat16 by itself.
HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
KEYS = ("precision", "graph", "constants", "shared", "digest")


@dataclass
class CompiledEncoder:
    """A graph that gives what an encoder gives, run by OpenVINO. Weights that it has in common with
    the encoder are not in it but taken from there.

    precision (str): "fp32"; "bf16", on a processor that has it, else fp32 too; or "int8".
    graph (bytes): OpenVINO's XML.
    constants (bytes): The graph's constants but for those that are weights of the encoder.
    shared (list[tuple[int, str]]): Where these belong, see `cut_shared`.
    digest (bytes): That of the weights which it was made from, see `digest_of`.
    """

    precision: Precision
    graph: bytes
    constants: bytes
    shared: list[tuple[int, str]]
    digest: bytes
    # By the number of threads and the process: a forked one has no threads of its parent's.
    _sessions: dict[tuple[int, int], Any] = field(default_factory=dict, repr=False, compare=False)
    _checked: tuple[int, int] | None = field(default=None, repr=False, compare=False)
    _is_unusable: bool = field(default=False, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """A copy, and one for another process, has to start over."""
        return {**vars(self), "_sessions": {}, "_checked": None}

    def to_message(self) -> dict[str, Any]:
        """What is saved."""
        return {key: getattr(self, key) for key in KEYS}

    @classmethod
    def from_message(
        cls, message: Any, inputs: Collection[str], weights: Mapping[str, Tensor]
    ) -> "CompiledEncoder":
        """Check what was saved.

        message (dict[str, Any]): What `to_message` gave.
        inputs (Collection[str]): The names of what the encoder's graph takes.
        weights (Mapping[str, Tensor]): The encoder's weights by name.
        RETURNS (CompiledEncoder): The compiled encoder.
        RAISES (FormatError): If it is something else.
        """
        if not isinstance(message, dict) or set(message) != set(KEYS):
            raise FormatError("the compiled encoder is not whole")
        is_bytes = all(isinstance(message[key], bytes) for key in ("graph", "constants", "digest"))
        if message["precision"] not in get_args(Precision) or not is_bytes:
            raise FormatError("the compiled encoder is not what `compile` makes")
        shared = message["shared"]
        if not isinstance(shared, list) or not all(map(_is_place, shared)):
            raise FormatError("the compiled encoder does not say what it shares")
        found = cls(**{**message, "shared": [(offset, name) for offset, name in shared]})
        n_bytes = full_size(found.constants, found.shared, weights)
        check_graph(found.graph, inputs, n_bytes)
        return found

    def is_of(self, module: nn.Module) -> bool:
        """Whether an encoder has the weights that this was made from. Unless PyTorch or `forget`
        tells of a change, they are not looked at again.

        module (nn.Module): The encoder.
        RETURNS (bool): Whether they are the same.
        """
        now = _versions(module)
        if self._checked != now:
            if digest_of(module) != self.digest:
                return False
            self._checked = now
        return True

    def trust(self, module: nn.Module) -> None:
        """Take an encoder for the one that this was made from, as both were saved together.

        module (nn.Module): The encoder.
        """
        self._checked = _versions(module)

    def forget(self) -> None:
        """Look at the encoder's weights again before the next use."""
        self._checked = None

    def can_run(self, module: nn.Module) -> bool:
        """Whether this can be used here. The first time that it cannot, a warning says why.

        module (nn.Module): The encoder.
        RETURNS (bool): Whether it can.
        """
        if not self._is_unusable:
            try:
                self._session(module)
            except (RuntimeError, ImportError, ValueError) as error:
                self._is_unusable = True
                warnings.warn(Warnings.DW70.format(reason=reason_of(error)), stacklevel=2)
        return not self._is_unusable

    def __call__(self, module: nn.Module, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Run the graph.

        module (nn.Module): The encoder.
        inputs (Mapping[str, Tensor]): See `graph_inputs`.
        RETURNS (tuple[Tensor, Tensor]): [w, l, d] the hidden states and [w, K, i, l] the rows of
            attention.
        """
        session = self._session(module)
        # A request of its own, so that threads do not disturb each other.
        arrays = {n: np.ascontiguousarray(t.detach().numpy()) for n, t in inputs.items()}
        results = session.create_infer_request().infer(arrays, share_inputs=True)
        hidden, rows = (torch.from_numpy(results[output]) for output in session.outputs)
        return hidden, rows

    def _session(self, module: nn.Module) -> Any:
        key = torch.get_num_threads(), os.getpid()
        if key not in self._sessions:
            openvino = load_openvino()
            if openvino is None:
                raise ImportError("OpenVINO is not installed (`pip install -e '.[openvino]'`)")
            core = openvino.Core()
            settings = {
                "INFERENCE_NUM_THREADS": key[0],
                "NUM_STREAMS": 1,
                "PERFORMANCE_HINT": "LATENCY",
                # Processes that share a machine would all choose the same cores.
                "ENABLE_CPU_PINNING": False,
                "INFERENCE_PRECISION_HINT": HINTS[self.precision],
            }
            constants = put_back(self.constants, self.shared, module.state_dict())
            graph = core.read_model(self.graph, constants)
            # OpenVINO lays the stack for its thread's signals somewhere else, and may in the end
            # leave it where nothing is any more: then Ctrl-C is a segmentation fault.
            with ThreadPoolExecutor(1) as thread:
                compiling = thread.submit(core.compile_model, graph, "CPU", settings)
                self._sessions[key] = compiling.result()
        return self._sessions[key]


def digest_of(module: nn.Module) -> bytes:
    """The SHA-256 of the weights of a module, with their names.

    module (nn.Module): The module.
    RETURNS (bytes): The digest.
    """
    digest = hashlib.sha256()
    for name, parameter in module.named_parameters():
        digest.update(name.encode())
        digest.update(bytes_of(parameter))
    return digest.digest()


def _versions(module: nn.Module) -> tuple[int, int]:
    # What is made in inference mode counts no changes, and cannot be changed outside of it.
    changes = (p._version for p in module.parameters() if not p.is_inference())
    return id(module), sum(changes)


def _is_place(pair: Any) -> bool:
    return isinstance(pair, list | tuple) and list(map(type, pair)) == [int, str]
