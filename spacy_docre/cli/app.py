"""The command line: `python -m spacy_docre` and `spacy docre`. A command is one file of this
package: `find_threshold.py` is `find-threshold`. It is found by itself, and imported when it runs:
its name and its help are read from its source."""

import ast
import pkgutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from .endings import guarded


def new_app(**settings: Any) -> typer.Typer:
    """What a command's file assigns to `app`: of one command, or of several with `help` of their
    own.

    **settings (Any): Settings of the `typer.Typer`.
    RETURNS (typer.Typer): The app.
    """
    return typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, **settings
    )


class CommandFiles(Mapping[str, Any]):
    """The commands of a package, by name. What is asked for is imported; names and help are not.

    package (str): The package's name.
    """

    def __init__(self, package: str) -> None:
        self.package = package

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.helps())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in set(self)

    def __getitem__(self, name: str) -> Any:
        if name not in self:
            raise KeyError(name)
        module = import_module(f"{self.package}.{name.replace('-', '_')}")
        command = typer.main.get_command(module.app)
        command.name = name
        return command

    def helps(self) -> Iterator[tuple[str, str]]:
        """The commands and what they do.

        YIELDS (tuple[str, str]): A command's name and the first sentence of its help.
        """
        for found in pkgutil.iter_modules(sys.modules[self.package].__path__):
            loader: Any = found.module_finder.find_spec(found.name, None).loader  # type: ignore[union-attr]
            text = None if found.ispkg else _help(loader.get_source(found.name))
            if text is not None:
                sentence, _, _ = " ".join(text.split()).partition(". ")
                yield found.name.replace("_", "-"), f"{sentence.removesuffix('.')}."


def _help(source: str) -> str | None:
    """The help of a command's file: the argument `help` of its app, or else what its function says;
    None for a file without an `app`."""
    body = ast.parse(source).body
    assigned = (node for node in body if isinstance(node, ast.Assign))
    app = next((node.value for node in assigned if _names(node.targets) == ["app"]), None)
    if app is None:
        return None
    for keyword in getattr(app, "keywords", ()):
        if keyword.arg == "help":
            return ast.literal_eval(keyword.value)
    functions = (node for node in body if isinstance(node, ast.FunctionDef))
    commands = (node for node in functions if "app.command" in _names(node.decorator_list))
    return next((ast.get_docstring(node) or "" for node in commands), "")


def _names(nodes: Sequence[ast.expr]) -> list[str]:
    return [ast.unparse(getattr(node, "func", node)) for node in nodes]


class LazyGroup(TyperGroup):
    """The group of all commands. `typer` and `click` make help of the commands themselves, which
    would import every one. However a command ends, it says so in a few lines."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "commands": {}})
        self.commands: Any = CommandFiles(__package__)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See `TyperGroup.parse_args`. `--debug` may stand anywhere."""
        debug = "--debug" in args
        if debug:
            args = ["--debug", *(arg for arg in args if arg != "--debug")]
        # Which prints the help, too.
        with guarded(debug=debug):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """See `TyperGroup.invoke`."""
        with guarded(debug=ctx.params["debug"]):
            return super().invoke(ctx)

    def list_commands(self, ctx: Any) -> list[str]:
        """See `TyperGroup.list_commands`."""
        return list(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """See `TyperGroup.get_command`."""
        if cmd_name not in self.commands:
            return None
        return self.commands[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """See `TyperGroup.format_commands`."""
        rows: Sequence[tuple[str, str]] = list(self.commands.helps())
        with formatter.section("Commands"):
            formatter.write_dl(rows)
