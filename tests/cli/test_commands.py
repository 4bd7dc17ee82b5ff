"""A command is one file, found by itself and imported when it runs."""

import sys

import pytest
from typer.testing import CliRunner

from spacy_docre import cli

COMMAND = '''
"""`count-letters`: how many letters a word has."""

import typer

from spacy_docre.cli.app import new_app

app = new_app()


@app.command()
def count_letters_command(word: str = typer.Argument(help="The word.")) -> None:
    """Count letters. The rest of the help
    is longer."""
    print(len(word), "letters")
'''
GROUP = """
from spacy_docre.cli.app import new_app

app = new_app(help="Say something.", no_args_is_help=True)


@app.command("yes")
def say_yes() -> None:
    print("yes!")


@app.command("no")
def say_no() -> None:
    print("no!")
"""


@pytest.fixture
def added(tmp_path, monkeypatch):
    """Files beside those of the package: two commands and a module that is none."""
    (tmp_path / "count_letters.py").write_text(COMMAND)
    (tmp_path / "say.py").write_text(GROUP)
    (tmp_path / "helper.py").write_text("raise ImportError('nobody asked for it')\n")
    monkeypatch.setattr(cli, "__path__", [*cli.__path__, str(tmp_path)])
    yield
    for name in ("count_letters", "say"):
        sys.modules.pop(f"spacy_docre.cli.{name}", None)


def run(*arguments, code=0):
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.usefixtures("added")
def test_a_file_is_a_command():
    output = run("--help")
    assert "  count-letters     Count letters.\n" in output
    assert "  say               Say something.\n" in output
    assert "helper" not in output
    assert "spacy_docre.cli.count_letters" not in sys.modules, "help imports no command"
    assert run("count-letters", "abc") == "3 letters\n"
    assert "The rest of the help is longer." in " ".join(run("count-letters", "--help").split())
    assert run("say", "yes") == "yes!\n"


def test_unknown_command():
    assert "No such command 'count-letters'" in run("count-letters", code=2)


def test_every_command_has_help_and_is_named_after_its_file():
    commands = cli.LazyGroup().commands
    assert {"annotate", "convert", "evaluate", "find-threshold", "train"} <= set(commands)
    for name, text in commands.helps():
        assert text[:-1], f"{name} says nothing of itself"
        assert commands[name].name == name
