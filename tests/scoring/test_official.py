"""`evaluate` against the official DocRED metric, computed from the JSON files alone."""

import json
import random
from pathlib import Path

import pytest
import spacy
import srsly
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_docre.cli import app
from spacy_docre.corpora.jsonl import to_jsonl
from spacy_docre.corpora.readers import read_docs
from spacy_docre.evaluation.predictions import read_predictions

from ..commands import run
from ..reference.official import official_scores
from ..util import PUBLIC_CORPORA, birth_docs_as_docred

RUNNER = CliRunner()
NAMES = {"P1": "born", "P2": "died"}
N_SYSTEMS = 10


def corpus(numbers, seed):
    """Documents with aliases, evidence, self relations and relations without evidence."""
    rng = random.Random(seed)
    rows = birth_docs_as_docred(numbers)
    for row in rows:
        row["title"] += f" of {seed}"
        for mentions in row["vertexSet"]:
            for mention in mentions[1:]:
                mention["name"] = f"{mention['name']}, {rng.choice('ABC')}."
        row["labels"].append({"h": 0, "t": 0, "r": "P1"})
        for fact in row["labels"]:
            fact["evidence"] = sorted(rng.sample(range(3), rng.randrange(3)))
    return rows


def perturbed(gold, seed):
    """What a system might predict: some of the gold relations, some wrong ones, some twice, with
    evidence that is right or wrong."""
    rng = random.Random(seed)
    predictions = []
    for row in gold:
        n = len(row["vertexSet"])
        for fact in row["labels"]:
            if rng.random() < 0.3 + 0.05 * seed:
                evidence = rng.sample(range(3), rng.randrange(4))
                found = {"h_idx": fact["h"], "t_idx": fact["t"], "r": fact["r"]}
                predictions.append({"title": row["title"], **found, "evidence": evidence})
        for _ in range(rng.randrange(2 + seed)):
            wrong = {"h_idx": rng.randrange(n), "t_idx": rng.randrange(n), "r": "P2"}
            predictions.append({"title": row["title"], **wrong, "evidence": [rng.randrange(3)]})
    twice = [{**p, "evidence": [0, 1]} for p in rng.sample(predictions, 3)]
    rng.shuffle(predictions)
    return predictions + twice


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("official")
    srsly.write_json(path / "rel_info.json", NAMES)
    rows = {
        "dev": corpus(range(20), 1),
        "annotated": corpus(range(3, 40, 7), 2),
        "distant": corpus(range(5, 60, 4), 3),
    }
    for name, documents in rows.items():
        srsly.write_json(path / f"{name}.json", documents)
        data = (path / f"{name}.json", path / f"{name}.spacy")
        run("convert", "docred", *data, "--rel-info", path / "rel_info.json")
    return path, rows


@pytest.mark.parametrize("seed", range(N_SYSTEMS))
def test_evaluate_is_the_official_metric(folder, seed):
    path, rows = folder
    predictions = perturbed(rows["dev"], seed)
    srsly.write_json(path / "predictions.json", predictions)
    run(
        "evaluate", path / "predictions.json", path / "dev.spacy", "-o", path / "metrics.json",
        "--rel-info", path / "rel_info.json", "--train-facts", path / "annotated.spacy",
        "--train-facts", path / "distant.spacy",
    )  # fmt: skip
    metrics = json.loads((path / "metrics.json").read_text())
    expected = official_scores(predictions, rows["dev"], rows["annotated"], rows["distant"])
    values = {expected["f1"], *expected["ign_f1"], expected["evidence_f1"]}
    assert len(values) == 4, "all different, or the test would say little"
    assert all(0 < value < 1 for value in values)
    found = {
        "p": metrics["rel_p"],
        "r": metrics["rel_r"],
        "f1": metrics["rel_f"],
        "evidence_f1": metrics["rel_evidence_f"],
        "ign_f1": list(metrics["rel_ign_per_source"].values()),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name
    assert list(metrics["rel_ign_per_source"]) == ["annotated", "distant"]
    assert metrics["rel_ign_f"] == metrics["rel_ign_per_source"]["annotated"]


def test_the_formats_of_predictions_agree(folder):
    path, rows = folder
    srsly.write_json(path / "p.json", perturbed(rows["dev"], 4))
    references = list(read_docs(path / "dev.spacy", spacy.blank("xx").vocab))
    docs = [
        e.predicted for e in read_predictions(path / "p.json", references, relation_names=NAMES)
    ]
    random.Random(0).shuffle(docs)
    DocBin(docs=docs, store_user_data=True).to_disk(path / "p.spacy")
    srsly.write_jsonl(path / "p.jsonl", map(to_jsonl, docs))
    found = []
    for suffix in ("json", "jsonl", "spacy"):
        names = ("--rel-info", path / "rel_info.json")
        run("evaluate", path / f"p.{suffix}", path / "dev.spacy", *names, "-o", path / "m.json")
        found.append(json.loads((path / "m.json").read_text()))
    assert found[0] == found[1] == found[2]
    assert found[0]["rel_f"] > 0


CASES = {
    "wrong_corpus": ([{"title": "Nobody", "h_idx": 0, "t_idx": 1, "r": "P1"}], "D088"),
    "entity": ([{"title": "Life 0 of 1", "h_idx": 0, "t_idx": 99, "r": "P1"}], "D088"),
    "sentence": (
        [{"title": "Life 0 of 1", "h_idx": 0, "t_idx": 1, "r": "P1", "evidence": [7]}],
        "D088",
    ),
    "field": ([{"title": "Life 0 of 1", "h_idx": -1, "t_idx": 1, "r": "P1"}], "h_idx"),
    "list": ({"title": "x"}, "D015"),
}


@pytest.mark.parametrize("case", CASES)
def test_predictions_that_do_not_fit_are_refused(folder, tmp_path, case):
    path, _ = folder
    predictions, message = CASES[case]
    srsly.write_json(tmp_path / "p.json", predictions)
    result = RUNNER.invoke(app, ["evaluate", str(tmp_path / "p.json"), str(path / "dev.spacy")])
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())


def test_documents_without_predictions_are_named(folder, tmp_path):
    path, _ = folder
    result = RUNNER.invoke(app, ["evaluate", str(path / "distant.spacy"), str(path / "dev.spacy")])
    assert result.exit_code == 1
    assert "has no predictions" in " ".join(result.output.split())


MODELS = sorted(Path("training/redocred400").glob("*-66/model-best"))
DEV = Path("corpus/redocred400/dev.spacy")
SOURCE = PUBLIC_CORPORA / "redocred"


@pytest.mark.slow
@pytest.mark.corpora("redocred")
@pytest.mark.skipif(not (MODELS and DEV.exists()), reason="no trained models")
@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.parent.name)
def test_trained_models_are_scored_as_officially(model, tmp_path):
    names = ("--rel-info", SOURCE / "rel_info.json")
    run("predict", model, DEV, tmp_path / "p.json", "-f", "docred", *names)
    data = (tmp_path / "p.json", DEV, "-o", tmp_path / "m.json")
    run("evaluate", *data, *names, "--train-facts", DEV.with_name("train.spacy"))
    metrics = json.loads((tmp_path / "m.json").read_text())
    rows = [json.loads((SOURCE / f"{name}.json").read_text()) for name in ("dev", "train")]
    expected = official_scores(json.loads((tmp_path / "p.json").read_text()), *rows)
    assert metrics["rel_f"] == pytest.approx(expected["f1"], abs=1e-9)
    assert metrics["rel_ign_f"] == pytest.approx(expected["ign_f1"][0], abs=1e-9)
    assert metrics["rel_evidence_f"] == pytest.approx(expected["evidence_f1"], abs=1e-9)
