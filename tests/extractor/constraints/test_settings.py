from configparser import Error as ConfigParserError

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from thinc.api import Config

from spacy_docre import DocreError
from spacy_docre.extractor.constraints.settings import (
    DEFAULT_CONSTRAINTS,
    Names,
    check_settings,
    read_settings,
    switch_settings,
)


def test_nothing_is_constrained_unless_one_asks_for_it():
    for settings in (None, {}, DEFAULT_CONSTRAINTS):
        assert not read_settings(settings, name="rel").active


def test_a_mapping_is_the_same_as_rows():
    given_types = {"born": [["PER"], ["LOC"]], "spouse": [[], ["*"]]}
    rows = [["born", ["PER"], ["LOC"]], ["spouse", [], ["*"]]]
    expected = read_settings({"types": rows}, name="rel")
    assert read_settings({"types": given_types}, name="rel") == expected
    assert expected.given_types == [("born", ["PER"], ["LOC"]), ("spouse", [], ["*"])]
    inverse = read_settings({"inverse": {"has part": "part of"}}, name="rel")
    assert inverse == read_settings({"inverse": [["has part", "part of"]]}, name="rel")
    assert inverse.given_inverses == [("inverse", "has part", "part of")]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("types", "learnt"),
        ("types", ["born"]),
        ("types", {"born": "PER"}),
        ("types", {"born": ["PER", "LOC"]}),
        ("types", {"born": "PL"}),
        ("types", {"born": [["PER"]]}),
        ("types", {"born": [["PER"], ["LOC"], ["ORG"]]}),
        ("types", {"born": [["PER"], [1]]}),
        ("types", {"born": None}),
        ("types", {1: [["PER"], ["LOC"]]}),
        ("types", True),
        ("symmetric", "spouse"),
        ("symmetric", {"spouse": "spouse"}),
        ("symmetric", [["spouse"]]),
        ("inverse", ["has part", "part of"]),
        ("inverse", {"has part": ["part of", "piece of"]}),
        ("inverse", "has part"),
        ("min_count", 0),
        ("min_count", 1.5),
        ("min_share", 0),
        ("min_share", 1.1),
        ("min_share", "most"),
        ("in_training", "often"),
    ],
)
def test_malformed_value(setting, value):
    with pytest.raises(DocreError) as error:
        read_settings({setting: value}, name="rel")
    assert f"`constraints.{setting}` of the component 'rel'" in str(error.value)
    assert repr(value) in str(error.value)


def test_long_values_are_cut_in_messages():
    with pytest.raises(DocreError, match=r"D050.*\.\.\.") as error:
        read_settings({"symmetric": "x" * 10_000}, name="rel")
    assert len(str(error.value)) < 500


def test_unknown_setting_gets_a_suggestion():
    with pytest.raises(DocreError, match=r"(?s)'rel'.*Did you mean 'types'\?.*'min_share'"):
        read_settings({"type": "learned"}, name="rel")


@pytest.mark.parametrize("value", ["learned", ["types"], 3, True])
def test_constraints_must_be_a_section(value):
    with pytest.raises(DocreError, match="`constraints` of the component 'rel'"):
        read_settings(value, name="rel")


@given(st.dictionaries(st.text(min_size=1, max_size=6), st.just("x"), max_size=3))
@example({":": "x", " ": "x"})
def test_what_is_accepted_survives_a_config_file(inverse):
    config = Config({"constraints": {"inverse": inverse}})
    try:
        survives = Config().from_str(config.to_str()) == config
    except (ValueError, ConfigParserError):
        survives = False
    if survives:
        assert check_settings({"inverse": inverse}, name="rel")["inverse"] == inverse
    else:
        with pytest.raises(DocreError, match="Use the form of a list"):
            check_settings({"inverse": inverse}, name="rel")


@pytest.mark.parametrize("label", ["per:title", "a=b", "# born", "[x]", " born", "a\nb"])
def test_labels_that_config_files_lose_are_refused_as_keys_only(label):
    with pytest.raises(DocreError, match="Use the form of a list"):
        check_settings({"types": {label: [["PER"], ["*"]]}}, name="rel")
    with pytest.raises(DocreError, match="Use the form of a list"):
        check_settings({"inverse": {label: "x"}}, name="rel")
    settings = {"types": [[label, ["PER"], ["*"]]], "inverse": [[label, "x"]]}
    complete = check_settings(settings, name="rel")
    assert Config().from_str(Config({"constraints": complete}).to_str())["constraints"] == complete


def test_switching():
    settings = {"types": {"a": [["X"], []]}, "symmetric": ["b"], "min_count": 3}
    assert switch_settings(settings, ["types", "inverse"]) == {
        **DEFAULT_CONSTRAINTS,
        "types": {"a": [["X"], []]},
        "inverse": "learned",
        "min_count": 3,
    }
    assert switch_settings(None, []) == DEFAULT_CONSTRAINTS
    assert settings["symmetric"] == ["b"], "the settings themselves are left alone"


def test_unknown_name_is_told_with_what_is_known():
    known = Names("rel", "relation label", ["place of birth", "place of death", "{odd}"])
    assert known.index("{odd}", "types") == 2
    with pytest.raises(DocreError) as error:
        known.index("place of brith", "types")
    message = str(error.value)
    assert "`constraints.types` of the component 'rel'" in message
    assert "relation label 'place of brith'" in message
    assert "Did you mean 'place of birth' or 'place of death'?" in message
    assert "'{odd}'" in message
    many = Names("rel", "relation label", [f"label {i}" for i in range(100)])
    with pytest.raises(DocreError, match="'label 19' and 80 more"):
        many.index("zzz", "types")
    with pytest.raises(DocreError, match="Known: none"):
        Names("rel", "entity type", []).index("PER", "types")
