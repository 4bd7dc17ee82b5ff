"""How what an extractor takes grows with the sizes of documents."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from spacy.language import Language

from ..extractor.pipeline import find_extractor
from .bare import shim_of, transformers_of
from .budget import BUDGET, Budget, OverBudgetError, limited
from .pipelines import calibrate_on, initialize_for, make_synthetic, to_examples
from .steps import benchmark
from .synthetic import DOCRED, Sizes
from .timing import Timing

# The fields of `Sizes`, and the values that each takes while the others stay as they are.
DIMENSIONS: dict[str, tuple[int, ...]] = {
    "entities": (10, 20, 50, 100, 200),
    "mentions": (1, 3, 10),
    "length": (256, 512, 1024, 2048, 4096, 8192),
    "labels": (10, 50, 96, 200, 500),
}
TITLES = {
    "entities": "Entities",
    "mentions": "Mentions of an entity",
    "length": "Wordpieces of the text",
    "labels": "Relation types",
}
MIN_FITTED = 3


@dataclass(frozen=True)
class Point:
    """What one step takes at one size.

    dimension (str): The size that is varied, a key of `DIMENSIONS`.
    size (int): Its value.
    step (str): A key of `STEPS`.
    timing (Optional[Timing]): What it takes; None if it was given up.
    skipped (Optional[str]): Why it was given up.
    """

    dimension: str
    size: int
    step: str
    timing: Timing | None
    skipped: str | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Point":
        """The point whose fields are plain values, as `asdict` gives them.

        values (Mapping[str, Any]): The plain values.
        RETURNS (Point): The point.
        """
        timing = values["timing"] and Timing.from_dict(values["timing"])
        return cls(**{**values, "timing": timing})


@dataclass(frozen=True)
class GrowthSettings:
    """How growth is measured.

    dimensions (Mapping[str, Sequence[int]]): What is varied and the values, ascending.
    steps (Sequence[str]): Which steps are timed, keys of `STEPS`.
    base (Sizes): The sizes that are not varied.
    n_docs (int): Documents of each size.
    repeats (int): How often each is timed at least.
    min_seconds (float): Short ones are timed more often, until that time is over: see
        `interleaved`.
    seed (int): The seed of the documents.
    budget (Budget): When to give a point up. Larger ones are then not tried.
    """

    dimensions: Mapping[str, Sequence[int]]
    steps: Sequence[str] = ("inference",)
    base: Sizes = DOCRED
    n_docs: int = 1
    repeats: int = 3
    min_seconds: float = 0.5
    seed: int = 0
    budget: Budget = BUDGET


def measure_growth(
    make_pipeline: Callable[[], Language], settings: GrowthSettings
) -> Iterator[Point]:
    """Measure one method over all sizes. The base sizes, which several dimensions have, are
    measured once.

    make_pipeline (Callable[[], Language]): Makes the method's pipeline, not initialised.
    settings (GrowthSettings): What to measure.
    YIELDS (Point): Each step at each size.
    RAISES (DocreError): If the encoder has no bare one.
    """
    measured: dict[tuple[Sizes, str], Timing] = {}
    pipeline: tuple[int, Language, list[str]] | None = None
    for dimension, values in settings.dimensions.items():
        given_up: dict[str, str] = {}
        for value in values:
            sizes = replace(settings.base, **{dimension: value})
            for step in settings.steps:
                timing, reason = measured.get((sizes, step)), given_up.get(step)
                if timing is None and reason is None:
                    # The number of relation types is a size of the model.
                    if pipeline is None or pipeline[0] != sizes.labels:
                        nlp = make_pipeline()
                        pipeline = sizes.labels, nlp, initialize_for(nlp, sizes)
                    try:
                        timing = _measure(*pipeline[1:], sizes, step, settings)
                        measured[sizes, step] = timing
                    except OverBudgetError as error:
                        reason = str(error)
                        given_up[step] = f"not tried: {value} {reason}"
                yield Point(dimension, value, step, timing, reason)


def _measure(
    nlp: Language, words: Sequence[str], sizes: Sizes, step: str, settings: GrowthSettings
) -> Timing:
    _, extractor = find_extractor(nlp)
    device = shim_of(transformers_of(extractor)[0]).device
    docs = [
        make_synthetic(nlp, sizes, seed=settings.seed + number, words=words)
        for number in range(settings.n_docs)
    ]
    examples = to_examples(nlp, docs)
    with limited(settings.budget, device):
        if step != "training":
            calibrate_on(nlp, examples)
        timings = benchmark(
            nlp,
            examples,
            steps=[step],
            batch_size=settings.n_docs,
            repeats=settings.repeats,
            min_seconds=settings.min_seconds,
        )
    return timings[step]


def fit_exponent(sizes: Sequence[float], values: Sequence[float]) -> tuple[float, int] | None:
    """Fit a power of the size by least squares on logarithms, over the upper half of the sizes, but
    at least three: small sizes are ruled by what does not grow. Values that are not positive are
    noise, and left out.

    sizes (Sequence[float]): The sizes, ascending.
    values (Sequence[float]): What was measured there.
    RETURNS (Optional[tuple[float, int]]): The exponent, and over how many points it was fitted;
        None if there are fewer than two.
    """
    n_upper = max(MIN_FITTED, -(-len(sizes) // 2))
    upper = [(s, v) for s, v in zip(sizes, values, strict=True) if v > 0][-n_upper:]
    if len(upper) < 2:
        return None
    logs = np.log(np.array(upper, dtype=float))
    slope, _ = np.polyfit(logs[:, 0], logs[:, 1], 1)
    return float(slope), len(upper)
