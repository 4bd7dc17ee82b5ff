"""The memory of a long stream: what is read, what is measured, and what is said of it."""

import pytest
import spacy
from typer.testing import CliRunner

from spacy_docre.benchmark.memory import (
    MEBIBYTE,
    MemorySeries,
    Reading,
    measure_memory,
    plot_memory,
    unlike_texts,
)
from spacy_docre.benchmark.timing import read_status
from spacy_docre.cli import app

from ..methods import add_extractor
from ..util import birth_examples

needs_linux = pytest.mark.skipif(read_status("VmRSS") is None, reason="only Linux tells")


@pytest.fixture(scope="module")
def nlp():
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    nlp.add_pipe("entity_clusters")
    add_extractor(nlp, "bilinear", "cnn", threshold=0.0)
    nlp.initialize(lambda: birth_examples(nlp.vocab, 2))
    ruler.add_patterns([{"label": "X", "pattern": name} for name in ("Ada", "Oslo")])
    return nlp


def series(*mebibytes):
    readings = [Reading(500 * (i + 1), m * MEBIBYTE, 7, 3, 1.0) for i, m in enumerate(mebibytes)]
    return MemorySeries({}, {}, readings)


def test_no_text_is_like_another():
    texts = list(unlike_texts(["A b.", "C d."], 5, 2))
    assert [text[:4] for text in texts] == ["A b.", "C d.", "A b.", "C d.", "A b."]
    words = [word for text in texts for word in text[5:].rstrip(".").split()]
    assert len(set(words)) == len(words) == 10
    assert list(unlike_texts(["A."], 2, 0)) == ["A. .", "A. ."]


def test_growth_is_that_after_the_warm_up():
    assert series(9, 100, 100, 100).growth() == pytest.approx(0, abs=1e-3)
    assert series(0, 100, 101, 102).growth() == pytest.approx(MEBIBYTE / 500)
    assert series(1, 2).growth() is None
    assert "too few" in series(1, 2).summary()
    summary = series(9, 100, 102, 101).summary()
    assert "100 MiB, at the end 101 MiB, between 100 and 102 MiB" in summary


@needs_linux
@pytest.mark.parametrize("memory_zone", [True, False])
def test_words_are_forgotten_in_memory_zones_alone(nlp, memory_zone):
    list(nlp.pipe(["Ada met Oslo. x."]))
    n_strings = len(nlp.vocab.strings)
    stream = unlike_texts(["Ada met Oslo."], 7, 3)
    readings = list(measure_memory(nlp, stream, every=3, memory_zone=memory_zone))
    assert [reading.docs for reading in readings] == [3, 6, 7]
    assert [reading.relations for reading in readings] == [12, 24, 28]
    assert all(reading.rss > MEBIBYTE for reading in readings)
    grown = readings[-1].strings - n_strings
    assert grown == 0 if memory_zone else grown >= 21


@needs_linux
def test_command(nlp, tmp_path):
    nlp.to_disk(tmp_path / "pipeline")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("Ada met Oslo.", encoding="utf8")
    places = {name: str(tmp_path / name) for name in ("pipeline", "texts", "m.json", "m.png")}
    arguments = ["benchmark-memory", places["pipeline"], places["texts"], "--n-docs", "6"]
    options = ["--every", "2", "--json", places["m.json"], "--plot", places["m.png"]]
    result = CliRunner().invoke(app, arguments + options)
    assert result.exit_code == 0, result.output
    assert "6 documents" in result.output
    assert spacy.util.srsly.read_json(places["m.json"])["readings"][-1]["relations"] == 24
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "none").mkdir()
    arguments[2] = str(tmp_path / "none")
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "D131" in result.output


def test_the_plot_has_every_reading():
    pytest.importorskip("matplotlib")
    (axes,) = plot_memory(series(5, 6, 7, 8)).axes
    line = axes.lines[0]
    assert list(line.get_xdata()) == [500, 1000, 1500, 2000]
    assert list(line.get_ydata()) == [5, 6, 7, 8]
