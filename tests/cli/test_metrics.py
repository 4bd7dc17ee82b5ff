"""`evaluate` with its options, `significance`, `find-threshold`, `calibrate` and the charts, as
people call them."""

import json
import re

import pytest
import spacy
import srsly
from typer.testing import CliRunner

from spacy_docre.cli import app
from spacy_docre.cli.find_threshold import save_settings
from spacy_docre.scoring.subsets import SUBSET_TITLES

from ..methods import add_extractor
from ..util import birth_docs_as_docred, birth_examples

RUNNER = CliRunner()
NAME = "doc_relation_extractor"


def run(*arguments, code=0):
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two models that learned for a while, one longer than the other, and a corpus."""
    path = tmp_path_factory.mktemp("metrics")
    spacy.util.fix_random_seed(1)
    nlp = spacy.blank("xx")
    add_extractor(nlp, "atlop", "cnn")
    examples = birth_examples(nlp.vocab)
    optimizer = nlp.initialize(lambda: examples)
    for step in range(1, 25):
        nlp.update(examples, sgd=optimizer)
        if step in (12, 24):
            nlp.to_disk(path / f"model{step}")
    srsly.write_json(path / "rel_info.json", {"P1": "born", "P2": "died"})
    for name, numbers in (("dev", range(3, 13)), ("train", range(0, 30, 6))):
        srsly.write_json(path / f"{name}.json", birth_docs_as_docred(numbers))
        data = (path / f"{name}.json", path / f"{name}.spacy")
        run("convert", "docred", *data, "--rel-info", path / "rel_info.json")
    for step in (12, 24):
        data = (path / f"model{step}", path / "dev.spacy", path / f"p{step}.spacy")
        run("predict", *data, "--format", "spacy")
    return path


@pytest.fixture(scope="module")
def metrics(folder):
    for step in (12, 24):
        facts = ("--train-facts", folder / "train.spacy")
        out = ("-o", folder / f"m{step}.json")
        data = (folder / f"model{step}", folder / "dev.spacy")
        run("evaluate", *data, *facts, *out, "--subsets", "--bootstrap", 50, "--calibration")
    return [json.loads((folder / f"m{step}.json").read_text()) for step in (12, 24)]


def test_everything_is_in_the_json(metrics):
    for scores in metrics:
        assert set(scores["rel_subsets"]) == set(SUBSET_TITLES)
        low, high = scores["intervals"]["rel_f"]
        assert low <= scores["rel_f"] <= high
        assert scores["bootstrap"] == {"samples": 50, "seed": 0, "level": 0.95}
        pairs, relations = (scores["calibration"][name] for name in ("pairs", "relations"))
        assert pairs["count"] == 10 * 20 * 2
        assert 0 < relations["count"] <= pairs["count"]
        assert sum(b["count"] for b in relations["bins"]) == relations["count"]
        assert scores["rel_subsets"]["frequent"]["gold"] == 40
    assert metrics[1]["rel_f"] > metrics[0]["rel_f"], "the longer, the better"


def test_saved_predictions_give_the_same_metrics(folder, metrics, tmp_path):
    facts = ("--train-facts", folder / "train.spacy", "--subsets", "--bootstrap", 50)
    data = (folder / "p24.spacy", folder / "dev.spacy", "-o", tmp_path / "m.json")
    output = run("evaluate", *data, *facts, "--calibration")
    saved = json.loads((tmp_path / "m.json").read_text())
    assert saved["calibration"].keys() == {"relations"}
    assert {**saved, "calibration": 0} == {**metrics[1], "calibration": 0}
    assert saved["calibration"]["relations"]["ece"] == pytest.approx(
        metrics[1]["calibration"]["relations"]["ece"]
    )
    for title in ("95 % interval", "By subset", "KMGRE M2", "Calibration", "Brier"):
        assert title in output


@pytest.mark.parametrize("option", ["--end-to-end", "--predicted-clusters", "--constraints=none"])
def test_predictions_cannot_be_predicted_anew(folder, option):
    assert "predictions" in run(
        "evaluate", folder / "p12.spacy", folder / "dev.spacy", option, code=2
    )


def test_options_that_do_not_go_together(folder):
    data = (folder / "model12", folder / "dev.spacy", "--end-to-end")
    assert "--subsets" in run("evaluate", *data, "--subsets", code=2)


def test_a_training_corpus_without_relations_is_refused(folder, tmp_path):
    nlp = spacy.blank("xx")
    spacy.tokens.DocBin(docs=[nlp("No relations.")]).to_disk(tmp_path / "empty.spacy")
    data = (folder / "p12.spacy", folder / "dev.spacy", "--train-facts", tmp_path / "empty.spacy")
    assert "D085" in run("evaluate", *data, code=1)


def test_significance_of_two_systems(folder, metrics):
    files = (folder / "p24.spacy", folder / "p12.spacy", folder / "dev.spacy")
    facts = ("--train-facts", folder / "train.spacy", "--subsets")
    output = run("significance", *files, *facts, "-n", 500, "-o", folder / "s.json")
    found = json.loads((folder / "s.json").read_text())
    f1 = found["metrics"]["rel_f"]
    assert (f1["a"], f1["b"]) == pytest.approx((metrics[1]["rel_f"], metrics[0]["rel_f"]))
    assert f1["low"] <= f1["difference"] <= f1["high"]
    assert 0 < f1["p"] <= 1
    assert f"{100 * f1['difference']:+.2f}" in output
    assert "Ign F1, train" in output


def test_thresholds_of_types_are_saved(folder, tmp_path):
    nlp = spacy.load(folder / "model12")
    save_settings(nlp, tmp_path / "model", threshold=1.0)
    data = (tmp_path / "model", folder / "dev.spacy")
    output = run("find-threshold", *data, "--per-label", "--min-gold", 5, "--write")
    promised = re.findall(r"Best threshold: (\S+) with F1 ([\d.]+)", output)
    nlp = spacy.load(tmp_path / "model")
    extractor = nlp.get_pipe(NAME)
    assert set(extractor.cfg["thresholds"]) == {"born", "died"}
    in_config = nlp.config["components"][NAME]["thresholds"]
    assert in_config == pytest.approx(extractor.cfg["thresholds"])
    run("evaluate", *data, "-o", tmp_path / "m.json")
    f1 = json.loads((tmp_path / "m.json").read_text())["rel_f"]
    ((threshold, best),) = promised
    assert float(threshold) == pytest.approx(extractor.cfg["threshold"])
    assert best == f"{100 * f1:.2f}"
    save_settings(nlp, tmp_path / "model", threshold=1.0, thresholds={"born": 1.0})
    assert "DW32" in run("find-threshold", *data, "--write")
    assert spacy.load(tmp_path / "model").get_pipe(NAME).cfg["thresholds"] == {}


def test_thresholds_that_gain_nothing_on_other_documents_are_not_saved(folder, tmp_path):
    nlp = spacy.load(folder / "model12")
    save_settings(nlp, tmp_path / "model", threshold=1.0)
    data = (tmp_path / "model", folder / "dev.spacy")
    run("find-threshold", *data, "--write")
    best = spacy.load(tmp_path / "model").get_pipe(NAME).cfg["threshold"]
    assert best < 1
    # None is better on documents that it was not fitted to than the best on all.
    output = run("find-threshold", *data, "--write")
    assert "DW33" in output
    assert "Saved in" not in output
    assert spacy.load(tmp_path / "model").get_pipe(NAME).cfg["thresholds"] == {}


def test_constraints_are_saved_with_their_threshold(folder, tmp_path):
    spacy.load(folder / "model12").to_disk(tmp_path / "model")
    data = (tmp_path / "model", folder / "dev.spacy", "--output", tmp_path / "t.json")
    output = run("find-threshold", *data, "--constraints", "types", "--precision", 0.5, "--write")
    found = json.loads((tmp_path / "t.json").read_text())
    assert found["precision"]["p"] >= 0.5
    assert found["precision"]["r"] >= found["best"]["r"] or found["best"]["p"] < 0.5
    assert f"{found['precision']['threshold']}" in output
    cfg = spacy.load(tmp_path / "model").get_pipe(NAME).cfg
    assert cfg["constraints"]["types"] == "learned"
    assert cfg["threshold"] == found["best"]["threshold"]
    assert "none of types" in run("find-threshold", *data, "--constraints", "tipes", code=2)


def test_a_config_cannot_hold_every_relation_type(folder, tmp_path):
    nlp = spacy.load(folder / "model12")
    extractor = nlp.get_pipe(NAME)
    extractor.cfg["labels"][0] = "per:born = [x]"
    save_settings(nlp, tmp_path / "model", threshold=0.3, thresholds={"per:born = [x]": 0.4})
    loaded = spacy.load(tmp_path / "model")
    assert loaded.get_pipe(NAME).cfg["thresholds"] == {"per:born = [x]": 0.4}
    assert loaded.config["components"][NAME]["threshold"] == 0.3
    assert loaded.config["components"][NAME]["thresholds"] == {}


def test_a_pipeline_is_calibrated_and_sets_the_same_relations(folder, metrics, tmp_path):
    spacy.load(folder / "model24").to_disk(tmp_path / "model")
    data = (tmp_path / "model", folder / "dev.spacy")
    output = run("calibrate", *data, "--write")
    assert "held out" in output
    run("evaluate", *data, "-o", tmp_path / "m.json", "--calibration")
    scores = json.loads((tmp_path / "m.json").read_text())
    assert scores["rel_per_type"] == metrics[1]["rel_per_type"]
    before, after = (s["calibration"]["pairs"] for s in (metrics[1], scores))
    assert after["ece"] < before["ece"]
    settings = spacy.load(tmp_path / "model").get_pipe(NAME).cfg
    # A second time it starts from the model's own scores.
    run("calibrate", *data, "--write")
    again = spacy.load(tmp_path / "model").get_pipe(NAME).cfg
    assert again["calibration"] == pytest.approx(settings["calibration"], rel=1e-3)
    assert again["threshold"] == pytest.approx(settings["threshold"], rel=1e-3)


def test_test_data_are_warned_of(folder, tmp_path):
    corpus = tmp_path / "own_test.spacy"
    corpus.write_bytes((folder / "dev.spacy").read_bytes())
    for command in ("find-threshold", "calibrate"):
        assert "DW31" in run(command, folder / "model12", corpus)


@pytest.mark.parametrize("chart", ["subsets", "reliability"])
def test_charts(folder, metrics, tmp_path, chart):
    pytest.importorskip("matplotlib")
    output = tmp_path / "chart.svg"
    run("plot", chart, folder / "m12.json", folder / "m24.json", "-o", output)
    assert output.read_text().count("<path") > 20
    (tmp_path / "bare.json").write_text("{}")
    assert "D089" in run("plot", chart, tmp_path / "bare.json", "-o", output, code=1)
    (tmp_path / "bare.json").write_text("[]")
    assert "D015" in run("plot", chart, tmp_path / "bare.json", "-o", output, code=1)
