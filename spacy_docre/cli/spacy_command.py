"""Hangs the commands on spaCy's own command line, as `spacy docre`. spaCy imports this module by
its entry point."""

from spacy.cli._util import app as spacy_app

from . import app

spacy_app.add_typer(app)
