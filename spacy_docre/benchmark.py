"""What the extractor costs beside its bare encoder, measured in one run."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from spacy.training import Example
from thinc.api import ArgsKwargs

from .clusters import ClusterBatch
from .component import DocRelationExtractor
from .errors import DocreError, Errors
from .models.encoders.transformer import window_layout
from .models.relation_model import Encoder
from .training import drop_gradients

# Encoders that have a bare one to compare with.
BARE_ENCODERS = ("marked_transformer", "entity_structure_transformer")


@dataclass(frozen=True)
class Timing:
    """Seconds that a step takes over repeats.

    bare (list[float]): The encoder alone.
    full (list[float]): The extractor.
    """

    bare: list[float]
    full: list[float]

    @property
    def ratio(self) -> float:
        """The median of the ratios of neighbouring repeats, which a machine's changing load
        disturbs less than the ratio of the medians."""
        return statistics.median(f / b for f, b in zip(self.full, self.bare, strict=True))


def benchmark(
    extractor: DocRelationExtractor,
    examples: Sequence[Example],
    *,
    batch_size: int = 4,
    repeats: int = 5,
) -> dict[str, Timing]:
    """Time inference and training steps of an extractor, tokenisation, classification and the
    loss included, and beside them its bare encoder on the same wordpieces in the same batches.
    The optimizer's step is not timed: it is the same for both.

    extractor (DocRelationExtractor): An initialised extractor with a "MarkedTransformer", an
        "EntityStructureTransformer", whose bare encoder goes without its biases, or a
        "TwinEncoder" of two, which the bare encoder then means both of.
    examples (Sequence[Example]): Documents with gold clusters.
    batch_size (int): Documents in a batch.
    repeats (int): How often each step is timed, in turn, after one round that is not.
    RETURNS (dict[str, Timing]): "inference": the encoder's forward pass against `predict`;
        "training": its forward and backward pass against `update`.
    RAISES (DocreError): If the encoder is another.
    """
    encoder = extractor.model.get_ref("encoder")
    encoders = encoder.layers if encoder.name == "twin_encoder" else [encoder]
    for part in encoders:
        if part.name not in BARE_ENCODERS:
            raise DocreError(Errors.D022.format(encoder=part.name))
    batches = [examples[i : i + batch_size] for i in range(0, len(examples), batch_size)]
    inputs = [
        (part.shims[0], _bare_inputs(extractor, part, batch))
        for batch in batches
        for part in encoders
    ]

    def bare_forward() -> None:
        for shim, arguments in inputs:
            shim.predict(arguments)

    def bare_step() -> None:
        for shim, arguments in inputs:
            output, backprop = shim.begin_update(arguments)
            hidden = output.last_hidden_state
            gradient = torch.ones_like(hidden)
            backprop(ArgsKwargs(((hidden,),), {"grad_tensors": [gradient]}))

    def predict() -> None:
        for batch in batches:
            extractor.predict([eg.predicted for eg in batch])

    def update() -> None:
        for batch in batches:
            extractor.update(batch)

    timings = {
        "inference": _interleaved(bare_forward, predict, repeats),
        "training": _interleaved(bare_step, update, repeats),
    }
    drop_gradients(extractor.model)
    return timings


def _bare_inputs(
    extractor: DocRelationExtractor, encoder: Encoder, batch: Sequence[Example]
) -> ArgsKwargs:
    docs = [eg.predicted for eg in batch]
    clusters = ClusterBatch.from_docs(docs, prefix=extractor.cfg["prefix"])
    layout = window_layout(encoder, docs, clusters)
    ids, mask = layout.input_ids(np.arange(len(layout.window_lengths)))
    device = cast(Any, encoder.shims[0]).device
    return ArgsKwargs(
        (),
        {
            "input_ids": torch.from_numpy(ids).to(device),
            "attention_mask": torch.from_numpy(mask).long().to(device),
        },
    )


def _interleaved(bare: Callable[[], None], full: Callable[[], None], repeats: int) -> Timing:
    timing = Timing([], [])
    for repeat in range(repeats + 1):
        for function, seconds in ((bare, timing.bare), (full, timing.full)):
            _wait_for_device()
            start = time.perf_counter()
            function()
            _wait_for_device()
            if repeat:
                seconds.append(time.perf_counter() - start)
    return timing


def _wait_for_device() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
