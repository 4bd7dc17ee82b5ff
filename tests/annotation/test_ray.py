"""Ray's workers give what this process gives, whatever happens to them."""

import os
import pickle
from pathlib import Path

import pytest
import spacy

from spacy_docre import DocreError
from spacy_docre.annotation import Failure
from spacy_docre.annotation.checkpoint import Checkpoint
from spacy_docre.annotation.engine import describe_model
from spacy_docre.annotation.run import annotate_corpus
from spacy_docre.annotation.sinks import Format, SinkSettings, make_sinks
from spacy_docre.annotation.workers import PartSettings, Workers

from ..annotating import BREAK, HOSTILE_NAMES, make_pipeline, make_records, make_texts, read_folder
from ..ray_worker import KILL

ray = pytest.importorskip("ray", reason="needs the extra 'ray'")
pytest.importorskip("ray.data", reason="needs the extra 'ray'")

from spacy_docre.annotation.ray_cluster import connected  # noqa: E402
from spacy_docre.annotation.ray_engine import (  # noqa: E402
    COLUMN,
    _read_parts,
    _Worker,
    annotate_corpus_on_ray,
)

ROOT = Path(__file__).parents[2]
FORMATS = [Format.jsonl, Format.parquet, Format.spacy, Format.ntriples, Format.graphml]
PART_SIZE = 7
COMMAND = {"part_size": PART_SIZE}


class Stopped(BaseException):
    """Stands for a process that is no more."""


@pytest.fixture(scope="module")
def flag(tmp_path_factory):
    return tmp_path_factory.mktemp("flag") / "killed"


@pytest.fixture(scope="module")
def model(tmp_path_factory, flag):
    path = tmp_path_factory.mktemp("model")
    nlp = make_pipeline(breaking=True)
    nlp.add_pipe("kill_once", config={"flag": str(flag)}, last=True)
    nlp.to_disk(path)
    return path


@pytest.fixture(scope="module")
def settings(model):
    nlp = spacy.load(model)
    return PartSettings(str(model), describe_model(nlp), FORMATS, SinkSettings(), batch_size=3)


@pytest.fixture(scope="module")
def records():
    texts = [*make_texts(30), "", " ", *HOSTILE_NAMES, *make_texts(6, seed=1)]
    texts[24] = f"{texts[24]} {KILL}"
    for place in (3, 17, 18, 47):
        texts[place] = f"{BREAK} {place}"
    items: list = make_records(texts)
    items[9] = Failure("made", 10, "made:10", "unreadable", "raw")
    return items


@pytest.fixture(scope="module")
def undisturbed(settings, records, flag, tmp_path_factory):
    """What this process gives by itself."""
    pytest.importorskip("rdflib", reason="needs the extra 'export'")
    folder = tmp_path_factory.mktemp("undisturbed")
    flag.touch()
    annotate_here(settings, records, folder)
    return read_folder(folder)


@pytest.fixture(scope="module")
def cluster():
    """A small cluster whose workers find the tests, and do not give way to everything else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("RAY_worker_register_timeout_seconds", "600")
        patch.setenv("RAY_prestart_worker_first_driver", "0")
        ray.init(
            "local",
            num_cpus=3,
            include_dashboard=False,
            object_store_memory=200 * 1024**2,
            runtime_env={"worker_process_setup_hook": "tests.ray_worker.setup"},
        )
        yield
        ray.shutdown()


def annotate_here(settings, records, folder, observe=None):
    sinks = make_sinks(settings.formats, settings.sinks)
    with Checkpoint(folder, COMMAND) as checkpoint:
        annotate_corpus(
            spacy.load(settings.model),
            records,
            checkpoint,
            sinks,
            part_size=PART_SIZE,
            batch_size=settings.batch_size,
            observe=observe,
        )


def annotate_there(settings, records, folder, number, **options):
    with Checkpoint(folder, COMMAND) as checkpoint, connected("local", Workers(number)) as workers:
        return annotate_corpus_on_ray(
            lambda: iter(records), checkpoint, settings, workers, part_size=PART_SIZE, **options
        )


@pytest.mark.slow
def test_a_killed_worker_loses_and_repeats_nothing(
    cluster, settings, records, flag, undisturbed, tmp_path
):
    flag.unlink()
    tallies: list = []
    progress = annotate_there(settings, records, tmp_path, 3, observe=tallies.append)
    assert flag.exists(), "a worker was killed"
    assert read_folder(tmp_path) == undisturbed
    assert progress.complete
    assert sum(tally.documents for tally in tallies) == progress.documents == len(records) - 5
    assert sum(len(tally.failures) for tally in tallies) == progress.errors == 5
    assert progress.relations == sum(tally.relations for tally in tallies) > 0


@pytest.mark.slow
def test_ray_goes_on_with_what_this_process_began(
    cluster, settings, records, flag, undisturbed, tmp_path
):
    flag.touch()
    seen: list = []

    def stop_in_the_third_part(item):
        seen.append(item)
        if len(seen) == 2 * PART_SIZE + 3:
            raise Stopped

    with pytest.raises(Stopped):
        annotate_here(settings, records, tmp_path, observe=stop_in_the_third_part)
    with pytest.raises(DocreError, match=r"D037.*first 14 documents of the input were others"):
        annotate_there(settings, records[1:], tmp_path, 1)
    tallies: list = []
    annotate_there(settings, records, tmp_path, 1, observe=tallies.append)
    assert read_folder(tmp_path) == undisturbed
    done = sum(tally.documents + len(tally.failures) for tally in tallies)
    assert done == len(records) - 2 * PART_SIZE


@pytest.mark.slow
def test_fail_fast_and_a_pipeline_that_is_not_there(cluster, settings, records, flag, tmp_path):
    flag.touch()
    with pytest.raises(DocreError, match=r"D040.*made, document 4 \('made:4'\)"):
        annotate_there(settings, records, tmp_path, 1, fail_fast=True)
    assert read_folder(tmp_path) == {"errors.jsonl": b""}
    nowhere = PartSettings("/nowhere/model", settings.description, FORMATS, SinkSettings())
    with pytest.raises(DocreError, match=r"D073.*/nowhere/model"):
        annotate_there(nowhere, records, tmp_path, 1)


def test_a_worker_makes_the_files_of_a_part(settings, records, flag, undisturbed, tmp_path):
    flag.touch()
    parts = list(_read_parts(lambda: records, 0, PART_SIZE, str(tmp_path)))
    worker = _Worker(settings, Workers())
    done = [pickle.loads(worker(block)[COLUMN][0].as_py()) for block in parts]
    for number, part in enumerate(done):
        for suffix, content in part.files.items():
            assert content == undisturbed[f"part-{number:05}{suffix}"]
    assert sum(part.tally.documents for part in done) == len(records) - 5


def test_reading_goes_on_where_it_was(records, tmp_path):
    def read(n_done):
        blocks = _read_parts(lambda: records, n_done, PART_SIZE, str(tmp_path))
        return [pickle.loads(block[COLUMN][0].as_py()) for block in blocks]

    before = os.getcwd()
    parts = read(0)
    assert [record for part in parts for record in part.records] == records
    assert read(2 * PART_SIZE) == parts[2:]
    assert read(len(records)) == []
    assert os.getcwd() == before


def test_another_pipeline_is_refused(settings):
    other = PartSettings(settings.model, {"name": "en_x-1.0", "checksum": "0"}, [], SinkSettings())
    with pytest.raises(DocreError, match=r'D071.*name was "en_x-1.0" and is "xx_pipeline-0.0.0"'):
        _Worker(other, Workers())


@pytest.mark.parametrize(
    ("workers", "n_fitting"),
    [(Workers(), 8), (Workers(cores=3), 2), (Workers(gpus=1), 2), (Workers(cores=2, gpus=0.25), 4)],
)
def test_room_for_workers(workers, n_fitting):
    assert workers.fitting({"CPU": 8.0, "GPU": 2.0}) == n_fitting
    assert workers.fitting({}) == 0


def test_ray_client_is_refused():
    with (
        pytest.raises(DocreError, match=r"D072.*ray job submit"),
        connected("ray://head:10001", Workers()),
    ):
        pass
