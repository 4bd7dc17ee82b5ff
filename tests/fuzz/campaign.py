"""Many inputs, on several processes, for as long as one likes."""

import json
import multiprocessing
import signal
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

import torch
from tqdm import tqdm

from .units import BATCH, Input, Unit, make_input, smallest_failing

# CPU time, since a busy machine is no fault of an input.
MAX_SECONDS = 60
# Then it is not the inputs.
MAX_DEAD = 20


@dataclass
class Result:
    """What came of some units of a worker, or the one that was wrong."""

    outcomes: dict[str, Counter[str]]
    n_inputs: Counter[str]
    finding: str | None = None


@dataclass
class Summary:
    """What came of a campaign."""

    n_inputs: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, result: Result) -> None:
        self.n_inputs += result.n_inputs
        for kind, outcomes in result.outcomes.items():
            self.outcomes.setdefault(kind, Counter()).update(outcomes)
        if result.finding:
            self.findings.append(result.finding)


def run_campaign(
    units: Sequence[Unit],
    seed: int,
    folder: Path,
    *,
    n_workers: int = 1,
    minutes: float = 0,
    model: str | None = None,
) -> Summary:
    """Run units on several processes; one that dies is replaced, and its unit is a finding.

    units (Sequence[Unit]): The units.
    seed (int): The campaign's seed.
    folder (Path): Where findings are written to.
    n_workers (int): How many processes.
    minutes (float): When to stop; 0 for not before the end.
    model (Optional[str]): A pipeline for texts: a path or the name of a package.
    RETURNS (Summary): What came of them.
    """
    start = time.monotonic()
    summary = Summary()
    bar = tqdm(total=sum(map(_size, units)), unit=" inputs", mininterval=20, maxinterval=60)
    context = multiprocessing.get_context("spawn")
    results: Any = context.Queue()
    stop = context.Event()
    workers: dict[int, tuple[Any, Any]] = {}

    def launch(number: int, first: int) -> None:
        place = context.Value("q", first)
        share = list(units[number::n_workers])
        process = context.Process(
            target=_work, args=(share, place, seed, folder, results, stop, model), daemon=True
        )
        process.start()
        workers[number] = (process, place)

    n_dead = 0
    for number in range(n_workers):
        launch(number, 0)
    while workers:
        with suppress(Empty):
            summary.add(results.get(timeout=1))
        bar.update(summary.n_inputs.total() - bar.n)
        if minutes and time.monotonic() - start > 60 * minutes:
            stop.set()
        for number, (process, place) in list(workers.items()):
            if process.exitcode is None:
                continue
            del workers[number]
            if process.exitcode:
                unit = units[number::n_workers][place.value]
                given = make_input(seed, unit, model)
                reason = f"the process died with status {process.exitcode}"
                summary.findings.append(write_finding(folder, seed, unit, given, reason))
                n_dead += 1
                if n_dead < MAX_DEAD:
                    launch(number, place.value + 1)
    with suppress(Empty):
        while True:
            summary.add(results.get(timeout=1))
    bar.update(summary.n_inputs.total() - bar.n)
    bar.close()
    summary.seconds = time.monotonic() - start
    return summary


def _work(
    units: list[Unit],
    place: Any,
    seed: int,
    folder: Path,
    results: Any,
    stop: Any,
    model: str | None = None,
) -> None:
    torch.set_num_threads(1)
    result, sent = Result({}, Counter()), time.monotonic()
    for number in range(place.value, len(units)):
        if stop.is_set():
            break
        place.value = number
        unit = units[number]
        outcomes, finding = run_unit(seed, unit, folder, model)
        result.outcomes.setdefault(unit.kind, Counter()).update(outcomes)
        result.n_inputs[unit.kind] += _size(unit)
        result.finding = finding
        if finding or time.monotonic() - sent > 1:
            results.put(result)
            result, sent = Result({}, Counter()), time.monotonic()
    results.put(result)


def _size(unit: Unit) -> int:
    return BATCH if unit.kind == "documents" else 1


def run_unit(
    seed: int, unit: Unit, folder: Path, model: str | None = None
) -> tuple[Counter[str], str | None]:
    """Run a unit.

    seed (int): The campaign's seed.
    unit (Unit): The unit.
    folder (Path): Where a finding is written to.
    model (Optional[str]): A pipeline for texts.
    RETURNS (tuple[Counter[str], Optional[str]]): The outcomes, and the finding in a line.
    """
    given = make_input(seed, unit, model)
    try:
        with _limited():
            return given.run(), None
    except Exception:
        reason = traceback.format_exc()
        with _limited():
            given = smallest_failing(given)
        return Counter({"finding": 1}), write_finding(folder, seed, unit, given, reason)


def write_finding(folder: Path, seed: int, unit: Unit, given: Input, reason: str) -> str:
    """Keep the input of a finding.

    folder (Path): The folder.
    seed (int): The campaign's seed.
    unit (Unit): The unit.
    given (Input): Its input, or the part that fails.
    reason (str): The traceback.
    RETURNS (str): The finding in a line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{unit.kind}-{unit.number}.json"
    content = {"seed": seed, "unit": str(unit), "reason": reason, "input": given.to_dict()}
    path.write_text(json.dumps(content, indent=1), encoding="utf8")
    return f"seed {seed}, {unit}: {reason.strip().splitlines()[-1][:300]} ({path})"


@contextmanager
def _limited() -> Iterator[None]:
    if not hasattr(signal, "setitimer"):  # Windows
        yield
        return

    def late(*_: Any) -> None:
        raise TimeoutError(f"more than {MAX_SECONDS} s of CPU time")

    signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, MAX_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
