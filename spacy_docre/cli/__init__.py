"""The command line; see `app.py` for how a command is found."""

import typer

from .app import LazyGroup, new_app

__all__ = ["app"]

app = new_app(
    cls=LazyGroup,
    name="docre",
    help="Document-level relation extraction: convert and check corpora, evaluate and predict.",
    no_args_is_help=True,
)


@app.callback()
def options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """What holds for all commands."""
