"""Other processes end with the one that started them, whatever happens to it."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from multiprocessing import active_children

import pytest

from spacy_docre import DocreError
from spacy_docre.annotation.processes import map_in_processes

from ..util import rest_slow

LARGE = 5_000_000  # bytes: more than any pipe holds


def square(number):
    time.sleep(0.02 * (number % 3))
    return number * number


def inflate(number):
    return os.getpid(), bytes(LARGE)


def sleep_long(number):
    time.sleep(600)


def die(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_of_a_signal_without_a_name(number):
    os.kill(os.getpid(), signal.SIGRTMIN + 1)


def refuse(number):
    raise ValueError(number)


@pytest.fixture(autouse=True)
def no_process_is_left():
    yield
    assert active_children() == []


@pytest.mark.parametrize("n_process", [1, 2, 5])
@pytest.mark.parametrize("n_items", [0, 1, 23])
def test_results_come_in_the_order_of_the_items(n_process, n_items):
    results = list(map_in_processes(square, iter(range(n_items)), n_process))
    assert results == [(number, number * number) for number in range(n_items)]


def test_items_are_read_when_they_are_needed():
    read = []

    def items():
        for number in range(1000):
            read.append(number)
            yield number

    with closing(map_in_processes(square, items(), 2)) as results:
        assert next(results) == (0, 0)
        assert len(read) < 20


def test_large_items_and_results_do_not_wait_for_each_other():
    items = [bytes(LARGE)] * 6
    results = list(map_in_processes(inflate, items, 2))
    assert len(results) == 6
    assert len({pid for _, (pid, _) in results}) == 2


def test_closed_early_while_the_processes_are_at_work():
    results = map_in_processes(inflate, iter(range(100)), 2)
    next(results)
    results.close()


def fail_at_three():
    yield from range(3)
    raise KeyError("unreadable")


def test_an_error_of_the_items_ends_the_processes():
    with pytest.raises(KeyError):
        list(map_in_processes(sleep_long, fail_at_three(), 4))


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (die, "killed by SIGKILL"),
        (die_of_a_signal_without_a_name, "killed by the signal"),
        (refuse, "exit code 1"),
        (lambda number: lambda: number, "exit code 1"),
    ],
)
def test_a_process_that_ends_of_itself_is_an_error(function, reason, capfd):
    with pytest.raises(DocreError, match=f"D140.*{reason}"):
        list(map_in_processes(function, range(10), 2))


# Where the tests run in the background, Ctrl-C is ignored, and by their processes too.
PARENT = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from spacy_docre.annotation.processes import map_in_processes
def work(number):
    print(os.getpid(), flush=True)
    time.sleep(600)
list(map_in_processes(work, range(10), 3))
"""


@pytest.mark.parametrize(
    "number",
    rest_slow(
        [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], lambda number: number == signal.SIGTERM
    ),
)
def test_a_signal_to_the_parent_ends_all(number):
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        workers = {int(parent.stdout.readline()) for _ in range(3)}
        parent.send_signal(number)
        assert parent.wait(timeout=30) != 0
        # The pipe has an end when the last of the workers, which all hold it, has ended.
        assert parent.stdout.read() == b""
    assert len(workers) == 3
