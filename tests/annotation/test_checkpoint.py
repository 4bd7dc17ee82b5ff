"""Killed at any moment and started again: nothing is lost, nothing is written twice."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import pytest
import srsly

from spacy_docre import DocreError
from spacy_docre.annotation import Annotation, Failure
from spacy_docre.annotation import checkpoint as checkpoint_module
from spacy_docre.annotation.checkpoint import Checkpoint
from spacy_docre.annotation.run import annotate_corpus
from spacy_docre.annotation.sinks import Format, SinkSettings, make_sinks

from ..annotating import BREAK, make_pipeline, make_records, make_texts, read_folder

FORMATS = [Format.jsonl, Format.ntriples, Format.docred, Format.graphml]
N_DOCS, PART_SIZE = 200, 20


class Killed(BaseException):
    """Stands for a process that is no more."""


@pytest.fixture(scope="module")
def nlp():
    return make_pipeline(breaking=True)


@pytest.fixture(scope="module")
def records():
    texts = make_texts(N_DOCS)
    for place in range(7, N_DOCS, 27):
        texts[place] = f"{BREAK} {place}"
    items: list = make_records(texts)
    items[50] = Failure("made", 51, "made:51", "unreadable", "raw")
    return items


def start(nlp, records, folder, *, part_size=PART_SIZE, formats=FORMATS, **settings):
    with Checkpoint(folder, {"part_size": part_size}) as checkpoint:
        sinks = make_sinks(formats, SinkSettings())
        return annotate_corpus(nlp, records, checkpoint, sinks, part_size=part_size, **settings)


@pytest.fixture(scope="module")
def undisturbed(nlp, records, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    start(nlp, records, folder)
    return folder


def jsonl_files(folder):
    return {n: b for n, b in read_folder(folder).items() if n.endswith(".jsonl")}


def jsonl_rows(folder):
    return [row for path in sorted(folder.glob("part-*.jsonl")) for row in srsly.read_jsonl(path)]


def test_undisturbed_run(undisturbed, records):
    progress = srsly.read_json(undisturbed / "annotate.json")["progress"]
    rows = jsonl_rows(undisturbed)
    errors = list(srsly.read_jsonl(undisturbed / "errors.jsonl"))
    ids = [record.id for record in records]
    assert sorted([row["id"] for row in [*rows, *errors]]) == sorted(ids)
    assert [row["id"] for row in rows] == [i for i in ids if i in {row["id"] for row in rows}]
    assert len(errors) == progress["errors"] == 9
    assert progress["documents"] == len(rows) == N_DOCS - 9
    assert progress["relations"] == sum(len(row["relations"]) for row in rows) > N_DOCS
    assert progress["complete"]
    assert progress["parts"] == 10
    assert len(list(undisturbed.glob("part-*.nt"))) == 10


def test_killed_processes_leave_nothing_undone(nlp, records, undisturbed, tmp_path):
    """Real SIGKILLs at random moments; the processes are forked so that they start at once."""
    seconds = srsly.read_json(undisturbed / "annotate.json")["progress"]["seconds"]
    rng = random.Random(5)
    fork = get_context("fork")
    kills = 0
    for _ in range(8):
        process = fork.Process(target=start, args=(nlp, records, tmp_path))
        process.start()
        process.join(rng.uniform(0.05, 0.3) * seconds)
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            kills += 1
    start(nlp, records, tmp_path)
    assert kills >= 2
    assert read_folder(tmp_path) == read_folder(undisturbed)
    assert not list(tmp_path.glob(".part-*"))


@pytest.mark.slow
def test_every_moment_of_writing_can_be_the_last(nlp, records, tmp_path, monkeypatch):
    """The process ends at each of the steps that reach the disk, one after the other."""
    few, settings = records[41:59], {"part_size": 6, "formats": [Format.jsonl, Format.ntriples]}
    start(nlp, few, tmp_path / "undisturbed", **settings)
    steps = {"left": 0}

    def counted(function):
        def step(*args, **kwargs):
            steps["left"] -= 1
            if steps["left"] < 0:
                raise Killed
            return function(*args, **kwargs)

        return step

    monkeypatch.setattr(checkpoint_module, "sync", counted(checkpoint_module.sync))
    monkeypatch.setattr(Path, "replace", counted(Path.replace))
    monkeypatch.setattr(Path, "unlink", counted(Path.unlink))
    expected = read_folder(tmp_path / "undisturbed")
    for n_steps in range(1, 100):
        folder = tmp_path / str(n_steps)
        steps["left"] = n_steps
        try:
            start(nlp, few, folder, **settings)
            break
        except Killed:
            pass
        steps["left"] = 10_000
        start(nlp, few, folder, **settings)
        assert read_folder(folder) == expected
    assert n_steps > 30, "each part has more than ten such steps"


def test_done_documents_do_not_meet_the_model_again(nlp, records, undisturbed, tmp_path):
    seen: list[str] = []

    def stop_in_the_third_part(item):
        seen.append(item.id if isinstance(item, Failure) else item.record.id)
        if len(seen) == 2 * PART_SIZE + 5:
            raise Killed

    with pytest.raises(Killed):
        start(nlp, records, tmp_path, observe=stop_in_the_third_part, formats=[Format.jsonl])
    again: list[str] = []
    start(
        nlp,
        records,
        tmp_path,
        formats=[Format.jsonl],
        observe=lambda i: again.append(i.record.id if isinstance(i, Annotation) else i.id),
    )
    assert again == [record.id for record in records[2 * PART_SIZE :]]
    assert jsonl_files(tmp_path) == jsonl_files(undisturbed)


def test_a_complete_run_is_left_alone(nlp, records, undisturbed):
    before = read_folder(undisturbed)
    start(nlp, records, undisturbed)
    assert read_folder(undisturbed) == before


def test_other_documents_are_refused(nlp, records, tmp_path):
    def stop(item):
        if item == records[50]:
            raise Killed

    with pytest.raises(Killed):
        start(nlp, records, tmp_path, observe=stop)
    before = read_folder(tmp_path)
    with pytest.raises(DocreError, match=r"D037.*first 40 documents of the input were others"):
        start(nlp, records[1:], tmp_path)
    with pytest.raises(DocreError, match="D037"):
        start(nlp, records[:10], tmp_path)
    assert read_folder(tmp_path) == before


def test_fail_fast_stops_and_can_go_on(nlp, records, undisturbed, tmp_path):
    with pytest.raises(DocreError, match=r"D040.*made, document 8 \('made:8'\).*broke"):
        start(nlp, records, tmp_path, fail_fast=True, formats=[Format.jsonl])
    assert jsonl_rows(tmp_path) == []
    start(nlp, records, tmp_path, formats=[Format.jsonl])
    assert jsonl_files(tmp_path) == jsonl_files(undisturbed)


def test_no_documents(nlp, tmp_path):
    progress = start(nlp, [], tmp_path)
    assert progress.complete
    assert read_folder(tmp_path) == {"errors.jsonl": b""}


def test_a_part_of_broken_documents_only(nlp, tmp_path):
    broken = make_records([BREAK] * 3)
    start(nlp, broken, tmp_path, part_size=2)
    assert srsly.read_json(tmp_path / "annotate.json")["progress"]["errors"] == 3
    assert json.loads((tmp_path / "part-00001.json").read_text()) == []


def test_another_command_is_refused(tmp_path):
    Checkpoint(tmp_path, {"formats": ["jsonl"], "limit": 0}).lock.close()
    with pytest.raises(DocreError, match=r"D037.*limit was 0 and is 5"):
        Checkpoint(tmp_path, {"formats": ["jsonl"], "limit": 5})


def test_overwrite_removes_the_former_results_only(nlp, records, tmp_path):
    start(nlp, records[:40], tmp_path)
    (tmp_path / "mine.txt").write_text("keep me")
    (tmp_path / "part-00000.html.txt").write_text("keep me")
    with Checkpoint(tmp_path, {"other": 1}, overwrite=True) as checkpoint:
        assert checkpoint.progress.records == 0
    kept = {"errors.jsonl": b"", "mine.txt": b"keep me", "part-00000.html.txt": b"keep me"}
    assert read_folder(tmp_path) == kept


def test_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "part-00000.jsonl").write_text("somebody's")
    for overwrite in (False, True):
        with pytest.raises(DocreError, match=r"D038.*it holds 'part-00000.jsonl'"):
            Checkpoint(tmp_path, {}, overwrite=overwrite)
    assert (tmp_path / "part-00000.jsonl").read_text() == "somebody's"


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"command": {}, "progress": {"x": 1}}'])
def test_broken_manifest_is_an_error(tmp_path, content):
    (tmp_path / "annotate.json").write_text(content)
    with pytest.raises(DocreError, match=r"D038.*annotate.json cannot be read"):
        Checkpoint(tmp_path, {})


def test_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(DocreError, match="D038"):
        Checkpoint(tmp_path / "out", {})


@pytest.mark.skipif(os.name == "nt", reason="Windows has other kinds of links")
@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize(
    "name", ["errors.jsonl", ".annotate.json", "annotate.json", ".annotate.lock", "entities.csv"]
)
def test_nothing_is_written_through_a_link(name, begun, tmp_path):
    """A folder of results may come from others."""
    results, outside = tmp_path / "results", tmp_path / "outside"
    if begun:
        Checkpoint(results, {}).lock.close()
    outside.write_text("precious")
    results.mkdir(exist_ok=True)
    (results / name).unlink(missing_ok=True)
    (results / name).symlink_to(outside)
    for overwrite in (False, True):
        with pytest.raises(DocreError, match=rf"D176.*results/{name}"):
            Checkpoint(results, {}, overwrite=overwrite)
    assert outside.read_text() == "precious"


def test_two_processes_do_not_share_a_folder(tmp_path):
    fork = get_context("fork")
    here, there = fork.Pipe()

    def hold():
        with Checkpoint(tmp_path, {}):
            there.send("locked")
            there.recv()

    process = fork.Process(target=hold)
    process.start()
    try:
        assert here.recv() == "locked"
        with pytest.raises(DocreError, match="D039"):
            Checkpoint(tmp_path, {})
    finally:
        process.kill()
        process.join()
    Checkpoint(tmp_path, {}).lock.close()


@pytest.mark.slow
def test_ten_thousand_documents_and_ten_kills(tmp_path):
    """The command itself, as a user starts it, killed at ten random moments of its work."""
    nlp = make_pipeline()
    nlp.to_disk(tmp_path / "model")
    rows = [{"id": str(n), "text": text} for n, text in enumerate(make_texts(10_000))]
    srsly.write_jsonl(tmp_path / "texts.jsonl", rows)

    def command(out):
        data = [tmp_path / "model", tmp_path / "texts.jsonl", tmp_path / out]
        options = ["-f", "jsonl", "-f", "docred", "--part-size", "250", "--batch-size", "128"]
        return [sys.executable, "-m", "spacy_docre", "annotate", *map(str, data), *options]

    subprocess.run(command("undisturbed"), check=True)
    seconds = srsly.read_json(tmp_path / "undisturbed" / "annotate.json")["progress"]["seconds"]
    manifest = tmp_path / "out" / "annotate.json"
    rng = random.Random(7)
    for _ in range(10):
        before = manifest.stat().st_mtime_ns if manifest.exists() else 0
        with subprocess.Popen(command("out"), stderr=subprocess.DEVNULL) as process:
            # Loading takes a while: the kill is to meet the work.
            while not manifest.exists() or manifest.stat().st_mtime_ns == before:
                assert process.poll() is None
                time.sleep(0.01)
            time.sleep(rng.uniform(0, seconds / 11))
            assert process.poll() is None, "the run ended before all kills"
            process.kill()
    subprocess.run(command("out"), check=True)
    expected = read_folder(tmp_path / "undisturbed")
    assert len(expected) == 2 * 40 + 1
    assert read_folder(tmp_path / "out") == expected
    assert [row["id"] for row in jsonl_rows(tmp_path / "out")] == [row["id"] for row in rows]
