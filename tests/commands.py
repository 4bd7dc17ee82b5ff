"""The commands as people call them."""

from typer.testing import CliRunner

from spacy_docre.cli import app


def run(*arguments: object, code: int = 0) -> str:
    """What a command prints; it must end with the given exit status."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output
