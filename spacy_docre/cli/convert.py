"""`convert`: corpora of other formats to `.spacy`."""

from functools import partial
from pathlib import Path
from typing import Any

import spacy
import typer
from spacy.tokens import DocBin

from ..corpora.formats import Format
from ..corpora.report import ConversionReport
from ..data.relation import get_relations
from ..files import replacing
from .app import new_app
from .formats import PREFIX, FormatGroup, make_command
from .messages import msg, readable_errors

OUTPUT = typer.Argument(help="The .spacy file to write.")
LANG = typer.Option("en", "--lang", "-l", help="The language's code.")


class ConvertGroup(FormatGroup):
    """`convert FORMAT`."""

    def command_for(self, entry: Format) -> Any:
        """See `FormatGroup`."""
        input_path = typer.Argument(
            help=f"The {'folder' if entry.is_folder else 'file'} to convert.",
            exists=True,
            file_okay=not entry.is_folder,
            dir_okay=entry.is_folder,
        )
        return make_command(
            entry.name,
            f"Convert {entry.summary}.",
            partial(convert, entry),
            [
                ("input_path", Path, input_path),
                ("output_path", Path, OUTPUT),
                ("lang", str, LANG),
                ("prefix", str, PREFIX),
            ],
            entry.read_options,
        )


app = new_app(help="Convert a corpus to spaCy's format.", no_args_is_help=True, cls=ConvertGroup)


@app.callback()
def _group() -> None:
    # With a callback, the app is a group although its commands are made when they are looked for.
    pass


def convert(
    entry: Format, *, input_path: Path, output_path: Path, lang: str, prefix: str, **options: Any
) -> None:
    """Convert a corpus and print what was not kept as it was.

    entry (Format): The format of the corpus.
    input_path (Path): The corpus.
    output_path (Path): The `.spacy` file to write.
    lang (str): The language's code.
    prefix (str): What the clusters' keys start with.
    **options: The options of the format's reader.
    """
    report = ConversionReport()
    with readable_errors():
        nlp = spacy.blank(lang)
        docs = entry.read(input_path, nlp, report=report, prefix=prefix, **options)
        doc_bin = DocBin(store_user_data=True)
        n_relations = 0
        for doc in docs:
            doc_bin.add(doc)
            n_relations += len(get_relations(doc))
        with replacing(output_path) as draft:
            doc_bin.to_disk(draft)
    msg.good(f"{len(doc_bin)} documents with {n_relations} relations: {output_path}")
    report.print()
