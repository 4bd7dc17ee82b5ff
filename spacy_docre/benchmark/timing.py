"""Timing functions in turn, and their memory."""

import ctypes
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True)
class Samples:
    """What one function takes.

    seconds (list[float]): The time of each call.
    peak (Optional[int]): The peak of the memory, in bytes, during its first call: what the process
        holds, or on a GPU what PyTorch has allocated. None where it cannot be told.
    """

    seconds: list[float]
    peak: int | None


@dataclass(frozen=True)
class Timing:
    """What a step of an extractor takes beside its bare encoder. The calls were made in turn, so
    that those at the same place of both lists are neighbours.

    bare (Samples): The encoder alone.
    full (Samples): The extractor.
    docs (int): The documents of one call.
    wordpieces (int): The wordpieces of one call that an encoder reads, markers and special tokens
        included and padding not; those where windows overlap count as often as they are read.
    """

    bare: Samples
    full: Samples
    docs: int
    wordpieces: int

    @property
    def ratios(self) -> list[float]:
        """The extractor's time as a multiple of the bare encoder's, of neighbouring calls."""
        return [f / b for f, b in zip(self.full.seconds, self.bare.seconds, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the ratios, which a machine's changing load disturbs less than the ratio
        of the medians."""
        return statistics.median(self.ratios)

    @property
    def spread(self) -> tuple[float, float]:
        """The first and the third quartile of the ratios: half of them are between."""
        if len(self.ratios) == 1:
            return self.ratio, self.ratio
        first, _, third = statistics.quantiles(self.ratios, n=4, method="inclusive")
        return first, third

    @property
    def total(self) -> float:
        """The median of the extractor's seconds."""
        return statistics.median(self.full.seconds)

    @property
    def floor(self) -> float:
        """The median of the bare encoder's seconds."""
        return statistics.median(self.bare.seconds)

    @property
    def beside(self) -> float:
        """The median of the seconds that the extractor takes longer than the bare encoder, of
        neighbouring calls. Negative if that is less than the noise."""
        pairs = zip(self.full.seconds, self.bare.seconds, strict=True)
        return statistics.median(f - b for f, b in pairs)

    @property
    def memory_beside(self) -> int | None:
        """By how many bytes the extractor's peak is higher than the bare encoder's."""
        if self.full.peak is None or self.bare.peak is None:
            return None
        return self.full.peak - self.bare.peak

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Timing":
        """The timing whose fields are plain values, as `dataclasses.asdict` gives them.

        values (Mapping[str, Any]): The plain values.
        RETURNS (Timing): The timing.
        """
        samples = {name: Samples(**values[name]) for name in ("bare", "full")}
        return cls(**{**values, **samples})


def interleaved(
    functions: Mapping[str, Callable[[], None]],
    *,
    device: torch.device,
    repeats: int,
    min_seconds: float = 0.0,
) -> dict[str, Samples]:
    """Time functions in turn, so that what disturbs the machine disturbs all of them. A first round
    is not timed, and shows how much memory they take.

    functions (Mapping[str, Callable[[], None]]): The functions by their names.
    device (torch.device): Where they compute.
    repeats (int): How many rounds at least.
    min_seconds (float): Go on until the timed rounds have taken that long, but not for more than
        five times as many.
    RETURNS (dict[str, Samples]): What each takes.
    """
    peaks = {name: _peak_memory_of(function, device) for name, function in functions.items()}
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    started = time.perf_counter()
    for n_done in range(5 * repeats):
        if n_done >= repeats and time.perf_counter() - started >= min_seconds:
            break
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            _wait_for(device)
            seconds[name].append(time.perf_counter() - start)
    return {name: Samples(seconds[name], peaks[name]) for name in functions}


def _peak_memory_of(function: Callable[[], None], device: torch.device) -> int | None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        function()
        _wait_for(device)
        return torch.cuda.max_memory_allocated(device)
    # Linux alone can forget an earlier peak: proc(5), clear_refs.
    forget = Path("/proc/self/clear_refs")
    if not forget.exists():
        function()
        return None
    _give_back_memory()
    forget.write_text("5")
    function()
    return read_status("VmHWM")


def read_status(field: str) -> int | None:
    """Look up how much memory the process has.

    field (str): A field of Linux's /proc/self/status, see proc(5).
    RETURNS (Optional[int]): The bytes. None on other systems.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def _give_back_memory() -> None:
    # What was freed before, but is still held by the process, would hide what a function takes.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
