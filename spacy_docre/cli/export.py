"""`export`: `.spacy` corpora to other formats."""

from functools import partial
from pathlib import Path
from typing import Any

import typer
from spacy.vocab import Vocab

from ..corpora.formats import Format
from ..corpora.readers import read_docs
from ..corpora.report import ConversionReport
from ..data.relation import install_extension
from ..files import displayed
from .app import new_app
from .formats import PREFIX, FormatGroup, make_command
from .messages import msg

INPUT = typer.Argument(help="The corpus (.spacy).", exists=True)
OUTPUT = typer.Argument(help="The file to write.")
OUTPUT_DIR = typer.Argument(help="The folder to write, which must be new or empty.")


class ExportGroup(FormatGroup):
    """`export FORMAT`."""

    def command_for(self, entry: Format) -> Any:
        """See `FormatGroup`."""
        if entry.write is None:
            return None
        return make_command(
            entry.name,
            f"Write a corpus as {entry.summary}.",
            partial(export, entry),
            [
                ("input_path", Path, INPUT),
                ("output_path", Path, OUTPUT_DIR if entry.is_folder else OUTPUT),
                ("prefix", str, PREFIX),
            ],
            entry.write_options,
        )


app = new_app(help="Write a corpus in another format.", no_args_is_help=True, cls=ExportGroup)


@app.callback()
def _group() -> None:
    # With a callback, the app is a group although its commands are made when they are looked for.
    pass


def export(
    entry: Format, *, input_path: Path, output_path: Path, prefix: str, **options: Any
) -> None:
    """Write a corpus in another format and print what that has no place for.

    entry (Format): The format.
    input_path (Path): The corpus, a `.spacy` file or a folder of them.
    output_path (Path): The file or folder to write.
    prefix (str): What the clusters' keys start with.
    **options: The options of the format's writer.
    """
    assert entry.write is not None
    report = ConversionReport()
    install_extension()
    docs = read_docs(input_path, Vocab())
    n_docs = entry.write(docs, output_path, report=report, prefix=prefix, **options)
    msg.good(f"{n_docs} documents: {displayed(output_path)}")
    report.print()
