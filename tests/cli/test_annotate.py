"""The command as people call it."""

import csv
import json
import os
import re
import shutil
import sys

import pytest
import spacy
import srsly
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_docre import get_clusters
from spacy_docre.cli import app

from ..annotating import BREAK, make_pipeline, make_texts, read_folder
from ..methods import add_extractor
from ..util import birth_doc, birth_examples, rest_slow

RUNNER = CliRunner()


def run(*arguments, code=0, stdin=None):
    result = RUNNER.invoke(app, ["annotate", *map(str, arguments)], input=stdin)
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    make_pipeline(breaking=True).to_disk(path)
    return path


def rows(out):
    return [row for path in sorted(out.glob("part-*.jsonl")) for row in srsly.read_jsonl(path)]


def test_every_source_into_every_format(model, tmp_path):
    texts = make_texts(4)
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text(texts[0])
    srsly.write_jsonl(folder / "b.jsonl", [{"text": texts[1], "id": "b"}, {"id": "no text"}])
    (folder / "c.csv").write_text(f'id,text\nc,"{texts[2]}"\nd,{BREAK}\n')
    DocBin(docs=[spacy.blank("xx")(texts[3])]).to_disk(folder / "d.spacy")
    formats = ("jsonl", "spacy", "docred", "turtle", "ntriples", "graphml")
    options = [option for name in formats for option in ("--format", name)]
    out = tmp_path / "out"
    output = run(model, folder, "-", out, *options, "--part-size", 4, stdin="Ada saw Oslo.\n\n")
    assert "5 documents" in output
    assert "2 documents were set aside" in output
    assert [row["text"] for row in rows(out)] == [*texts, "Ada saw Oslo."]
    errors = list(srsly.read_jsonl(out / "errors.jsonl"))
    assert [error["id"] for error in errors] == ["no text", "d"]
    suffixes = {".jsonl", ".spacy", ".json", ".ttl", ".nt", ".graphml"}
    assert {path.suffix for path in out.glob("part-00001.*")} == suffixes
    assert "complete already" in run(
        model, folder, "-", out, *options, "--part-size", 4, stdin="Ada saw Oslo.\n\n"
    )


def test_former_results_are_not_lost_by_accident(model, tmp_path):
    (tmp_path / "a.txt").write_text("Ada saw Oslo.\nBela saw Riga.\n")
    out = tmp_path / "out"
    run(model, tmp_path / "a.txt", out, "--lines")
    before = read_folder(out)
    output = run(model, tmp_path / "a.txt", out, "--limit", 1, code=1)
    assert "D037" in output
    assert "limit was 0 and is 1" in output
    assert read_folder(out) == before
    run(model, tmp_path / "a.txt", out, "--lines", "--limit", 1, "--overwrite")
    assert [row["text"] for row in rows(out)] == ["Ada saw Oslo."]


def test_a_model_trained_anew_is_another(model, tmp_path):
    (tmp_path / "a.txt").write_text("Ada saw Oslo.")
    run(model, tmp_path / "a.txt", tmp_path / "out")
    nlp = spacy.load(model)
    nlp.meta["performance"] = {"rel_f": 0.5}
    nlp.to_disk(tmp_path / "model")
    output = run(tmp_path / "model", tmp_path / "a.txt", tmp_path / "out", code=1)
    assert "model was" in output


def test_results_inside_the_input_folder_are_no_input(model, tmp_path):
    (tmp_path / "a.txt").write_text("Ada saw Oslo.")
    for _ in range(2):
        run(model, tmp_path, tmp_path / "out", "--overwrite")
        assert len(rows(tmp_path / "out")) == 1


def test_given_clusters(tmp_path):
    nlp = spacy.blank("xx")
    spacy.util.fix_random_seed(0)
    add_extractor(nlp, "atlop", "cnn")
    nlp.initialize(lambda: birth_examples(nlp.vocab))
    nlp.to_disk(tmp_path / "model")
    docs = [birth_doc(nlp.vocab, n) for n in range(3)]
    DocBin(docs=docs).to_disk(tmp_path / "a.spacy")
    data = (tmp_path / "model", tmp_path / "a.spacy")
    output = run(*data, tmp_path / "without")
    assert "DW08" in output, "such a pipeline finds nothing by itself, and says so"
    output = run(*data, tmp_path / "with", "--keep-clusters")
    assert "DW08" not in output
    found = [[c["name"] for c in row["clusters"]] for row in rows(tmp_path / "with")]
    assert found == [[cluster.text for cluster in get_clusters(doc)] for doc in docs]
    (tmp_path / "b.txt").write_text("Ada.")
    assert "D041" in run(data[0], tmp_path / "b.txt", tmp_path / "x", "--keep-clusters", code=1)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--base-uri", "kg"], "absolute URI"),
        (["--base-uri", "http://x/<y>"], "absolute URI"),
        (["--base-uri", "http://x/#"], "absolute URI"),
        (["--delimiter", "ab"], "one character"),
    ],
)
def test_settings_are_checked_before_anything_is_done(model, tmp_path, options, message):
    (tmp_path / "a.txt").write_text("Ada.")
    assert message in run(model, tmp_path / "a.txt", tmp_path / "out", *options, code=1)
    assert not (tmp_path / "out").exists()


def test_missing_input(model, tmp_path):
    assert "D036" in run(model, tmp_path / "nowhere", tmp_path / "out", code=1)


def test_input_without_a_good_document_fails(model, tmp_path):
    (tmp_path / "a.csv").write_text("body\nAda.\n")
    output = run(model, tmp_path / "a.csv", tmp_path / "out", code=1)
    assert "1 documents were set aside" in output
    (error,) = srsly.read_jsonl(tmp_path / "out" / "errors.jsonl")
    assert error["reason"] == "no column 'text'; there are: 'body'"


def test_fail_fast(model, tmp_path):
    (tmp_path / "a.txt").write_text(f"Ada.\n{BREAK}\n")
    output = run(model, tmp_path / "a.txt", tmp_path / "out", "--lines", "--fail-fast", code=1)
    assert "D040" in output
    assert "document 2" in output


def test_no_progress_bar_without_a_terminal(model, tmp_path):
    (tmp_path / "a.txt").write_text("Ada.")
    assert "Annotating" not in run(model, tmp_path / "a.txt", tmp_path / "out")
    progress = json.loads((tmp_path / "out" / "annotate.json").read_text())["progress"]
    assert progress["documents"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--workers", 2], "D070.*--workers.*--engine local"),
        (["--address", "auto"], "D070.*--address"),
        (["--gpus-per-worker", 0.5], "D070.*--gpus-per-worker"),
        (["--engine", "ray", "-n", 2], "D070.*--n-process.*--engine ray"),
        (["--engine", "ray", "--gpu-id", 0], "D070.*--gpu-id"),
    ],
)
def test_options_of_the_other_engine_are_refused(tmp_path, options, message):
    output = run("model", "in.txt", tmp_path / "out", *options, code=1)
    assert re.search(message, output)
    assert not (tmp_path / "out").exists()


def test_standard_input_is_refused(tmp_path):
    assert "D074" in run("model", "-", tmp_path / "out", "--engine", "ray", code=1)


def test_missing_ray_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    output = run("model", "in.txt", tmp_path / "out", "--engine", "ray", code=1)
    assert "D021" in output
    assert "pip install -e '.[ray]'" in output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "change", [{"title": "New"}, {"date": "2026"}, {"text": "Bela."}, {"id": "b"}]
)
@pytest.mark.parametrize("complete", rest_slow([False, True], lambda complete: not complete))
def test_documents_that_are_done_and_changed_are_noticed(model, tmp_path, change, complete):
    row = {"id": "a", "title": "Old", "text": "Ada saw Oslo.", "date": "2020"}
    rows = [row] if complete else [row, {"id": "b"}]
    srsly.write_jsonl(tmp_path / "a.jsonl", rows)
    command = (model, tmp_path / "a.jsonl", tmp_path / "out", "--part-size", 1)
    run(*command, "--fail-fast", code=0 if complete else 1)
    srsly.write_jsonl(tmp_path / "a.jsonl", [row | change, *rows[1:]])
    assert "D037" in run(*command, code=1)
    srsly.write_jsonl(tmp_path / "a.jsonl", rows)
    run(*command)


def test_documents_that_were_added_to_a_folder_are_noticed(model, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("Ada saw Oslo.")
    run(model, folder, tmp_path / "out")
    assert "complete already" in run(model, f"{folder}/", tmp_path / "out")
    (folder / "b.txt").write_text("Bela saw Riga.")
    output = run(model, folder, tmp_path / "out", code=1)
    assert "D037" in output
    assert "had 1 documents and has more" in output


def test_clusters_that_changed_are_noticed(model, tmp_path):
    nlp = spacy.blank("xx")
    doc = birth_doc(nlp.vocab, 0)
    DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "a.spacy")
    command = (model, tmp_path / "a.spacy", tmp_path / "out", "--keep-clusters")
    run(*command)
    assert "complete already" in run(*command)
    doc.spans["entity_clusters_1"] = [doc.spans["entity_clusters_1"][0]]
    DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "a.spacy")
    assert "D037" in run(*command, code=1)


def test_weights_that_changed_are_noticed(model, tmp_path):
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "a.txt").write_text("Ada saw Oslo.")
    command = (tmp_path / "model", tmp_path / "a.txt", tmp_path / "out")
    run(*command)
    other = make_pipeline(breaking=True)
    other.update(birth_examples(other.vocab))
    other.to_disk(tmp_path / "model")
    assert "model was" in run(*command, code=1)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_file_name_that_is_not_utf8(model, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in (b"bad\xff.txt", b"good.txt", "a\x1b[2J\u202e.txt".encode()):
        (folder / os.fsdecode(name)).write_text("Ada saw Oslo.")
    (folder / os.fsdecode(b"bad\xff.jsonl")).write_text("{")
    run(model, folder, tmp_path / "out")
    names = [row["source"].removeprefix(f"{folder}/") for row in rows(tmp_path / "out")]
    assert names == ["a\\x1b[2J\\u202e.txt", "bad\\udcff.txt", "good.txt"]
    (error,) = srsly.read_jsonl(tmp_path / "out" / "errors.jsonl")
    assert error["source"].endswith("bad\\udcff.jsonl")


@pytest.mark.skipif(os.name == "nt", reason="Windows has other kinds of files")
def test_links_and_pipes_in_a_folder_are_skipped_and_counted(model, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("SECRET")
    (folder / "a.txt").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(folder / "b.txt")
    (folder / "c.txt").write_text("Ada saw Oslo.")
    with pytest.warns(UserWarning, match=r"DW60.*1 links, 1 pipes"):
        run(model, folder, tmp_path / "out")
    assert [row["text"] for row in rows(tmp_path / "out")] == ["Ada saw Oslo."]
    (tmp_path / "named.txt").symlink_to(tmp_path / "secret.txt")
    run(model, tmp_path / "named.txt", tmp_path / "named")
    assert [row["text"] for row in rows(tmp_path / "named")] == ["SECRET"]


def test_a_graph_of_all_documents(model, tmp_path):
    (tmp_path / "a.txt").write_text("Ada saw Oslo.\n" * 5)
    command = (model, tmp_path / "a.txt", tmp_path / "out", "--lines", "--part-size", 2)
    run(*command, "-f", "csv", "-f", "cypher")
    names = {path.name for path in (tmp_path / "out").iterdir() if path.name[0] != "."}
    parts = {f"part-0000{n}{end}" for n in range(3) for end in (".csv", ".cypher", ".entities.csv")}
    assert names == {"annotate.json", "errors.jsonl", "entities.csv", *parts}
    with (tmp_path / "out" / "entities.csv").open(newline="") as file:
        merged = {row["name"]: row for row in csv.DictReader(file)}
    assert {name: row["documents"] for name, row in merged.items()} == {"Ada": "5", "Oslo": "5"}
    assert json.loads(merged["Oslo"]["first_documents"])[0].endswith("a.txt:1")
    run(*command, "-f", "csv", "--overwrite", "--limit", 2)
    with (tmp_path / "out" / "entities.csv").open(newline="") as file:
        assert {row["documents"] for row in csv.DictReader(file)} == {"2"}


def test_processes_and_a_gpu_are_refused_together(tmp_path):
    assert "D020" in run("model", "a.txt", tmp_path / "out", "-n", 2, "--gpu-id", 0, code=1)
