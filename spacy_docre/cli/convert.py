"""`convert`: corpora of other formats to `.spacy`."""

from functools import partial
from pathlib import Path
from typing import Any

import spacy
import typer
from spacy.tokens import DocBin

from ..corpora.formats import Format, all_formats, check_format, guess_format
from ..corpora.report import ConversionReport
from ..files import displayed, replacing
from .app import new_app
from .formats import PREFIX, FormatGroup, make_command
from .messages import msg

OUTPUT = typer.Argument(help="The .spacy file to write.")
LANG = typer.Option("en", "--lang", "-l", help="The language's code.")


class ConvertGroup(FormatGroup):
    """`convert FORMAT`, or `convert FILE` where the format shows in the file."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """See `click.Group`."""
        path = Path(args[0])
        if args[0] in all_formats() or not path.exists():
            return super().resolve_command(ctx, args)
        entry = guess_format(path)
        msg.info(f"{displayed(path)} looks like {entry.title}: `convert {entry.name}`")
        return entry.name, self.command_for(entry), args

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


app = new_app(
    help="Convert a corpus to spaCy's format. Where no format is named, it is told by the file.",
    no_args_is_help=True,
    cls=ConvertGroup,
)


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
    nlp = spacy.blank(lang)
    check_format(entry, input_path)
    doc_bin = DocBin(store_user_data=True)
    for doc in entry.read(input_path, nlp, report=report, prefix=prefix, **options):
        doc_bin.add(doc)
        report.add(doc, prefix=prefix)
    with replacing(output_path) as draft:
        doc_bin.to_disk(draft)
    n_relations = report.read["relations"]
    message = f"{len(doc_bin)} documents with {n_relations} relations: {displayed(output_path)}"
    (msg.good if len(doc_bin) else msg.warn)(message)
    msg.text(report.summary())
    report.print()
