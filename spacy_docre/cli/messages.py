"""What the commands have in common: options, errors and numbers as people read them."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from wasabi import msg

from ..errors import DocreError

GPU_ID = typer.Option(-1, "--gpu-id", "-g", help="The GPU to use, or -1 for the CPU.")


@contextmanager
def readable_errors() -> Iterator[None]:
    """Print the package's own errors as one message, without a traceback, and exit with 1."""
    try:
        yield
    except DocreError as error:
        msg.fail(str(error), exits=1)


def percent(value: float | None) -> str:
    """A score as people read it, in percent with two digits."""
    return "-" if value is None else f"{100 * value:.2f}"


def decimal(value: float | None) -> str:
    """A small number as people read it, with five digits."""
    return "-" if value is None else f"{value:.5f}"
