"""One model for all settings: what they may be, and which wins."""

import inspect

import pytest
import spacy
from pydantic import Field, create_model

from spacy_docre import DocreError
from spacy_docre.extractor import settings as module
from spacy_docre.extractor.constraints import DEFAULT_CONSTRAINTS
from spacy_docre.extractor.pipeline import change_settings
from spacy_docre.extractor.settings import (
    CONDITIONS,
    DEFAULTS,
    ExtractorSettings,
    check_settings,
    with_overrides,
)
from spacy_docre.factories import make_doc_relation_extractor

from ..methods import add_extractor
from ..util import birth_examples

NAME = "doc_relation_extractor"


@pytest.fixture(scope="module")
def nlp():
    nlp = spacy.blank("xx")
    add_extractor(nlp, "atlop", "cnn", threshold=0.4)
    nlp.initialize(lambda: birth_examples(nlp.vocab))
    return nlp


def given(**settings):
    return {**DEFAULTS, **settings}


def test_overrides_of_constraints_win_and_later_changes_are_kept():
    made_with = {**DEFAULT_CONSTRAINTS, "types": "learned", "symmetric": ["a"]}
    changed_later = {**made_with, "inverse": "learned", "symmetric": ["b"]}

    def merged(saved, configured, now):
        return with_overrides(
            {"constraints": saved}, {"constraints": configured}, given(constraints=now)
        )["constraints"]

    assert merged(changed_later, made_with, made_with) == changed_later
    overridden = {**made_with, "types": None}
    assert merged(changed_later, made_with, overridden) == {**changed_later, "types": None}
    assert merged(None, made_with, overridden) == DEFAULT_CONSTRAINTS


@pytest.mark.parametrize(
    ("saved", "configured", "now", "expected"),
    [
        (0.3, {"threshold": 0.4}, 0.4, 0.3),
        (0.3, {"threshold": 0.4}, 0.9, 0.9),
        (0.3, {}, 0.5, 0.3),
        (0.3, {}, 0.9, 0.9),
    ],
    ids=["changed at run time", "overridden", "of 0.1.0", "of 0.1.0, overridden"],
)
def test_which_threshold_holds(saved, configured, now, expected):
    merged = with_overrides({"threshold": saved}, configured, given(threshold=now))
    assert merged == given(threshold=expected)


@pytest.mark.parametrize("way", ["disk", "bytes"])
def test_a_threshold_given_at_loading_wins(way, nlp, tmp_path):
    nlp.get_pipe(NAME).configure(threshold=0.3)
    nlp.to_disk(tmp_path)

    def load(config):
        if way == "disk":
            return spacy.load(tmp_path, config=config).get_pipe(NAME)
        full = spacy.util.load_config(tmp_path / "config.cfg", overrides=config)
        loaded = spacy.util.load_model_from_config(full).from_bytes(nlp.to_bytes())
        return loaded.get_pipe(NAME)

    assert load({}).cfg["threshold"] == 0.3
    assert load({f"components.{NAME}.threshold": 0.9}).cfg["threshold"] == 0.9
    added = add_extractor(spacy.blank("xx"), "atlop", "cnn", threshold=0.8)
    assert added.from_disk(tmp_path / NAME, exclude=["vocab"]).cfg["threshold"] == 0.8


def test_an_override_is_saved_with_the_component(nlp, tmp_path):
    nlp.to_disk(tmp_path / "first")
    loaded = spacy.load(tmp_path / "first", config={f"components.{NAME}.max_labels": 2})
    loaded.to_disk(tmp_path / "second")
    assert spacy.load(tmp_path / "second").get_pipe(NAME).cfg["max_labels"] == 2


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"treshold": 0.3}, "D053.*'threshold'"),
        ({"threshold": 2}, "D020.*threshold.*in 0..1.*2"),
        ({"thresholds": {"bron": 0.5}}, "D049.*'bron'.*'born'"),
        ({"constraints": {"symmetric": ["bron"]}}, "D049.*'bron'.*'born'"),
        ({"max_pairs": 1, "threshold": 0.9}, "D020.*max_pairs.*at least 2"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(settings, words, nlp):
    extractor = nlp.get_pipe(NAME)
    before = dict(extractor.cfg)
    with pytest.raises(DocreError, match=f"(?s){words}"):
        extractor.configure(**settings)
    assert extractor.cfg == before


def test_every_setting_says_what_it_is_and_what_it_must_be():
    assert CONDITIONS.keys() == ExtractorSettings.model_fields.keys()
    assert all(field.description for field in ExtractorSettings.model_fields.values())


def test_adding_a_setting_is_one_edit(monkeypatch):
    """A field of the model is a parameter of the factory, and is checked."""
    larger = create_model(
        "Larger", __base__=ExtractorSettings, shade=(int, Field(default=3, description="A shade."))
    )
    monkeypatch.setattr(module, "ExtractorSettings", larger)
    monkeypatch.setitem(CONDITIONS, "shade", "a whole number")

    def factory(nlp, name, **settings):
        return settings

    assert "shade" in module.with_parameters(factory).parameters
    assert check_settings({"shade": 4}, name="rel") == {"shade": 4}
    with pytest.raises(DocreError, match=r"D020.*shade.*a whole number"):
        check_settings({"shade": "dark"}, name="rel")


def test_the_factory_has_the_settings_and_their_defaults():
    meta = spacy.Language.get_factory_meta(NAME)
    assert {name: meta.default_config[name] for name in DEFAULTS} == DEFAULTS
    parameters = inspect.signature(make_doc_relation_extractor).parameters
    assert set(parameters) == {"nlp", "name", "model", "scorer", *DEFAULTS}


def test_later_changes_win_over_those_written_to_the_config(nlp, tmp_path):
    change_settings(nlp, threshold=0.3)
    nlp.get_pipe(NAME).configure(threshold=0.2)
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path).get_pipe(NAME).cfg["threshold"] == 0.2
