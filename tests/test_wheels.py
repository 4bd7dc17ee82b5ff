"""The wheel of a pipeline that is in the repository is the one that its papers describe."""

import hashlib
import re
import runpy
from pathlib import Path

import pytest
import srsly

FOLDER = Path(__file__).parent.parent / "wheels"
# The sdist, from which `make test-wheel` takes the tests, has no wheels of pipelines.
WHEELS = sorted(FOLDER.glob("*.whl"))


@pytest.mark.parametrize("wheel", WHEELS, ids=lambda path: path.name)
def test_what_is_kept_is_what_was_described(wheel):
    made = srsly.read_json(FOLDER / f"{wheel.name.partition('-')[0]}.json")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert made["file"] == wheel.name
    assert made["sha256"] == digest
    assert made["bytes"] == wheel.stat().st_size <= 30_000_000
    assert (
        f"./wheels/{wheel.name} --hash=sha256:{digest}" in (FOLDER / "requirements.txt").read_text()
    )
    assert all(made[key] for key in ("command", "data", "revision"))


def test_a_wheel_is_kept(tmp_path):
    keep = runpy.run_path(str(FOLDER / "keep.py"))["keep"]
    wheel = tmp_path / "new" / "en_x-0.2.0-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.write_bytes(b"wheel")
    (tmp_path / "en_x-0.1.0-py3-none-any.whl").write_bytes(b"old")
    (tmp_path / "data.spacy").write_bytes(b"data")
    keep(wheel, tmp_path, "make it", 7, [tmp_path / "data.spacy"])
    assert [path.name for path in tmp_path.glob("*.whl")] == [wheel.name]
    made = srsly.read_json(tmp_path / "en_x.json")
    assert (made["bytes"], made["seed"], made["command"]) == (5, 7, "make it")
    assert made["data"] == {str(tmp_path / "data.spacy"): hashlib.sha256(b"data").hexdigest()}
    assert re.fullmatch(
        r"\./wheels/en_x-0\.2\.0-py3-none-any\.whl --hash=sha256:[0-9a-f]{64}\n",
        (tmp_path / "requirements.txt").read_text(),
    )


def test_a_wheel_that_is_too_large_is_not_kept(tmp_path):
    script = runpy.run_path(str(FOLDER / "keep.py"))
    wheel = tmp_path / "en_x-0.2.0-py3-none-any.whl"
    with wheel.open("wb") as file:
        file.truncate(script["LARGEST"] + 1)
    with pytest.raises(SystemExit, match="compress its pipeline"):
        script["keep"](wheel, tmp_path / "kept", "make it", 7, [])
