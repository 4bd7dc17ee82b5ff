"""Processes that end with the one that started them, however that ends.

spaCy's `Language.pipe(n_process=...)`, closed early, waits for workers that wait for a queue which
nobody empties; `concurrent.futures` cannot end its workers before Python 3.14; those of both
outlive a parent that is killed. What `multiprocessing` has is enough: a pipe to each worker, which
works on one item at a time, so that neither side waits for the other to read, and the sentinel of
the parent, which each worker watches."""

import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable
from multiprocessing import Process, parent_process
from multiprocessing import connection as mp_connection
from multiprocessing.connection import Connection, Pipe
from typing import Any, Generic, TypeVar

from spacy.tokens.underscore import Underscore

from ..errors import DocreError, Errors

Item = TypeVar("Item")
Result = TypeVar("Result")
# Items that are sent out ahead of the result that is waited for, per worker.
AHEAD = 3


def map_in_processes(
    function: Callable[[Item], Result], items: Iterable[Item], n_process: int
) -> Generator[tuple[Item, Result], None, None]:
    """Apply a function to items in other processes. The processes are ended when the iterator is
    exhausted or closed, or when anything is raised.

    function (Callable[[Item], Result]): The function; the processes get it when they start.
    items (Iterable[Item]): What it is applied to, read when a process is free.
    n_process (int): The number of processes.
    YIELDS (tuple[Item, Result]): Each item and its result, in the order of the items.
    RAISES (DocreError): If a process ends of itself, for example as there is no memory left.
    """
    workers: list[_Worker[Item, Result]] = []
    numbered = enumerate(items)
    done: dict[int, tuple[Item, Result]] = {}
    n_yielded = 0
    try:
        for _ in range(n_process):
            workers.append(_Worker(function))
        while True:
            for worker in workers:
                if worker.job is None and len(done) < AHEAD * n_process:
                    worker.start(next(numbered, None))
            busy = {worker.connection: worker for worker in workers if worker.job is not None}
            if not busy:
                return
            for ready in mp_connection.wait(list(busy)):
                number, item, result = busy[ready].finish()  # type: ignore[index]
                done[number] = item, result
            while n_yielded in done:
                yield done.pop(n_yielded)
                n_yielded += 1
    finally:
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            worker.process.join()
            worker.connection.close()


class _Worker(Generic[Item, Result]):
    """A process, and what it is working on."""

    def __init__(self, function: Callable[[Item], Result]) -> None:
        self.job: tuple[int, Item] | None = None
        self.connection, its_end = Pipe()
        state = Underscore.get_state()
        self.process = Process(target=_serve, args=(function, its_end, state), daemon=True)
        self.process.start()
        # The last copy but for the worker's own: when the worker ends, so does the connection.
        its_end.close()

    def start(self, job: tuple[int, Item] | None) -> None:
        """Begin with a numbered item, if there is one."""
        self.job = job
        if job is not None:
            try:
                self.connection.send(job[1])
            except OSError:
                raise self._ended() from None

    def finish(self) -> tuple[int, Item, Result]:
        """The number, the item and the result of what was begun."""
        assert self.job is not None
        try:
            result = self.connection.recv()
        except (EOFError, OSError):
            raise self._ended() from None
        (number, item), self.job = self.job, None
        return number, item, result

    def _ended(self) -> DocreError:
        self.process.join()
        code = self.process.exitcode or 0
        # Real-time signals have no names.
        known = {number.value: number.name for number in signal.Signals}
        killer = known.get(-code, f"the signal {-code}")
        reason = f"killed by {killer}" if code < 0 else f"exit code {code}"
        return DocreError(Errors.D140.format(reason=reason))


def _serve(
    function: Callable[[Any], Any], connection: Connection, underscore_state: tuple[Any, ...]
) -> None:
    # Ctrl-C reaches all processes of a terminal. The parent decides, and ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    Underscore.load_state(underscore_state)
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        connection.send(function(item))


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    mp_connection.wait([parent.sentinel])
    os._exit(1)
