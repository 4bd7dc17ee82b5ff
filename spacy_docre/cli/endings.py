"""How a command ends: one message for each kind of error, and an exit code.

| Exit code | |
| --- | --- |
| 0 | done |
| 1 | an error, of which a message says what to do |
| 2 | the command line is wrong |
| 128 + N | ended by the signal N: 130 by Ctrl-C, 143 by SIGTERM, 141 as nobody reads the output |
"""

import errno
import logging
import os
import re
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from configparser import InterpolationError
from contextlib import ExitStack, contextmanager, suppress
from difflib import get_close_matches
from types import FrameType
from typing import Any, NoReturn, TextIO

import typer

from ..errors import DocreError, Errors, printable, shortened
from ..files import displayed
from .messages import msg

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)
# Libraries that are not written in Python pass the system's message on in errors of their own.
NO_ROOM_TEXT = re.compile(r"No space left on device|File too large|Disk quota exceeded")
NO_MEMORY_TEXT = re.compile(r"out of memory|DefaultCPUAllocator")
# Errors of spaCy and Thinc that say by themselves what a user has to do.
PLAIN_TEXT = re.compile(r"\s*\[E\d+\]|Cannot use GPU|No GPU devices")
# spaCy's E893, which lists what there is.
AVAILABLE = re.compile(
    r"Could not find function '(?P<name>[^']*)'.*Available names: (?P<names>.*)", re.DOTALL
)
MAX_LINES = 4


class Ended(SystemExit):
    """What a signal to end raises.

    number (int): The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.name = signal.Signals(number).name


@contextmanager
def guarded(*, debug: bool) -> Iterator[None]:
    """Run a command: what it raises becomes a message and an exit code.

    debug (bool): Whether the traceback of an error is shown as well.
    """
    _fill_standard_streams()
    with ExitStack() as stack:
        stack.enter_context(_ended_by_signals())
        stack.enter_context(_printable_output())
        try:
            yield
            sys.stdout.flush()
        except KeyboardInterrupt:
            _say(msg.warn, "Interrupted.")
            raise typer.Exit(128 + signal.SIGINT) from None
        except Ended as error:
            _say(msg.warn, f"Ended by {error.name}.")
            raise
        except Exception as error:
            if isinstance(error, BrokenPipeError):
                _leave_pipe()
            # Not by their classes: typer has a copy of click, or needs click, depending on its age.
            if isinstance(error, typer.Exit | typer.Abort) or hasattr(error, "exit_code"):
                if hasattr(error, "message"):
                    error.message = printable(str(error.message))
                raise
            if debug:
                print(printable(traceback.format_exc()), file=sys.stderr, end="")
            _say(msg.fail, message_of(error))
            raise typer.Exit(1) from None


def message_of(error: Exception) -> str:
    """What a user is told of an error.

    error (Exception): The error.
    RETURNS (str): A message of a few lines.
    """
    # Not above: it brings PyTorch along, for which `--help` need not wait.
    from thinc.api import ConfigValidationError

    text = str(error).strip()
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, DocreError):
        return text
    if number in NO_ROOM or NO_ROOM_TEXT.search(text):
        return Errors.D141.format(path=_path_of(error))
    if number in NO_RIGHT:
        return Errors.D142.format(path=_path_of(error), reason=os.strerror(number or 0))
    if number is not None:
        return Errors.D143.format(path=_path_of(error), reason=os.strerror(number))
    if isinstance(error, MemoryError) or NO_MEMORY_TEXT.search(text):
        return Errors.D144.format(reason=shortened(text) or "MemoryError")
    if isinstance(error, ConfigValidationError):
        text = error.from_error(error, title="", show_config=False).text
        return f"Config validation error: {_few_lines(text)}"
    if isinstance(error, ImportError | InterpolationError) or PLAIN_TEXT.match(text):
        return _few_lines(AVAILABLE.sub(_closest, text))
    return Errors.D146.format(kind=type(error).__name__, reason=shortened(text))


def _few_lines(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(shortened(line) for line in lines[:MAX_LINES])


def _closest(match: re.Match[str]) -> str:
    """Instead of all registered names: those that may have been meant."""
    names = match["names"].replace("\n", " ").split(", ")
    close = get_close_matches(match["name"], [name.strip() for name in names], cutoff=0.4)
    return f"'{match['name']}' is not registered. Did you mean {' or '.join(close) or 'another'}?"


def _path_of(error: Exception) -> str:
    name = getattr(error, "filename", None)
    return f"'{displayed(os.fsdecode(name))}'" if isinstance(name, str | bytes) else "a file"


def _say(say: Callable[[str], Any], text: str) -> None:
    """Print a message: on the standard error output, where the other goes to a full disk."""
    try:
        say(text)
        sys.stdout.flush()
    except OSError:
        _drop(sys.stdout)
        with suppress(OSError):
            print(printable(text), file=sys.stderr, flush=True)


def _drop(stream: TextIO) -> None:
    """What a stream still holds is not written, at the end of Python either."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _leave_pipe() -> NoReturn:
    """Nobody reads the output any more, so nothing more is written."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
            continue
        _drop(stream)
    raise typer.Exit(128 + getattr(signal, "SIGPIPE", 13))


def _fill_standard_streams() -> None:
    """Keep the numbers of closed streams from files that are opened later, into which a library's
    output would go."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w", closefd=False))  # noqa: SIM115


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end a command as Ctrl-C does, so that what it holds is let go. The second
    one ends it at once."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]

    def end(number: int, frame: FrameType | None) -> NoReturn:
        for each in former:
            signal.signal(each, signal.SIG_DFL)
        raise Ended(number)

    former: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        # What is ignored (`nohup`), or has a handler of a program around this one, stays so.
        default = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
        former = {number: signal.signal(number, end) for number in default}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def _printable_output() -> Iterator[None]:
    """Warnings and logs, of other packages too, quote what somebody else wrote."""
    format_warning = warnings.formatwarning
    make_record = logging.getLogRecordFactory()

    def printable_warning(message: Any, category: Any, *place: Any, **other: Any) -> str:
        return f"{category.__name__}: {printable(str(message))}\n"

    def printable_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make_record(*args, **kwargs)
        record.msg, record.args = printable(record.getMessage()), ()
        return record

    warnings.formatwarning = printable_warning
    logging.setLogRecordFactory(printable_record)
    try:
        yield
    finally:
        warnings.formatwarning = format_warning
        logging.setLogRecordFactory(make_record)
