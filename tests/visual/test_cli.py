"""`view` and `plot` as people call them."""

import re

import pytest
import spacy
import srsly
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_docre.cli import app
from spacy_docre.corpora.jsonl import to_jsonl

from ..methods import add_extractor
from ..util import birth_doc, birth_examples
from .docs import HOSTILE_TITLE, hostile_doc, overlapping_doc

RUNNER = CliRunner()


def run(*arguments, code=0, text=None):
    result = RUNNER.invoke(app, [str(argument) for argument in arguments], input=text)
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model that is not trained, and the same documents in both formats."""
    path = tmp_path_factory.mktemp("view")
    nlp = spacy.blank("xx")
    add_extractor(nlp, "rsman", "cnn", threshold=0.0)
    examples = birth_examples(nlp.vocab, 2)
    nlp.initialize(lambda: examples)
    nlp.to_disk(path / "model")
    docs = [overlapping_doc(nlp.vocab), hostile_doc(nlp.vocab), birth_doc(nlp.vocab, 0)]
    DocBin(docs=docs, store_user_data=True).to_disk(path / "docs.spacy")
    srsly.write_jsonl(path / "docs.jsonl", [to_jsonl(doc) for doc in docs])
    (path / "texts.txt").write_text("Ada was born in Oslo .\n\nBela <b>died</b> .\n")
    return path


def documents(page):
    html = page.read_text(encoding="utf8")
    return html.count('<div class="docre">'), html.count('class="docre-relation"')


@pytest.mark.parametrize("name", ["docs.spacy", "docs.jsonl"])
def test_files_with_relations(folder, tmp_path, name):
    output = run("view", folder / name, "--output", tmp_path / "new" / "page.html")
    assert "3 documents" in output
    assert documents(tmp_path / "new" / "page.html") == (3, 6 + 10 + 4)
    assert HOSTILE_TITLE not in (tmp_path / "new" / "page.html").read_text()


def test_mistakes_as_lines_and_as_a_page(folder, tmp_path):
    data = (folder / "model", folder / "docs.spacy")
    output = run("errors", *data, "-o", tmp_path / "e.jsonl", "--html", tmp_path / "e.html")
    rows = list(srsly.read_jsonl(tmp_path / "e.jsonl"))
    assert f"{len(rows)} mistakes" in output
    assert {row["kind"] for row in rows} <= {"wrong", "type", "direction", "missed"}
    scores = [row["score"] for row in rows if row["score"] is not None]
    assert scores == sorted(scores, reverse=True)
    page = (tmp_path / "e.html").read_text()
    assert HOSTILE_TITLE not in page
    run("view", *data, "--errors", "-o", tmp_path / "v.html")
    assert (tmp_path / "v.html").read_text() == page
    assert "needs a pipeline" in run("view", folder / "model", "--errors", code=2)


def test_folder_of_corpora(folder, tmp_path):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.spacy").write_bytes((folder / "docs.spacy").read_bytes())
    assert "3 documents" in run("view", tmp_path / "corpus", "-o", tmp_path / "page.html")


def test_limit_is_told(folder, tmp_path):
    options = ("--limit", 2, "-o", tmp_path / "page.html")
    output = run("view", folder / "docs.jsonl", *options)
    assert "Only the first 2 documents are shown" in output
    assert documents(tmp_path / "page.html")[0] == 2
    output = run("view", folder / "docs.jsonl", "--limit", 3, "-o", tmp_path / "page.html")
    assert "Only" not in output


def test_texts_from_file_option_and_standard_input(folder, tmp_path):
    page = tmp_path / "page.html"
    run("view", folder / "model", folder / "texts.txt", "-o", page)
    assert documents(page)[0] == 2
    assert "&lt;b&gt;died&lt;/b&gt;" in page.read_text()
    run("view", folder / "model", "--text", "Ada left .", "-t", "Bela came .", "-o", page)
    assert documents(page)[0] == 2
    for arguments in ((), ("-",)):
        run("view", folder / "model", *arguments, "-o", page, text="Cora stays .\n")
        assert documents(page)[0] == 1


def test_model_reads_the_clusters_of_a_corpus(folder, tmp_path):
    page = tmp_path / "page.html"
    run("view", folder / "model", folder / "docs.spacy", "-o", page, "--limit", 1, "--no-graph")
    assert documents(page) == (1, 6 * 5 * 2), "with a threshold of 0 every pair has every type"
    assert "<svg viewBox" not in page.read_text()
    run("view", folder / "model", folder / "docs.spacy", "-o", page, "--predicted-clusters")
    assert documents(page) == (3, 0), "this pipeline makes no clusters"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nothing.jsonl"], 1, "there is no such file"),
        (["nothing"], 1, "'nothing' is neither a file that can be viewed"),
        (["{}/docs.spacy", "{}/texts.txt"], 2, "give no texts"),
        (["{}/model", "{}/texts.txt", "--text", "a"], 2, "not both"),
        (["{}/model", "{}/missing.txt"], 1, "missing.txt"),
        (["{}/empty.jsonl"], 1, "it holds no document"),
        (["{}/broken.jsonl"], 1, "document 1"),
        (["{}/bare.spacy"], 1, "holds no document with entity clusters"),
    ],
)
def test_what_cannot_be_viewed(folder, tmp_path, arguments, code, message):
    (folder / "empty.jsonl").write_text("\n")
    (folder / "broken.jsonl").write_text('{"text": "fine"}\n{"text": 3}\n')
    DocBin(docs=[spacy.blank("xx")("a b")]).to_disk(folder / "bare.spacy")
    page = tmp_path / "page.html"
    arguments = [argument.format(folder) for argument in arguments]
    output = re.sub(r"[│╭╮╰╯─]", " ", run("view", *arguments, "-o", page, code=code))
    assert message in " ".join(output.split()) or message in output.replace(" ", "")
    assert not page.exists()


def test_heat_map_of_a_corpus(folder, tmp_path):
    pytest.importorskip("matplotlib")
    data = (folder / "model", folder / "docs.spacy", "--document", 3, "--entity", "ada")
    run("plot", "attention", *data, "--label", "born", "-o", tmp_path / "map.png")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    run("plot", "attention", *data, "-o", tmp_path / "map.svg")
    assert b"<svg" in (tmp_path / "map.svg").read_bytes()
    output = run("plot", "attention", *data, "-o", tmp_path / "map.exe", code=2)
    assert "a picture ends in" in output
    data = (folder / "model", folder / "docs.spacy", "-d", 9)
    assert "fewer than 9" in run("plot", "attention", *data, "-e", "ada", code=1)
    pair = ("--head", "1", "--tail", "2")
    output = run("plot", "key-mentions", *data[:2], *pair, code=1)
    assert "'spacy-docre.KMGRE.v1'" in output
