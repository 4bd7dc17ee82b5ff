"""Errors people can use: a few lines, no traceback, an exit code. Every way out of a command."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from spacy_docre import DocreError
from spacy_docre.cli import annotate, app
from spacy_docre.cli.endings import message_of
from spacy_docre.files.folders import checksum

from . import error_paths
from .error_paths import (
    COLOURS,
    CONFIG,
    CORPUS,
    ERROR_PATHS,
    HOSTILE,
    TRAIN,
    ErrorPath,
    in_process,
    limit_files,
    make_folder,
    meet,
    write,
)

MAX_LINES = 10
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200f\u202a-\u202e\u2066-\u2069]")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and needs /sys")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("errors")
    make_folder(path)
    return path


@pytest.mark.parametrize("path", ERROR_PATHS, ids=lambda path: path.name)
def test_an_error_is_a_few_lines(path, folder):
    outcome = meet(path, folder)
    text = COLOURS.sub("", outcome.output)
    assert outcome.code == path.code, text
    assert path.expected in " ".join(text.split())
    assert "Traceback" not in text
    assert "Exception ignored" not in text
    assert not CONTROLS.search(text)
    assert 0 < outcome.lines <= MAX_LINES, text


NAMES = [
    ErrorPath(
        "a corpus",
        (*TRAIN, "--paths.train", os.fsdecode(b"\xff.spacy")),
        r"`paths.train` must be valid Unicode, so that a config can hold it, but it is '\udcff",
    ),
    ErrorPath(
        "code",
        (*TRAIN, "--code", f"{HOSTILE}.py"),
        r"\x1b[2J\u202e.py",
        write(f"{HOSTILE}.py", "x"),
    ),
    ErrorPath(
        "a pipeline",
        ("train", str(CONFIG), "--output", HOSTILE, *CORPUS, "--training.max_steps", "1"),
        r"\x1b[2J\u202e/model-last",
        code=0,
    ),
]


@pytest.mark.parametrize("path", NAMES, ids=lambda path: path.name)
def test_names_in_training_are_shown_and_not_obeyed(path, folder):
    outcome = meet(path, folder)
    text = COLOURS.sub("", outcome.output)
    assert outcome.code == path.code, text
    assert path.expected in " ".join(text.split())
    assert not CONTROLS.search(text)


@pytest.mark.parametrize(
    ("arguments", "unbuffered"),
    [(("--help",), ""), (("--help",), "1"), (("debug-data", "c.spacy"), "")],
)
def test_a_full_disk_behind_the_output_is_told_on_the_other(arguments, unbuffered, folder):
    """What is buffered is written once more at the end of Python."""
    command = [sys.executable, "-m", "spacy_docre", *arguments]
    env = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "wb") as full:
        process = subprocess.run(command, cwd=folder, env=env, stdout=full, stderr=-1, check=False)
    assert process.returncode == 1
    assert process.stderr.startswith(b"[D141]")
    assert process.stderr.count(b"\n") == 1


@pytest.mark.parametrize("command", ["find-threshold", "calibrate"])
def test_a_full_disk_leaves_a_pipeline_whole(command, folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    arguments, before = [command, "model", "c.spacy", "--write"], checksum(tmp_path)
    outcome = in_process(lambda: limit_files() or app(arguments), tmp_path)
    assert "D141" in outcome.output
    assert checksum(tmp_path) == before
    assert in_process(lambda: app(arguments), tmp_path).code == 0
    assert checksum(tmp_path) != before


def test_debug_shows_the_traceback(folder):
    for command in (["--debug", "annotate", "no"], ["annotate", "no", "--debug"]):
        result = in_process(lambda c=command: app([*c, "a.txt", "out"]), folder)
        assert result.code == 1
        assert "Traceback (most recent call last)" in result.output
        assert "E050" in result.output


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(28, "No space left on device"), "D141"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "D141"),
        (PermissionError(13, "Permission denied", "a\x1b[2Jb"), r"D142.*'a\\x1b\[2Jb'"),
        (FileNotFoundError(2, "No such file", b"\xff"), r"D143.*'\\udcff'"),
        (MemoryError(), "D144"),
        (RuntimeError("CUDA out of memory. Tried to allocate 20 GiB"), "D144"),
        (OSError("[E050] Can't find model '\x1b[2J'."), r"^\[E050\] Can't find model '\\x1b\[2J'"),
        (DocreError("[D001] x"), r"^\[D001\] x$"),
        (KeyError("x\x07"), r"D146.*KeyError: 'x\\x07'"),
    ],
)
def test_each_kind_of_error_has_a_message(error, expected):
    assert re.search(expected, message_of(error))


def test_a_command_line_is_left_alone_by_the_handling_of_errors():
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert "--debug" in result.output


# Where the tests run in the background, or by nohup, their processes ignore these signals too.
LOADS_SLOWLY = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
import spacy
import spacy_docre.cli.annotate as command
def load(*args, **kwargs):
    print("loading", flush=True)
    time.sleep(60)
command.load_pipeline = load
command.setup_gpu = lambda *args, **kwargs: None
from spacy_docre.cli import annotate, app
app(["annotate", "model", "a.txt", "out"])
"""
SIGNALS = pytest.mark.parametrize(
    ("number", "code", "message"),
    [
        (signal.SIGINT, 130, "Interrupted"),
        (signal.SIGTERM, 143, "Ended by SIGTERM"),
        (signal.SIGHUP, 129, "Ended by SIGHUP"),
    ],
)


@SIGNALS
def test_signals_end_a_command(number, code, message, folder, monkeypatch):
    def load(*args, **kwargs):
        os.kill(os.getpid(), number)
        time.sleep(60)

    monkeypatch.setattr(annotate, "load_pipeline", load)
    monkeypatch.setattr(annotate, "setup_gpu", lambda *args, **kwargs: None)
    outcome = in_process(lambda: app(["annotate", "model", "a.txt", "out"]), folder)
    assert outcome.code == code
    assert message in outcome.output
    assert "Traceback" not in outcome.output
    assert 0 < outcome.lines <= MAX_LINES


@pytest.mark.slow
@SIGNALS
def test_signals_end_a_command_in_good_order(number, code, message, folder):
    command = [sys.executable, "-c", LOADS_SLOWLY]
    with subprocess.Popen(command, cwd=folder, stdout=-1, stderr=-1) as process:
        assert process.stdout.readline() == b"loading\n"
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == code
    assert message in stdout.decode()
    assert stderr == b""


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("annotate", "model", "a.txt", "out"), marks=pytest.mark.slow),
        ("debug-data", "c.spacy"),
    ],
)
def test_nobody_reads_the_output(arguments, folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "spacy_docre", *arguments]
    process = subprocess.run(
        command, cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert process.returncode == 141
    assert process.stderr == b""


@pytest.mark.slow
@pytest.mark.parametrize("number", range(3))
def test_a_closed_stream_is_no_file_of_somebody_else(number, folder, tmp_path):
    command = [sys.executable, "-m", "spacy_docre", "annotate", folder / "model"]
    command += [folder / "a.txt", tmp_path / "out"]
    shell = ["sh", "-c", f'exec "$@" {number}>&-', "sh", *map(str, command)]
    process = subprocess.run(shell, capture_output=True, check=False)
    assert process.returncode == 0
    assert "Traceback" not in process.stderr.decode()
    assert (tmp_path / "out" / "part-00000.jsonl").read_text().startswith('{"id"')


def test_the_table_in_the_documentation_has_all(folder):
    table = error_paths.CONFIG.parents[1] / "docs" / "data" / "error_paths.json"
    rows = json.loads(table.read_text())
    assert [row["wrong"] for row in rows] == [path.name for path in ERROR_PATHS]
    assert all(0 < row["lines"] <= MAX_LINES for row in rows)
