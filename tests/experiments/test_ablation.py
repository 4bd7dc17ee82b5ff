"""Ablations: the configs that they make, and the table."""

from pathlib import Path

import pytest
import srsly
from spacy.util import load_config, registry
from thinc.api import Config

from spacy_docre.errors import DocreError
from spacy_docre.experiments.ablation import Study, Variant, without

from ..commands import run

ROOT = Path(__file__).parent.parent.parent
ABLATIONS = ROOT / "assets" / "ablations.json"
HEAD = "components.doc_relation_extractor.model.head"


def model_of(config):
    return config["components"]["doc_relation_extractor"]["model"]


@pytest.mark.parametrize("method", srsly.read_json(ABLATIONS))
def test_configs_differ_from_the_methods_and_have_heads_that_exist(method, tmp_path):
    study = Study.prepare(method, ABLATIONS, ROOT / "configs", tmp_path)
    whole, *others = (load_config(tmp_path / f"{run}.cfg") for run in study.runs)
    assert whole == load_config(ROOT / "configs" / f"{method}.cfg")
    assert len(others) == len(study.ablations.without)
    for config in others:
        assert model_of(config) != model_of(whole)
        registry.resolve({"head": model_of(config.interpolate())["head"]})


def test_what_is_taken_away(tmp_path):
    (tmp_path / "other.cfg").write_text("[a]\n[a.b]\nc = 3\n")
    config = Config({"a": {"b": {"c": 1, "d": 2}}, "e": {"f": 4}, "g": {"h": 5}})
    variant = Variant(title="", settings={"g.h": False}, remove=["e.f"], sections={"a.b": "other"})
    assert without(config, variant, tmp_path) == {"a": {"b": {"c": 3}}, "e": {}, "g": {"h": False}}
    assert config["a"]["b"] == {"c": 1, "d": 2}


def test_a_method_without_ablations_is_an_error_that_names_those_with(tmp_path):
    with pytest.raises(DocreError, match=r"D171.*'cnn'.*kmgre"):
        Study.prepare("cnn", ABLATIONS, ROOT / "configs", tmp_path)


def test_table(tmp_path):
    study = Study.prepare("kmgre", ABLATIONS, ROOT / "configs", tmp_path)
    record = {"scores": {"rel_f": 0.5, "rel_ign_f": 0.4}, "figures": {"key_share": 0.61234}}
    worse = {"scores": {"rel_f": 0.45, "rel_ign_f": 0.4}, "figures": {}}
    records = {"kmgre": [record, record], "kmgre_fusion": [worse]}
    header = (
        "Seeds | Ign F1 | F1 | F1, difference | Share of mention pairs kept"
        " | F1 and difference, paper (DWIE)"
    )
    assert study.to_markdown(records).splitlines() == [
        f"|  | {header} |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| All | 2 | 40.00 | 50.00 |  | 0.612 | 71.40 |",
        "| Without key instance classifier | 0 |  |  |  |  | 70.38 (-1.02) |",
        "| Without fusion | 1 | 40.00 | 45.00 | -5.00 |  | 63.93 (-7.47) |",
    ]


@pytest.mark.slow
def test_command_trains_each_variant_once(corpus, tiny_bert, tmp_path):
    def ablate():
        return run(
            *("ablate", "--method", "paee", "--seeds", "1", "--encoder", tiny_bert),
            *("--train", corpus, "--dev", corpus, "--configs", ROOT / "configs"),
            *("--ablations", ABLATIONS, "--output", tmp_path / "runs"),
            *("--report", tmp_path / "report", "--training.max_steps", "2"),
            *("--training.eval_frequency", "2", f"--{HEAD}.channels", "16"),
            *("--components.doc_relation_extractor.model.encoder.window", "64"),
            *("--components.doc_relation_extractor.model.encoder.stride", "8"),
        )

    assert "Without sliding window | 1" in ablate()
    table = (tmp_path / "report" / "paee.md").read_text()
    models = list((tmp_path / "runs").glob("*/model-best/config.cfg"))
    before = {path: path.stat().st_mtime_ns for path in models}
    assert len(before) == 5
    ablate()
    assert {path: path.stat().st_mtime_ns for path in models} == before
    assert (tmp_path / "report" / "paee.md").read_text() == table
