"""The command line: `python -m spacy_docre` and `spacy docre`."""

from typing import Any

import typer
from typer.core import TyperGroup

from .endings import guarded


class Commands(TyperGroup):
    """The commands. However one of them ends, it says so in a few lines."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See `click.Command.parse_args`. `--debug` may stand anywhere."""
        if "--debug" in args:
            args = ["--debug", *(arg for arg in args if arg != "--debug")]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """See `click.Command.invoke`."""
        with guarded(debug=ctx.params["debug"]):
            return super().invoke(ctx)


app = typer.Typer(
    name="docre",
    help="Document-level relation extraction: convert and check corpora, evaluate and predict.",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """What holds for all commands."""
