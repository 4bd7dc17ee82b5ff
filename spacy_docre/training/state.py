"""What a training run needs to go on: weights, the optimizer, random numbers and its history."""

import math
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from spacy.language import Language
from thinc.api import Model, Optimizer, to_numpy

from ..errors import DocreError, Errors, shortened

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

Key = tuple[int, str]

# What Thinc's optimizer keeps for each parameter.
ARRAYS = ("mom1", "mom2", "averages")


@dataclass
class Evaluation:
    """One of a run's evaluations.

    score (float): The score that decides which model is best.
    other_scores (dict[str, Any]): All metrics.
    losses (dict[str, float]): The losses of the components since the evaluation before.
    """

    score: float
    other_scores: dict[str, Any]
    losses: dict[str, float]


@dataclass
class History:
    """What has happened in a run, from which spaCy's training loop is taken to the same place.

    steps (int): How many steps are done.
    digest (int): A checksum of their texts, by which a changed corpus is noticed.
    seconds (float): The time that they took, evaluations included.
    peak_memory (Optional[int]): The most memory that the process held, in bytes, or on a GPU that
        PyTorch allocated. None where it cannot be told.
    losses (dict[str, float]): The losses since the last evaluation.
    evaluations (list[Evaluation]): All evaluations.
    epochs (list[Any]): The state of Python's random numbers at the end of each epoch, before
        the documents are shuffled again.
    finished (bool): Whether the run has come to its end.
    """

    steps: int = 0
    digest: int = 0
    seconds: float = 0.0
    peak_memory: int | None = None
    losses: dict[str, float] = field(default_factory=dict)
    evaluations: list[Evaluation] = field(default_factory=list)
    epochs: list[Any] = field(default_factory=list)
    finished: bool = False


def trainable_models(nlp: Language, frozen: list[str]) -> dict[str, Model]:
    """The models that a training run changes.

    nlp (Language): The pipeline.
    frozen (list[str]): The components that are not trained.
    RETURNS (dict[str, Model]): The models by the names of their components.
    """
    models = {name: getattr(pipe, "model", None) for name, pipe in nlp.pipeline}
    return {
        name: model
        for name, model in models.items()
        if name not in frozen and isinstance(model, Model)
    }


def optimizer_arrays(optimizer: Optimizer, models: dict[str, Model]) -> dict[str, np.ndarray]:
    """The moments and averages of an optimizer.

    optimizer (Optimizer): The optimizer.
    models (dict[str, Model]): The models that it trains.
    RETURNS (dict[str, np.ndarray]): The arrays by names that are the same in each process.
    """
    return {
        f"{kind}/{name}": to_numpy(getattr(optimizer, kind)[key])
        for name, key, _ in _parameters(models)
        for kind in ARRAYS
        if key in (getattr(optimizer, kind) or {})
    }


def optimizer_counts(optimizer: Optimizer, models: dict[str, Model]) -> dict[str, int]:
    """How often an optimizer has changed each parameter.

    optimizer (Optimizer): The optimizer.
    models (dict[str, Model]): The models that it trains.
    RETURNS (dict[str, int]): The numbers by the parameters' names.
    """
    counts = dict(optimizer.nr_update)
    return {name: counts[key] for name, key, _ in _parameters(models) if key in counts}


def restore_optimizer(
    optimizer: Optimizer,
    models: dict[str, Model],
    arrays: dict[str, np.ndarray],
    counts: dict[str, int],
) -> None:
    """Bring an optimizer back to a former state. Its schedules are not touched.

    optimizer (Optimizer): The optimizer.
    models (dict[str, Model]): The models that it trains.
    arrays (dict[str, np.ndarray]): What `optimizer_arrays` gave.
    counts (dict[str, int]): What `optimizer_counts` gave.
    RAISES (DocreError): If a parameter is not the models'.
    RAISES (ValueError): If an array is not of its parameter's shape, or a count is no number.
    """
    parameters = list(_parameters(models))
    key_of = {name: key for name, key, _ in parameters}
    shape_of = {name: shape for name, _, shape in parameters}
    strange = {name.partition("/")[2] for name in arrays} | counts.keys()
    if strange - key_of.keys():
        raise DocreError(Errors.D092.format(name=min(strange - key_of.keys())))
    ops = next(iter(models.values())).ops
    for name, array in arrays.items():
        kind, _, parameter = name.partition("/")
        shape = shape_of[parameter]
        if kind != "averages":
            # Thinc keeps the moments flat.
            shape = (math.prod(shape),)
        if kind not in ARRAYS or array.dtype != np.float32 or array.shape != shape:
            expected = f"float32 {list(shape)}"
            found = f"{array.dtype} {list(array.shape)}"
            raise ValueError(f"'{shortened(name)}' is {found} instead of {expected}")
        getattr(optimizer, kind)[key_of[parameter]] = ops.asarray(cast(Any, array))
    if any(type(count) is not int or count < 0 for count in counts.values()):
        raise ValueError("a count of updates is not a number")
    optimizer.nr_update.update({key_of[name]: count for name, count in counts.items()})


def peak_memory() -> int | None:
    """The most memory that the process has held so far, in bytes, or on a GPU that PyTorch has
    allocated. None where it cannot be told (Windows)."""
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated()
    if resource is None:
        return None
    # Linux counts kibibytes, macOS bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def random_state() -> dict[str, Any]:
    """The state of the random numbers of Python, NumPy and PyTorch, as JSON can hold it."""
    name, keys, *rest = cast(tuple, np.random.get_state(legacy=True))
    return {
        "python": random.getstate(),
        "numpy": [name, keys.tolist(), *rest],
        "torch": torch.get_rng_state().tolist(),
        "cuda": [state.tolist() for state in torch.cuda.get_rng_state_all()]
        if torch.cuda.is_available()
        else [],
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Bring the random numbers back to a former state.

    state (dict[str, Any]): What `random_state` gave.
    """
    restore_python_random(state["python"])
    np.random.set_state(tuple(state["numpy"]))
    torch.set_rng_state(torch.tensor(state["torch"], dtype=torch.uint8))
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(
            [torch.tensor(values, dtype=torch.uint8) for values in state["cuda"]]
        )


def restore_python_random(state: Any) -> None:
    """Bring Python's random numbers back to a former state.

    state (Any): What `random.getstate` gave, perhaps after a journey through JSON.
    """
    version, keys, gauss = state
    random.setstate((version, tuple(keys), gauss))


def _parameters(models: dict[str, Model]) -> Iterator[tuple[str, Key, tuple[int, ...]]]:
    """Each parameter's name, its key in an optimizer, which is a number that depends on how many
    models the process has made, and its shape, () if it has none yet."""
    for component, model in models.items():
        for number, node in enumerate(model.walk()):
            place = f"{component}/{number}"
            for name in node.param_names:
                shape: tuple[int, ...] = node.get_param(name).shape if node.has_param(name) else ()
                yield f"{place}/{name}", (node.id, name), shape
            for shim_number, shim in enumerate(node.shims):
                module = getattr(shim, "_model", None)
                if isinstance(module, torch.nn.Module):
                    for name, value in module.named_parameters():
                        yield f"{place}/{shim_number}/{name}", (shim.id, name), tuple(value.shape)
