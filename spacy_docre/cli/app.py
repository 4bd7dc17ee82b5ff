"""The command line: `python -m spacy_docre` and `spacy docre`."""

import typer

app = typer.Typer(
    name="docre",
    help="Document-level relation extraction: convert and check corpora, evaluate and predict.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
