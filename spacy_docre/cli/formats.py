"""The commands that `convert` and `export` have for each format of `spacy_docre.corpora`."""

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from ..corpora.formats import Format, Option, all_formats
from ..data.clusters import DEFAULT_PREFIX

PREFIX = typer.Option(DEFAULT_PREFIX, "--prefix", help="What the clusters' keys start with.")


class FormatGroup(TyperGroup):
    """A group with a command for each format, which are looked for when the group is used."""

    def list_commands(self, ctx: Any) -> list[str]:
        """See `click.Group`."""
        return [name for name, entry in all_formats().items() if self.command_for(entry)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """See `click.Group`."""
        entry = all_formats().get(cmd_name)
        return self.command_for(entry) if entry else None

    def command_for(self, entry: Format) -> Any:
        """entry (Format): A format.
        RETURNS (Optional[click.Command]): Its command; None if it has none in this group.
        """
        raise NotImplementedError


def make_command(
    name: str,
    help_text: str,
    run: Callable[..., None],
    arguments: Iterable[tuple[str, Any, Any]],
    options: Iterable[Option],
) -> Any:
    """Make a command whose options are known only when it is looked for.

    name (str): The name of the command.
    help_text (str): Its help.
    run (Callable): What is called with the values of all arguments and options.
    arguments (Iterable[tuple[str, Any, Any]]): Name, type and typer's description of each argument
        and option that every format has.
    options (Iterable[Option]): Those of the format.
    RETURNS (click.Command): The command.
    """
    options = list(options)

    def callback(**values: Any) -> None:
        for option in options:
            if option.needs and (values[option.name] is None) != (values[option.needs] is None):
                raise typer.BadParameter(f"--{option.name} and --{option.needs} need each other")
        run(**values)

    parameters = [*arguments, *((o.name, o.type, _typer_option(o)) for o in options)]
    callback.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for key, kind, default in parameters
        ]
    )
    callback.__annotations__ = {key: kind for key, kind, _ in parameters}
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, help=help_text)(callback)
    return typer.main.get_command(app)


def _typer_option(option: Option) -> Any:
    flags = option.flags or (f"--{option.name.replace('_', '-')}",)
    exists = option.type in (Path, Path | None)
    return typer.Option(option.default, *flags, help=option.help, exists=exists)
