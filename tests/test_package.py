"""What `spacy package` makes of a pipeline requires spacy-docre, and loads without importing it."""

import subprocess
import sys

import spacy
import srsly
from spacy.cli.package import package

from .methods import add_extractor
from .util import birth_examples

SCRIPT = """
import spacy
nlp = spacy.load("en_births/en_births-1.2.3")
assert nlp("Ada was born in Oslo .")._.relations == ()
assert nlp.get_pipe("doc_relation_extractor").labels == ("born", "died")
"""


def test_packaged_pipeline_loads_in_a_fresh_process(tmp_path):
    nlp = spacy.blank("en")
    add_extractor(nlp, "atlop", "cnn")
    examples = birth_examples(nlp.vocab)
    nlp.initialize(lambda: examples)
    nlp.to_disk(tmp_path / "model")
    package(
        tmp_path / "model",
        tmp_path,
        name="births",
        version="1.2.3",
        create_sdist=False,
        create_wheel=False,
        silent=True,
    )
    folder = tmp_path / "en_births-1.2.3"
    meta = srsly.read_json(folder / "meta.json")
    assert [r for r in meta["requirements"] if r.startswith("spacy-docre")]
    subprocess.run([sys.executable, "-c", SCRIPT], cwd=folder, check=True)
