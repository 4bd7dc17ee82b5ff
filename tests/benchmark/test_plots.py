from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_docre.benchmark.plots import draw_growth, growth_figures, spread_labels

from .results import make_results

pytest.importorskip("matplotlib")


def test_every_method_is_a_line_with_its_name():
    ((dimension, step, figure),) = growth_figures(make_results().growth)
    assert (dimension, step) == ("entities", "inference")
    beside, total, memory = figure.axes
    for axes in (beside, total, memory):
        assert axes.get_xscale() == axes.get_yscale() == "log"
        assert [line.get_label() for line in axes.lines] == ["atlop", "kmgre"]
        assert sorted(text.get_text() for text in axes.texts) == ["atlop", "kmgre"]
    assert list(beside.lines[0].get_xdata()) == [10, 20, 50]
    assert list(beside.lines[0].get_ydata()) == pytest.approx([5, 20, 125])
    assert list(beside.lines[1].get_xdata()) == [10]
    assert list(memory.lines[0].get_ydata()) == [10, 20, 50]


def test_pictures_are_written(tmp_path):
    (picture,) = draw_growth(make_results().growth, tmp_path / "new")
    assert picture == tmp_path / "new" / "growth-entities-inference.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert draw_growth({"atlop": []}, tmp_path) == []


@given(st.lists(st.floats(0, 1), max_size=10))
def test_labels_do_not_overlap(heights):
    wanted = sorted(heights)
    spread = spread_labels(wanted, 0.05)
    assert len(spread) == len(wanted)
    assert all(high - low > 0.05 - 1e-9 for low, high in pairwise(spread))
    assert all(-1e-9 <= height <= 1 + 1e-9 for height in spread)


def test_labels_with_room_stay_where_they_are():
    assert spread_labels([0.1, 0.5, 0.9], 0.05) == [0.1, 0.5, 0.9]
    assert spread_labels([0.5, 0.5], 0.05) == pytest.approx([0.475, 0.525])
