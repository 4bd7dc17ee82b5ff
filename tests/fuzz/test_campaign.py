"""The campaign itself: it finds what is planted, and says the same when asked again."""

import json
import os
from collections import Counter

import pytest

from . import campaign, units
from .campaign import run_campaign, run_unit
from .units import BATCH, Unit, make_input, read_input


@pytest.fixture
def planted(monkeypatch):
    """A fault that documents meet whose text holds a zero."""

    def run(given):
        if any("0" in word for plan in given.plans for word in plan.words):
            raise ZeroDivisionError("planted")
        return Counter({"fine": len(given.plans)})

    monkeypatch.setattr(units.Documents, "run", run)


def test_units_are_mixed_and_none_is_missing():
    found = units.units(100, 8)
    assert Counter(unit.kind for unit in found) == {"documents": -(-100 // BATCH), "file": 8}
    assert {unit.kind for unit in found[:4]} == {"documents", "file"}


def test_the_same_seed_gives_the_same_inputs():
    for unit in (Unit("documents", 3), Unit("file", 2), Unit("file", 7)):
        assert make_input(5, unit).to_dict() == make_input(5, unit).to_dict()
        assert make_input(5, unit).to_dict() != make_input(6, unit).to_dict()


def test_findings_are_made_small_kept_and_run_again(planted, tmp_path):
    results = {n: run_unit(0, Unit("documents", n), tmp_path) for n in range(30)}
    found = {n: finding for n, (_, finding) in results.items() if finding}
    assert 0 < len(found) < len(results)
    for number, finding in found.items():
        path = tmp_path / f"documents-{number}.json"
        assert f"seed 0, documents:{number}: ZeroDivisionError: planted ({path})" == finding
        assert "Traceback" in json.loads(path.read_text())["reason"]
        again = read_input(path)
        assert len(again.plans) == 1
        with pytest.raises(ZeroDivisionError):
            again.run()


def test_files_of_findings_are_the_same_bytes_again(tmp_path):
    given = make_input(0, Unit("file", 7))
    line = campaign.write_finding(tmp_path, 0, Unit("file", 7), given, "Error: why")
    assert line.startswith("seed 0, file:7: Error: why")
    assert read_input(tmp_path / "file-7.json") == given


class Deadly:
    """A unit's stand-in whose process ends without a word."""

    kind, number = "documents", 0

    def __str__(self):
        os._exit(3)


@pytest.mark.slow
def test_a_process_that_dies_is_a_finding_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(campaign, "write_finding", lambda *args: args[-1])
    files = [Unit("file", n) for n in (0, 2)]
    monkeypatch.setattr(campaign, "make_input", lambda *args: None)
    summary = run_campaign([files[0], Deadly(), files[1]], 0, tmp_path, n_workers=1)
    assert summary.findings == ["the process died with status 3"]
    assert summary.n_inputs["file"] >= 1
    assert set(summary.outcomes) == {"file"}
