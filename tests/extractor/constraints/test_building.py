import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_docre import DocreError
from spacy_docre.extractor.constraints.building import build_constraints, warn_of_contradictions
from spacy_docre.extractor.constraints.observations import Observations

LABELS = ["a", "b", "c"]
TYPES = ["LOC", "ORG", "PER"]


def build(settings, observed=None, labels=LABELS, types=TYPES):
    return build_constraints(
        settings, labels=labels, entity_types=types, observed=observed, name="rel"
    )


def allowed_of(constraints, label):
    """The pairs of known types that a relation type takes."""
    table = constraints.allowed[LABELS.index(label)]
    return {
        (head, tail)
        for i, head in enumerate(TYPES, start=1)
        for j, tail in enumerate(TYPES, start=1)
        if table[i, j]
    }


EVERYTHING = {(head, tail) for head in TYPES for tail in TYPES}


def test_all_off_is_nothing():
    assert build(None) is None
    assert build({"types": None, "min_count": 2}) is None


def test_given_types_leave_other_labels_free():
    built = build({"types": {"a": [["PER", "ORG"], ["LOC"]], "b": [["*"], ["LOC"]]}})
    assert allowed_of(built, "a") == {("PER", "LOC"), ("ORG", "LOC")}
    assert allowed_of(built, "b") == {(head, "LOC") for head in TYPES}
    assert allowed_of(built, "c") == EVERYTHING
    assert (built.inverse == -1).all()


def test_empty_list_is_any_type():
    assert allowed_of(build({"types": {"a": [[], ["LOC"]]}}), "a") == {(t, "LOC") for t in TYPES}
    assert allowed_of(build({"types": {"a": [[], []]}}), "a") == EVERYTHING


def test_rows_of_one_label_add_up():
    rows = [["a", ["PER"], ["LOC"]], ["a", ["ORG"], ["PER"]]]
    assert allowed_of(build({"types": rows}), "a") == {("PER", "LOC"), ("ORG", "PER")}


def test_unknown_type_is_free_but_the_other_entity_is_not():
    table = build({"types": {"a": [["PER"], ["LOC"]]}}).allowed[0]
    assert table[0].tolist() == [True, True, False, False]
    assert table[:, 0].tolist() == [True, False, False, True]


def test_types_of_a_relation_hold_for_its_inverse():
    built = build({"types": {"a": [["PER"], ["LOC", "ORG"]]}, "inverse": {"a": "b"}})
    assert allowed_of(built, "b") == {("LOC", "PER"), ("ORG", "PER")}
    assert built.inverse.tolist() == [1, 0, -1]


def test_both_sides_may_be_given_if_they_agree():
    types = {"a": [["PER"], ["LOC"]], "b": [["LOC"], ["PER"]], "c": [["PER"], ["PER"]]}
    built = build({"types": types, "inverse": {"a": "b", "b": "a"}, "symmetric": ["c"]})
    assert allowed_of(built, "b") == {("LOC", "PER")}
    assert built.inverse.tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inverse": {"a": "b", "c": "b"}}, "the inverse of 'b' would be both 'a' and 'c'"),
        ({"inverse": {"a": "b", "b": "c"}}, "the inverse of 'b' would be both 'a' and 'c'"),
        ({"inverse": {"a": "b"}, "symmetric": ["b"]}, "'b' would be both 'b' and 'a'"),
        (
            {"inverse": {"a": "b"}, "types": {"a": [["PER"], []], "b": [["LOC"], []]}},
            "'a' and 'b' hold in opposite directions",
        ),
        ({"symmetric": ["a"], "types": {"a": [["PER"], ["LOC"]]}}, "'a' is symmetric, but"),
    ],
)
def test_contradictions(settings, message):
    with pytest.raises(DocreError, match="D051") as error:
        build(settings)
    assert message in str(error.value)
    assert "'rel'" in str(error.value)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"types": {"aa": [["PER"], ["LOC"]]}}, "relation label 'aa'"),
        ({"types": {"a": [["PRE"], ["LOC"]]}}, "entity type 'PRE'"),
        ({"types": {"a": [["*"], ["*", "PRE"]]}}, "entity type 'PRE'"),
        ({"symmetric": ["a", "aa"]}, "relation label 'aa'"),
        ({"inverse": {"a": "aa"}}, "relation label 'aa'"),
        ({"inverse": [["aa", "a"]]}, "relation label 'aa'"),
    ],
)
def test_unknown_names(settings, kind):
    with pytest.raises(DocreError, match="D049") as error:
        build(settings)
    assert kind in str(error.value)
    assert "Did you mean" in str(error.value)
    assert f"`constraints.{next(iter(settings))}`" in str(error.value)


@pytest.mark.parametrize("setting", ["types", "symmetric", "inverse"])
def test_learning_needs_counts(setting):
    with pytest.raises(DocreError, match="learn_constraints"):
        build({setting: "learned"})


def counts(types=(), opposites=()):
    return {"types": [list(row) for row in types], "opposites": [list(row) for row in opposites]}


def test_learned_types_take_what_was_seen_often_enough():
    observed = counts([("a", "PER", "LOC", 3), ("a", "PER", "ORG", 1), ("b", "LOC", "PER", 1)])
    built = build({"types": "learned"}, observed)
    assert allowed_of(built, "a") == {("PER", "LOC"), ("PER", "ORG")}
    assert allowed_of(built, "b") == {("LOC", "PER")}
    assert allowed_of(built, "c") == EVERYTHING, "of which nothing is known"
    built = build({"types": "learned", "min_count": 2}, observed)
    assert allowed_of(built, "a") == {("PER", "LOC")}
    assert allowed_of(built, "b") == EVERYTHING, "too little is known of it"


def test_learned_types_of_a_relation_are_those_of_its_inverse():
    observed = counts([("a", "PER", "LOC", 3), ("b", "ORG", "PER", 1)])
    built = build({"types": "learned", "inverse": {"a": "b"}, "symmetric": ["c"]}, observed)
    assert allowed_of(built, "a") == {("PER", "LOC"), ("PER", "ORG")}
    assert allowed_of(built, "b") == {("LOC", "PER"), ("ORG", "PER")}
    assert allowed_of(built, "c") == EVERYTHING


def test_counts_of_labels_and_types_that_the_model_lacks_are_passed_over():
    observed = counts([("a", "PER", "XXX", 3), ("zzz", "PER", "LOC", 1)], [("zzz", "zzz", 1)])
    built = build({"types": "learned", "symmetric": "learned"}, observed)
    assert built.allowed.all()
    assert (built.inverse == -1).all()


def test_symmetric_and_inverse_are_learned_from_their_share():
    n_relations = [("a", "PER", "PER", 10), ("b", "PER", "LOC", 9), ("c", "LOC", "PER", 10)]
    observed = counts(n_relations, [("a", "a", 9), ("b", "c", 9), ("c", "b", 9)])
    both = {"symmetric": "learned", "inverse": "learned"}
    assert build(both, observed).inverse.tolist() == [0, 2, 1]
    assert build({"symmetric": "learned"}, observed).inverse.tolist() == [0, -1, -1]
    assert build({"inverse": "learned"}, observed).inverse.tolist() == [-1, 2, 1]
    assert (build({**both, "min_share": 0.91}, observed).inverse == -1).all()
    assert build({**both, "min_count": 10}, observed).inverse.tolist() == [0, -1, -1]


def test_an_inverse_must_hold_from_both_sides():
    """Every mother has a child, but not every child's opposite is a mother."""
    observed = counts(
        [("a", "PER", "PER", 5), ("b", "PER", "PER", 12)], [("a", "b", 5), ("b", "a", 5)]
    )
    assert (build({"inverse": "learned"}, observed).inverse == -1).all()


def test_the_surest_is_learned_first_and_what_is_given_before_it():
    n_relations = [(label, "PER", "PER", 20) for label in LABELS]
    opposites = [("a", "b", 18), ("b", "a", 18), ("b", "c", 20), ("c", "b", 20), ("a", "a", 18)]
    observed = counts(n_relations, opposites)
    learned = {"symmetric": "learned", "inverse": "learned"}
    assert build(learned, observed).inverse.tolist() == [0, 2, 1]
    given_first = {"symmetric": "learned", "inverse": {"a": "b"}}
    assert build(given_first, observed).inverse.tolist() == [1, 0, -1]


ROWS = st.lists(
    st.tuples(
        st.sampled_from(LABELS),
        st.sampled_from(TYPES),
        st.sampled_from(TYPES),
        st.integers(1, 9),
    ),
    max_size=8,
    unique_by=lambda row: row[:3],
)


@given(ROWS, st.sampled_from([None, {"a": "b"}, {"a": "c", "b": "b"}]))
def test_what_is_built_is_the_same_in_both_directions(rows, inverse):
    built = build({"types": "learned", "inverse": inverse}, counts(rows))
    for label, other in enumerate(built.inverse):
        if other >= 0:
            assert built.inverse[other] == label
            np.testing.assert_array_equal(built.allowed[label], built.allowed[other].T)


def test_constraints_against_most_of_the_data_are_warned_of():
    observed = Observations.from_dict(
        counts(
            [("a", "PER", "LOC", 8), ("b", "PER", "PER", 5), ("c", "PER", "PER", 5)],
            [("b", "b", 1), ("b", "c", 3), ("c", "b", 3)],
        )
    )

    def check(settings):
        built = build(settings, observed.to_dict())
        warn_of_contradictions(built, observed, labels=LABELS, entity_types=TYPES, name="rel")

    with pytest.warns(UserWarning, match="types` of the component 'rel' contradicts 8 of the 8"):
        check({"types": {"a": [["LOC"], ["PER"]]}})
    with pytest.warns(UserWarning, match=r"constraints\.symmetric.*4 of the 5 relations 'b'"):
        check({"symmetric": ["b"]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check({"types": {"a": [["PER"], ["LOC"]]}, "inverse": {"b": "c"}})
        check({"types": "learned", "symmetric": "learned"})
