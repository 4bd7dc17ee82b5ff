import pytest

from spacy_docre import DocreError
from spacy_docre.visual.charts import plot_reliability, plot_subsets

pytest.importorskip("matplotlib")


def metrics(f, with_intervals=False):
    subsets = {
        "single": {"f": f / 2, "gold": 3},
        "distance_0": {"f": f, "gold": 2},
        "kmgre_m2": {"f": 0.0, "gold": 0},
    }
    overall = {"rel_f": f, "rel_intra_f": f, "rel_inter_f": f / 4}
    scores = {**overall, "rel_subsets": subsets}
    if with_intervals:
        ends = {name: [value - 0.1, value + 0.05] for name, value in overall.items()}
        own = {name: [s["f"] - 0.1, s["f"] + 0.05] for name, s in subsets.items()}
        scores["intervals"] = {**ends, "rel_subsets": own}
    bins = [
        {"low": 0.0, "high": 0.1, "count": 10, "score": 0.05, "correct": 0.1},
        {"low": 0.9, "high": 1.0, "count": 5, "score": 0.95, "correct": 0.8},
    ]
    scores["calibration"] = {"relations": {"ece": 0.1, "brier": 0.2, "count": 15, "bins": bins}}
    return scores


def test_bars_are_the_f1_of_subsets_that_have_relations():
    figure = plot_subsets({"$a$": metrics(0.6), "b": metrics(0.4)})
    axes = figure.axes[0]
    ticks = [label.get_text() for label in axes.get_yticklabels()]
    assert len(ticks) == 5, "three overall, and two of the three subsets"
    assert "KMGRE M2: both > 1 mention" not in ticks
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == pytest.approx([60, 60, 15, 30, 60, 40, 40, 10, 20, 40])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["$a$", "b"]
    figure.canvas.draw()


def test_intervals_are_drawn_around_the_bars():
    axes = plot_subsets({"a": metrics(0.6, with_intervals=True)}).axes[0]
    (segments,) = (collection.get_segments() for collection in axes.collections)
    assert segments[0][:, 0].tolist() == pytest.approx([50, 65])


def test_reliability_is_that_of_the_bins():
    figure = plot_reliability({"a": metrics(0.5)})
    (axes,) = figure.axes
    diagonal, curve = axes.lines
    assert list(diagonal.get_xdata()) == [0, 1]
    assert list(curve.get_xdata()) == [0.05, 0.95]
    assert list(curve.get_ydata()) == [0.1, 0.8]
    assert "ECE 10.00 %" in axes.get_legend().get_texts()[0].get_text()


def test_pairs_have_a_panel_of_their_own():
    with_pairs = metrics(0.5)
    with_pairs["calibration"]["pairs"] = with_pairs["calibration"]["relations"]
    assert len(plot_reliability({"a": with_pairs, "b": metrics(0.5)}).axes) == 2


@pytest.mark.parametrize("plot", [plot_subsets, plot_reliability])
def test_what_was_not_measured_is_not_drawn(plot):
    with pytest.raises(DocreError, match="D089"):
        plot({"a": {"rel_f": 0.5}})
