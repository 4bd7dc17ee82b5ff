"""The command line; see `app.py` for how a command is found."""

from .app import LazyGroup, new_app

__all__ = ["app"]

app = new_app(
    cls=LazyGroup,
    name="docre",
    help="Document-level relation extraction: convert and check corpora, evaluate and predict.",
    no_args_is_help=True,
)


@app.callback()
def _group() -> None:
    # With a callback, the app is a group although its commands are not registered with it.
    pass
