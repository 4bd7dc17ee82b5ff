from pathlib import Path

import pytest
import spacy
import srsly
from spacy.tokens import DocBin

from spacy_docre.benchmark.results import Results

from ..commands import run
from ..util import birth_doc

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Configs of two methods for the tiny encoder, of one without a transformer, and a corpus."""
    path = tmp_path_factory.mktemp("benchmark")
    for name in ("rsman", "kmgre", "cnn"):
        text = (CONFIGS / f"{name}.cfg").read_text("utf8")
        text = text.replace("window = 512", "window = 64").replace("stride = 128", "stride = 8")
        (path / f"{name}.cfg").write_text(text, encoding="utf8")
    vocab = spacy.blank("xx").vocab
    docs = [birth_doc(vocab, n) for n in range(3)]
    DocBin(docs=docs, store_user_data=True).to_disk(path / "births.spacy")
    return path


def test_one_config_on_documents(folder, tiny_bert):
    """As it was called before there were methods."""
    output = run(
        *("benchmark", folder / "rsman.cfg", folder / "births.spacy", "--encoder", tiny_bert),
        *("--threads", 1, "--repeats", 2, "--json", folder / "one.json"),
    )
    assert "training step" in output
    results = Results.load(folder / "one.json")
    assert list(results.methods) == ["rsman"]
    assert {t.docs for t in results.methods["rsman"].values()} == {3}
    assert results.run["threads"] == 1
    assert {"python", "torch", "spacy", "spacy-docre"} <= results.run["versions"].keys()
    raw = srsly.read_json(folder / "one.json")["methods"]["rsman"]["pipe"]
    assert len(raw["bare"]["seconds"]) == len(raw["full"]["seconds"]) == 2


def test_all_methods_of_a_folder(folder, tiny_bert):
    run(
        *("benchmark", "--method", "all", "--configs", folder, "--docs", folder / "births.spacy"),
        *("--encoder", tiny_bert, "--repeats", 1, "--layers", 1, "--json", folder / "all.json"),
    )
    results = Results.load(folder / "all.json")
    assert list(results.methods) == ["kmgre", "rsman"]
    wordpieces = {t.wordpieces for timings in results.methods.values() for t in timings.values()}
    assert len(wordpieces) == 1


def test_synthetic_documents_need_no_corpus(folder, tiny_bert):
    run(
        *("benchmark", "--method", "rsman", "--configs", folder, "--encoder", tiny_bert),
        *("--n-docs", 1, "--repeats", 1, "--json", folder / "synthetic.json"),
    )
    (timings,) = Results.load(folder / "synthetic.json").methods.values()
    assert list(timings) == ["inference", "pipe", "training"]


def test_growth_tables_and_plots(folder, tiny_bert):
    pytest.importorskip("matplotlib")
    output = run(
        *("benchmark-growth", "--configs", folder, "--method", "rsman", "--encoder", tiny_bert),
        *("--vary", "mentions=1,2", "--vary", "length=60,100"),
        *("--base", "labels=7", "--repeats", 1),
        *("--step", "inference", "--step", "training", "--json", folder / "growth.json"),
    )
    assert "rsman, training, length 100" in output
    page = folder / "page.md"
    page.write_text("# Page\n<!-- tables: growth -->\n<!-- end of tables -->\n", encoding="utf8")
    run("benchmark-tables", folder / "growth.json", "--into", page, "--plots", folder / "plots")
    assert "**Mentions of an entity, training step: " in page.read_text("utf8")
    assert "\n![growth-length-inference](plots/growth-length-inference.png)\n" in page.read_text()
    assert sorted(path.name for path in (folder / "plots").iterdir()) == [
        f"growth-{dimension}-{step}.png"
        for dimension in ("length", "mentions")
        for step in ("inference", "training")
    ]
    printed = run("benchmark-tables", folder / "growth.json")
    assert "| Method | 60 | 100 | Exponent (points) |" in printed
    assert "7 labels" in printed


def test_what_cannot_be_is_said(folder, tiny_bert):
    output = run("benchmark", "--method", "atlop,cnn", "--configs", folder, code=1)
    assert "D060" in output
    assert "kmgre, rsman" in " ".join(output.split())
    for arguments in (
        ("benchmark", "rsman.cfg", "--method", "kmgre"),
        ("benchmark", folder / "trained"),
        ("benchmark", "rsman.cfg", folder / "births.spacy", "--docs", folder / "births.spacy"),
        ("benchmark-growth", "--vary", "documents"),
        ("benchmark-growth", "--vary", "entities=10,x"),
        ("benchmark-growth", "--base", "length"),
        ("benchmark-growth", "--step", "decoding"),
    ):
        run(*arguments, code=2)
    assert "D015" in run("benchmark-tables", folder / "rsman.cfg", code=1)
