"""The commands as people call them."""

import json

import pytest
import spacy
import srsly
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_docre.cli.find_threshold import save_settings

from ..commands import run
from ..methods import trained_on_births
from ..reference.official import official_scores
from ..util import birth_docs_as_docred


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A half-trained model, a corpus in both formats and relation names."""
    path = tmp_path_factory.mktemp("cli")
    nlp = trained_on_births(12, seed=1)
    nlp.to_disk(path / "model")
    srsly.write_json(path / "rel_info.json", {"P1": "born", "P2": "died"})
    srsly.write_json(path / "dev.json", birth_docs_as_docred(range(3, 9)))
    srsly.write_json(path / "train.json", birth_docs_as_docred(range(0, 30, 6)))
    for name in ("train", "dev"):
        names = ("--rel-info", path / "rel_info.json")
        run("convert", "docred", path / f"{name}.json", path / f"{name}.spacy", *names)
    return path


def test_evaluate_and_predict_agree_with_the_official_metric(folder):
    metrics, predictions = folder / "out" / "metrics.json", folder / "out" / "predictions.json"
    facts = ("--train-facts", folder / "train.spacy")
    output = run("evaluate", folder / "model", folder / "dev.spacy", *facts, "--output", metrics)
    assert "Ign F1" in output
    names = ("--rel-info", folder / "rel_info.json")
    data = (folder / "model", folder / "dev.spacy", predictions)
    run("predict", *data, "--format", "docred", *names)
    scores = json.loads(metrics.read_text())
    rows = [json.loads((folder / f"{name}.json").read_text()) for name in ("dev", "train")]
    expected = official_scores(json.loads(predictions.read_text()), *rows)
    f1, ign_f1 = expected["f1"], expected["ign_f1"][0]
    assert 0 < ign_f1 < f1 < 1, "the half-trained model makes the test meaningful"
    assert scores["rel_f"] == pytest.approx(f1, abs=1e-9)
    assert scores["rel_ign_f"] == pytest.approx(ign_f1, abs=1e-9)


def test_predictions_with_texts_can_be_converted_again(folder):
    rows = folder / "out" / "rows.jsonl"
    run("predict", folder / "model", folder / "dev.spacy", rows)
    run("convert", "jsonl", rows, folder / "out" / "rows.spacy")
    original = list(DocBin().from_disk(folder / "dev.spacy").get_docs(spacy.blank("xx").vocab))
    docs = list(DocBin().from_disk(folder / "out" / "rows.spacy").get_docs(spacy.blank("xx").vocab))
    assert [doc.user_data["title"] for doc in docs] == [d.user_data["title"] for d in original]
    assert [doc.text.split() for doc in docs] == [doc.text.split() for doc in original]
    assert sum(len(doc._.relations) for doc in docs) > 0


def test_predicted_clusters_come_from_the_pipeline(folder):
    out = folder / "out" / "raw.json"
    run("evaluate", folder / "model", folder / "dev.spacy", "--predicted-clusters", "-o", out)
    assert json.loads(out.read_text())["rel_r"] == 0.0, "this pipeline makes no clusters"


def test_constraints_are_switched_for_an_evaluation(folder, tmp_path):
    nlp = spacy.load(folder / "model")
    nlp.get_pipe("doc_relation_extractor").cfg["constraints"]["types"] = {"born": [["GPE"], []]}
    nlp.to_disk(tmp_path / "model")

    def recall(*options):
        data = (tmp_path / "model", folder / "dev.spacy", "-o", tmp_path / "metrics.json")
        run("evaluate", *data, *options)
        per_type = json.loads((tmp_path / "metrics.json").read_text())["rel_per_type"]
        return per_type["born"]["r"]

    assert recall() == recall("--constraints", "types") == 0, "only people are born"
    assert recall("--constraints", "none") > 0
    assert recall("--constraints", "symmetric,inverse") > 0
    data = (tmp_path / "model", folder / "dev.spacy")
    assert "'type' is none of" in run("evaluate", *data, "--constraints", "type", code=2)


def test_docred_format_needs_gold_clusters(folder):
    data = (folder / "model", folder / "dev.spacy", folder / "x.json")
    output = run("predict", *data, "-f", "docred", "--predicted-clusters", code=2)
    assert "numbers gold clusters" in output


def test_find_threshold_saves_the_best(folder, tmp_path):
    nlp = spacy.load(folder / "model")
    save_settings(nlp, tmp_path / "model", threshold=1.0)
    output = run("find-threshold", tmp_path / "model", folder / "dev.spacy", "--write")
    nlp = spacy.load(tmp_path / "model")
    best = nlp.get_pipe("doc_relation_extractor").cfg["threshold"]
    assert f"Best threshold: {best}" in output
    assert nlp.config["components"]["doc_relation_extractor"]["threshold"] == pytest.approx(best)
    out = tmp_path / "m.json"
    run("evaluate", tmp_path / "model", folder / "dev.spacy", "-o", out)
    run("evaluate", folder / "model", folder / "dev.spacy", "-o", tmp_path / "before.json")
    assert (
        json.loads(out.read_text())["rel_f"] >= srsly.read_json(tmp_path / "before.json")["rel_f"]
    )


def test_debug_data(folder, tmp_path):
    output = run("debug-data", folder / "dev.spacy")
    assert "born" in output
    assert "No errors" in output
    docs = list(DocBin().from_disk(folder / "dev.spacy").get_docs(spacy.blank("xx").vocab))
    docs[0].user_data[("._.", "relations", None, None)][0]["tail"] = "entity_clusters_99"
    DocBin(store_user_data=True, docs=docs).to_disk(tmp_path / "broken.spacy")
    output = run("debug-data", tmp_path / "broken.spacy", code=1)
    assert "entity_clusters_99" in output
    docs[0].user_data[("._.", "relations", None, None)][0].update(
        tail="entity_clusters_1", label="no_relation"
    )
    DocBin(store_user_data=True, docs=docs).to_disk(tmp_path / "none.spacy")
    output = run("debug-data", tmp_path / "none.spacy")
    assert "the relation type 'no_relation' (1 relations) is what other data call" in output


def test_malformed_input_leaves_nothing_behind(folder, tmp_path):
    rows = json.loads((folder / "dev.json").read_text())
    rows[-1]["labels"][0]["h"] = 99
    srsly.write_json(tmp_path / "bad.json", rows)
    output = run("convert", "docred", tmp_path / "bad.json", tmp_path / "bad.spacy", code=1)
    assert "labels[0].h" in output
    assert "there is no entity 99" in output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.json"]


def test_failed_conversion_keeps_the_former_file(folder, tmp_path):
    target = tmp_path / "c.spacy"
    run("convert", "docred", folder / "dev.json", target)
    before = target.read_bytes()
    (tmp_path / "bad.json").write_text("[{]")
    run("convert", "docred", tmp_path / "bad.json", target, code=1)
    assert target.read_bytes() == before


def test_corpus_without_clusters_is_refused(folder, tmp_path):
    doc = spacy.blank("xx")("Nothing in here.")
    DocBin(docs=[doc]).to_disk(tmp_path / "plain.spacy")
    assert "D017" in run("evaluate", folder / "model", tmp_path / "plain.spacy", code=1)


def test_pipeline_without_extractor_is_refused(folder, tmp_path):
    spacy.blank("xx").to_disk(tmp_path / "blank")
    assert "D019" in run("evaluate", tmp_path / "blank", folder / "dev.spacy", code=1)


def test_extract_prints_a_table(folder, tmp_path):
    nlp = spacy.load(folder / "model")
    ruler = nlp.add_pipe("entity_ruler", before="doc_relation_extractor")
    ruler.add_patterns([{"label": "PERSON", "pattern": "Ada"}, {"label": "GPE", "pattern": "Oslo"}])
    nlp.add_pipe("entity_clusters", before="doc_relation_extractor", config={"anaphors": []})
    nlp.get_pipe("doc_relation_extractor").cfg["threshold"] = 0.0
    nlp.to_disk(tmp_path / "model")
    (tmp_path / "texts.txt").write_text("Ada was born in Oslo.\n\nNothing else.\n")
    page = tmp_path / "new" / "page.html"
    output = run("extract", tmp_path / "model", tmp_path / "texts.txt", "--page", page)
    assert "Ada" in output
    assert output.count("(no relation)") == 1
    assert str(page) in "".join(output.split())
    assert "Nothing else" in page.read_text(encoding="utf8")
    data = (tmp_path / "model", tmp_path / "texts.txt")
    assert "Nothing" not in run("extract", *data, "--limit", 1)
    whole = run("extract", *data, "--whole")
    assert "Nothing" in whole
    assert "(no relation)" not in whole, "they are one document"


def test_commands_hang_on_spacys_own():
    from spacy.cli._util import app as spacy_app

    import spacy_docre.cli.spacy_command  # noqa: F401

    result = CliRunner().invoke(spacy_app, ["docre", "--help"])
    assert result.exit_code == 0
    assert "debug-data" in result.output
