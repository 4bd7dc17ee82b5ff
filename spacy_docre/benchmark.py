"""What the extractor costs beside its bare encoder, measured in one run."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
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
    """What a step costs.

    bare (list[float]): Seconds that the encoder alone takes, over repeats.
    full (list[float]): Seconds that the extractor takes.
    bare_memory (Optional[int]): Peak of the memory, in bytes, while the encoder alone runs: what
        the process holds, or on a GPU what PyTorch has allocated. None where it cannot be told.
    full_memory (Optional[int]): The same while the extractor runs.
    """

    bare: list[float]
    full: list[float]
    bare_memory: int | None
    full_memory: int | None

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
    # The first round of each is not timed, and shows how much memory it takes.
    memory = [_peak_memory_of(function) for function in (bare, full)]
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for function, taken in zip((bare, full), seconds, strict=True):
            start = time.perf_counter()
            function()
            _wait_for_device()
            taken.append(time.perf_counter() - start)
    return Timing(*seconds, *memory)


def _peak_memory_of(function: Callable[[], None]) -> int | None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        function()
        _wait_for_device()
        return torch.cuda.max_memory_allocated()
    # Linux alone can forget an earlier peak: proc(5), clear_refs.
    forget, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not forget.exists():
        function()
        return None
    forget.write_text("5")
    function()
    peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) * 1024


def _wait_for_device() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
