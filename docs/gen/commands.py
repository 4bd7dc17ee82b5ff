"""The commands, from the application."""

from collections.abc import Iterator, Mapping
from typing import Any

import text
import typer

from spacy_docre.cli import app


def page() -> str:
    """The page."""
    commands = typer.main.get_command(app).commands
    parts = [
        "# Commands",
        "`python -m spacy_docre COMMAND`, or `spacy docre COMMAND`. `--help` after a command says "
        "the same as this page.",
    ]
    parts += [part for name in sorted(commands) for part in _describe(name, commands[name])]
    return "\n\n".join(parts) + "\n"


def _describe(name: str, command: Any, level: int = 2) -> Iterator[str]:
    yield f"{'#' * level} `{name}`"
    yield text.escaped(command.help or "")
    below: Mapping[str, Any] = getattr(command, "commands", {})
    for last in sorted(below):
        yield from _describe(f"{name} {last}", below[last], level + 1)
    if below:
        return
    context = command.context_class(command, info_name=f"python -m spacy_docre {name}")
    yield f"```text\n{command.get_usage(context)}\n```"
    records = [parameter.get_help_record(context) for parameter in command.params]
    rows = [(text.code(name), text.escaped(about)) for name, about in filter(None, records)]
    yield "\n".join(f"- {name}: {about}" for name, about in rows)
