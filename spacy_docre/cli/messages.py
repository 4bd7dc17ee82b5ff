"""What the commands have in common: options, errors and numbers as people read them."""

from collections.abc import Iterable, Mapping
from typing import Any

import typer
from wasabi import Printer

from ..errors import DocreError, printable

# wasabi pads a column up to its width, and a type of relations can be a phrase.
MAX_COLUMN = 100


class SafePrinter(Printer):
    """wasabi's printer for texts, names and labels of others: a terminal shows what they hold and
    does not obey it."""

    def text(self, title: Any = "", text: Any = "", *args: Any, **kwargs: Any) -> Any:
        """See `Printer.text`, by which all messages are printed."""
        return super().text(printable(str(title)), printable(str(text)), *args, **kwargs)

    def divider(self, text: str = "", *args: Any, **kwargs: Any) -> Any:
        """See `Printer.divider`."""
        return super().divider(_in_a_line(text), *args, **kwargs)

    def table(self, data: Any, **kwargs: Any) -> Any:
        """See `Printer.table`."""
        rows = data.items() if isinstance(data, Mapping) else data
        header = kwargs.get("header")
        kwargs.setdefault("max_col", MAX_COLUMN)
        if header is not None:
            kwargs["header"] = [_in_a_line(cell) for cell in header]
        return super().table([[_in_a_line(cell) for cell in row] for row in rows], **kwargs)

    def row(self, data: Iterable[Any], **kwargs: Any) -> Any:
        """See `Printer.row`."""
        return super().row([_in_a_line(cell) for cell in data], **kwargs)


msg = SafePrinter()

GPU_ID = typer.Option(-1, "--gpu-id", "-g", help="The GPU to use, or -1 for the CPU.")


def tell_run(name: str, result: Mapping[str, Any] | DocreError) -> None:
    """Print how a training run of an experiment has ended.

    name (str): The run's name.
    result (Union[Mapping[str, Any], DocreError]): Its record, or what went wrong.
    """
    if isinstance(result, DocreError):
        msg.fail(f"{name}: {result}")
    else:
        msg.good(f"{name}: F1 {percent(result['scores']['rel_f'])}")


def percent(value: float | None) -> str:
    """A score as people read it, in percent with two digits."""
    return "-" if value is None else f"{100 * value:.2f}"


def decimal(value: float | None) -> str:
    """A small number as people read it, with five digits."""
    return "-" if value is None else f"{value:.5f}"


def _in_a_line(text: Any) -> str:
    return printable(str(text)).replace("\n", "\\n").replace("\t", " ")
