"""Giving up on what takes too long or does not fit."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from .timing import read_status

# What PyTorch says on a CPU; on a GPU it has an error of its own.
OUT_OF_MEMORY = ("can't allocate memory", "not enough memory")


class OverBudgetError(Exception):
    """The budget was exceeded; the message says which."""


@dataclass(frozen=True)
class Budget:
    """What one point may take.

    seconds (float): The time, all repeats included.
    gibibytes (float): The memory, beside what is held already.
    """

    seconds: float = 60.0
    gibibytes: float = 8.0


BUDGET = Budget()


@contextmanager
def limited(budget: Budget, device: torch.device) -> Iterator[None]:
    """Run a block within a budget. That of time works in the main thread of Unix systems, that of
    memory on Linux and on GPUs; elsewhere the block goes on to its end.

    budget (Budget): What it may take.
    device (torch.device): Where the block computes.
    RAISES (OverBudgetError): If the block takes more.
    """
    try:
        with _limited_memory(budget.gibibytes, device), _limited_time(budget.seconds):
            yield
    except MemoryError:
        raise OverBudgetError(_needs_more(budget)) from None
    except RuntimeError as error:
        is_out = isinstance(error, torch.cuda.OutOfMemoryError)
        if is_out or any(text in str(error) for text in OUT_OF_MEMORY):
            raise OverBudgetError(_needs_more(budget)) from None
        raise


def _needs_more(budget: Budget) -> str:
    return f"needs more than {budget.gibibytes:g} GiB of memory"


@contextmanager
def _limited_time(seconds: float) -> Iterator[None]:
    is_main = threading.current_thread() is threading.main_thread()
    if not hasattr(signal, "setitimer") or not is_main:
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise OverBudgetError(f"takes more than {seconds:g} s")

    former = signal.signal(signal.SIGALRM, stop)
    try:
        try:
            # Again and again, for the case that the exception is lost in a callback.
            signal.setitimer(signal.ITIMER_REAL, seconds, 5)
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        # The signal may come while the inner block ends, which it then leaves half done.
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


@contextmanager
def _limited_memory(gibibytes: float, device: torch.device) -> Iterator[None]:
    n_bytes = int(gibibytes * 2**30)
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        share = (torch.cuda.memory_reserved(device) + n_bytes) / total
        torch.cuda.set_per_process_memory_fraction(min(1.0, share), device)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, device)
        return
    held = read_status("VmData")
    if held is None:
        yield
        return
    # Linux alone counts all private memory as data.
    import resource

    former = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = held + n_bytes
    for limit in former:
        if limit != resource.RLIM_INFINITY:
            allowed = min(allowed, limit)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, former)
