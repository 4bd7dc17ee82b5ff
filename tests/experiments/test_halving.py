"""Successive halving, against what each rung must leave."""

import pytest

from spacy_docre.experiments.halving import successive_halving

CURVES = {"a": 0.1, "b": 0.5, "c": 0.4, "d": 0.3, "e": 0.2, "f": 0.0}


def run(curves, steps, **settings):
    calls = []

    def score(trial, until):
        calls.append((trial, until))
        return curves[trial] * until / steps

    return successive_halving(list(curves), score, steps=steps, **settings), calls


def test_the_worse_half_stops_at_each_rung():
    found, calls = run(CURVES, 100)
    assert {trial: until for trial, (until, _) in found.items()} == {
        "a": 25, "b": 100, "c": 100, "d": 50, "e": 25, "f": 25
    }  # fmt: skip
    assert found["b"] == (100, 0.5)
    assert list(found) == list(CURVES)
    assert len(calls) == 6 + 3 + 2


def test_trials_that_are_as_good_as_the_last_one_go_on_too():
    found, _ = run(dict.fromkeys("abcd", 0.0), 10)
    assert {until for until, _ in found.values()} == {10}


@pytest.mark.parametrize("n", [1, 2, 5])
def test_at_least_one_is_trained_to_the_end(n):
    found, _ = run({trial: trial / 10 for trial in range(n)}, 7)
    assert found[n - 1][0] == 7


def test_without_rungs_all_are():
    found, calls = run(CURVES, 10, rungs=())
    assert {until for until, _ in found.values()} == {10}
    assert len(calls) == len(CURVES)
