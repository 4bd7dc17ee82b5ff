import signal
import time
from dataclasses import asdict
from functools import partial

import pytest
import spacy
import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_docre.benchmark import Budget, Point, Sizes, growth, measure_growth
from spacy_docre.benchmark.budget import OverBudgetError, limited
from spacy_docre.benchmark.growth import GrowthSettings, fit_exponent
from spacy_docre.benchmark.timing import read_status

from ..methods import add_extractor

CPU = torch.device("cpu")
BASE = Sizes(length=30, entities=3, mentions=1, labels=4)


@given(st.floats(-1, 4), st.floats(1e-6, 1e3))
def test_powers_are_found(exponent, factor):
    sizes = [10, 20, 50, 100, 200]
    fitted, n_points = fit_exponent(sizes, [factor * size**exponent for size in sizes])
    assert fitted == pytest.approx(exponent, abs=1e-6)
    assert n_points == 3


def test_the_upper_half_is_fitted_and_noise_left_out():
    sizes = [1, 2, 4, 8, 16, 32, 64, 128]
    values = [9, 9, 9, 9, 16**2, 32**2, 64**2, 128**2]
    assert fit_exponent(sizes, values) == (pytest.approx(2), 4)
    assert fit_exponent([1, 3, 10], [-1, 3, 10]) == (pytest.approx(1), 2)
    assert fit_exponent([1, 3, 10], [-1, 0, 10]) is None
    assert fit_exponent([], []) is None


def make_pipelines(transformer, made):
    nlp = spacy.blank("xx")
    made.append(add_extractor(nlp, "rsman", "transformer", transformer))
    return nlp


def test_every_size_is_measured(tiny_bert):
    made = []
    settings = GrowthSettings(
        {"entities": (2, 3), "length": (30, 100), "labels": (4, 5)},
        steps=["inference", "training"],
        base=BASE,
        n_docs=2,
        repeats=1,
        min_seconds=0,
    )
    points = list(measure_growth(partial(make_pipelines, tiny_bert, made), settings))
    assert [(p.dimension, p.size, p.step) for p in points] == [
        (dimension, size, step)
        for dimension, sizes in settings.dimensions.items()
        for size in sizes
        for step in settings.steps
    ]
    assert all(p.timing.docs == 2 and p.skipped is None for p in points)
    by_place = {(p.dimension, p.size, p.step): p.timing for p in points}
    assert by_place["entities", 3, "inference"] is by_place["length", 30, "inference"]
    assert by_place["entities", 3, "training"] is by_place["labels", 4, "training"]
    # Markers and special tokens are read too, and where windows overlap, wordpieces twice.
    assert by_place["entities", 2, "inference"].wordpieces == 2 * (30 + 2 * 2 + 2)
    assert by_place["length", 100, "inference"].wordpieces > 2 * (100 + 2 * 3 + 2)
    assert [len(extractor.labels) for extractor in made] == [4, 5]
    assert [Point.from_dict(asdict(point)) for point in points] == points


def test_what_takes_too_long_is_given_up_with_a_reason(tiny_bert, monkeypatch):
    # Where an exception from a signal is safe: in a callback from C++ it may end the process.
    monkeypatch.setattr(growth, "calibrate_on", lambda nlp, examples: time.sleep(60))
    settings = GrowthSettings(
        {"entities": (2, 3, 4)}, base=BASE, repeats=1, budget=Budget(seconds=0.01)
    )
    points = list(measure_growth(partial(make_pipelines, tiny_bert, []), settings))
    assert [point.timing for point in points] == [None] * 3
    assert [point.skipped for point in points] == [
        "takes more than 0.01 s",
        *["not tried: 2 takes more than 0.01 s"] * 2,
    ]


def test_time_is_limited():
    with (
        pytest.raises(OverBudgetError, match=r"more than 0\.01 s"),
        limited(Budget(seconds=0.01), CPU),
    ):
        time.sleep(60)


def test_no_signal_comes_after_the_block(monkeypatch):
    """One that came while the block ended left the timer on, which stopped whatever came next."""
    former = signal.getsignal(signal.SIGALRM)
    real = signal.setitimer

    def late(which, seconds, interval=0.0):
        if not seconds:
            monkeypatch.undo()
            signal.raise_signal(signal.SIGALRM)
        real(which, seconds, interval)

    with limited(Budget(seconds=60), CPU):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    monkeypatch.setattr(signal, "setitimer", late)
    with pytest.raises(OverBudgetError), limited(Budget(seconds=60), CPU):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) is former


@pytest.mark.skipif(read_status("VmData") is None, reason="only Linux limits a process's data")
def test_memory_is_limited():
    with (
        pytest.raises(OverBudgetError, match=r"more than 0\.25 GiB"),
        limited(Budget(gibibytes=0.25), CPU),
    ):
        torch.empty(2**30, dtype=torch.uint8)
    with limited(Budget(gibibytes=0.25), CPU):
        torch.empty(2**20, dtype=torch.uint8)
    torch.empty(2**30, dtype=torch.uint8)


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes"), limited(Budget(), CPU):
        torch.ones(2, 3) @ torch.ones(2, 3)
