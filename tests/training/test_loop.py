"""Training that is killed and goes on, against training that is left alone."""

import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import spacy
from safetensors.numpy import load_file
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train

from spacy_docre import files
from spacy_docre.data.docs import bare_doc
from spacy_docre.errors import DocreError
from spacy_docre.extractor.component import DocRelationExtractor
from spacy_docre.training import checkpoint
from spacy_docre.training.loop import train

from ..configs import CONFIGS, save_births, small_config
from ..util import rest_slow

N_STEPS = 12
CONFIG = {path.stem: path for path in CONFIGS}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return save_births(tmp_path_factory.mktemp("corpus") / "births.spacy", 10)


def make_config(name, corpus, encoder, **settings):
    settings = {"max_steps": N_STEPS, "eval_frequency": 5, **settings}
    return small_config(CONFIG[name], corpus, encoder, **settings)


def in_child(function):
    """Whether a function comes to its end in a forked process: if not, that must be killed."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            function()
            status = 0
        finally:
            os._exit(status)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, -signal.SIGKILL), "it has ended by an error"
    return code == 0


def dies_at(patched, owner, name, call):
    """Patch a function so that its n-th call kills the process."""
    original = getattr(owner, name)
    calls = 0

    def function(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)

    patched.setattr(owner, name, function)


def run(config, output, **settings):
    train(init_nlp(config.copy()), output, stdout=io.StringIO(), **settings)


def weights(path):
    """All parameters of a pipeline, by component."""
    found = {}
    for name, pipe in spacy.load(path).pipeline:
        if hasattr(pipe, "model"):
            for number, node in enumerate(pipe.model.walk()):
                for parameter in node.param_names:
                    if node.has_param(parameter):
                        found[name, number, parameter] = node.get_param(parameter)
                for shim in node.shims:
                    for parameter, value in shim._model.state_dict().items():
                        found[name, number, parameter] = value.numpy()
    return found


def assert_same_weights(path, expected):
    left, right = weights(path), weights(expected)
    assert left.keys() == right.keys()
    for key, value in left.items():
        np.testing.assert_array_equal(value, right[key], err_msg=str(key))


# Twenty times with a transformer, with a convolution, and with a head that counts its steps; what
# the others have of their own is weights.
KILLS = dict.fromkeys(CONFIG, 6) | {"atlop": 20, "cnn": 20, "kmgre": 20}
# A call of each step. The parser's own classes cannot be patched.
STEP = {"recogniser": (Language, "update")}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "most"), sorted(KILLS.items()))
def test_killed_again_and_again(name, most, corpus, tiny_bert, tmp_path, monkeypatch):
    log = {"@loggers": "spacy.ConsoleLogger.v3", "output_file": str(tmp_path / "log.jsonl")}
    config = make_config(name, corpus, tiny_bert, logger={**log, "progress_bar": None})
    assert in_child(lambda: run(config, tmp_path / "whole"))
    whole_log = (tmp_path / "log.jsonl").read_text()
    rng = random.Random(name)
    step = STEP.get(name, (DocRelationExtractor, "finish_update"))
    kills = 0
    while kills < most:
        with monkeypatch.context() as patched:
            if rng.random() < 0.7:
                dies_at(patched, *step, rng.randrange(1, 4))
            else:
                dies_at(patched, files, "sync", rng.randrange(1, 9))
            if in_child(lambda: run(config, tmp_path / "cut", resume=True, checkpoint_every=2)):
                break
        kills += 1
    assert kills >= 4
    assert in_child(lambda: run(config, tmp_path / "cut", resume=True))
    assert_same_weights(tmp_path / "cut" / "model-last", tmp_path / "whole" / "model-last")
    assert_same_weights(tmp_path / "cut" / "model-best", tmp_path / "whole" / "model-best")
    assert (tmp_path / "log.jsonl").read_text() == whole_log


@pytest.mark.parametrize(
    "settings",
    [pytest.param({}, marks=pytest.mark.slow), {"accumulate_gradient": 2, "dropout": 0.3}],
)
def test_same_as_spacy(settings, corpus, tiny_bert, tmp_path):
    config = make_config("atlop", corpus, tiny_bert, **settings)
    run(config, tmp_path / "ours")
    (tmp_path / "spacy").mkdir()
    spacy_train(init_nlp(config.copy()), tmp_path / "spacy", stdout=io.StringIO())
    assert_same_weights(tmp_path / "ours" / "model-last", tmp_path / "spacy" / "model-last")


def interrupted(config, output, monkeypatch, call=4):
    with monkeypatch.context() as patched:
        dies_at(patched, DocRelationExtractor, "finish_update", call)
        assert not in_child(lambda: run(config, output, checkpoint_every=1))


@pytest.fixture(scope="module")
def config(corpus, tiny_bert):
    return make_config("atlop", corpus, tiny_bert)


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """The folder of a run that came to its end."""
    folder = tmp_path_factory.mktemp("whole")
    run(config, folder)
    return folder


@pytest.fixture(scope="module")
def cut(config, tmp_path_factory):
    """The folder of a run that was killed in its fourth step."""
    folder = tmp_path_factory.mktemp("cut")
    interrupted(config, folder, pytest.MonkeyPatch)
    return folder


def copy_of(folder, tmp_path):
    return Path(shutil.copytree(folder, tmp_path / "run"))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        pytest.param({"max_epochs": -1}, marks=pytest.mark.slow),
        pytest.param({"patience": 5}, marks=pytest.mark.slow),
    ],
)
def test_interrupted_once(settings, corpus, tiny_bert, tmp_path, monkeypatch):
    config = make_config("kmgre", corpus, tiny_bert, **settings)
    if "max_epochs" in settings:
        # The steps of a stream cannot be counted.
        config["training"]["optimizer"]["schedule"]["total_steps"] = N_STEPS
    interrupted(config, tmp_path / "cut", monkeypatch, call=5)
    run(config, tmp_path / "cut", resume=True)
    run(config, tmp_path / "whole")
    assert_same_weights(tmp_path / "cut" / "model-last", tmp_path / "whole" / "model-last")


@pytest.mark.slow
def test_random_numbers_of_the_components_do_not_change_the_order(
    corpus, tiny_bert, tmp_path, monkeypatch
):
    original = DocRelationExtractor.update

    def update(self, *args, **kwargs):
        random.random()
        return original(self, *args, **kwargs)

    monkeypatch.setattr(DocRelationExtractor, "update", update)
    config = make_config("atlop", corpus, tiny_bert)
    interrupted(config, tmp_path / "cut", monkeypatch, call=8)
    run(config, tmp_path / "cut", resume=True)
    run(config, tmp_path / "whole")
    assert_same_weights(tmp_path / "cut" / "model-last", tmp_path / "whole" / "model-last")


def test_a_run_that_stops_goes_on_as_if_it_had_not(config, whole, tmp_path):
    for until, steps in ((3, 3), (3, 3), (7, 7), (2, 7)):
        run(config, tmp_path / "parts", resume=True, until=until)
        history = checkpoint.read_history(tmp_path / "parts")
        assert (history.steps, history.finished) == (steps, False)
    run(config, tmp_path / "parts", resume=True)
    assert checkpoint.read_history(tmp_path / "parts").finished
    assert_same_weights(tmp_path / "parts" / "model-last", whole / "model-last")


def test_finished_run_is_left_alone(config, whole, tmp_path):
    folder = copy_of(whole, tmp_path)
    before = (folder / "model-last" / "meta.json").stat().st_mtime_ns
    stdout = io.StringIO()
    train(init_nlp(config.copy()), folder, resume=True, stdout=stdout)
    assert "Finished already" in stdout.getvalue()
    assert (folder / "model-last" / "meta.json").stat().st_mtime_ns == before


def test_without_resume_it_starts_anew(config, cut, tmp_path):
    stdout = io.StringIO()
    train(init_nlp(config.copy()), copy_of(cut, tmp_path), stdout=stdout)
    assert "Going on" not in stdout.getvalue()


def test_another_config_is_refused(config, cut, tmp_path):
    config = config.copy()
    config["training"]["dropout"] = 0.5
    with pytest.raises(DocreError, match=r"D090.*training\.dropout"):
        run(config, copy_of(cut, tmp_path), resume=True)


def test_another_corpus_is_refused(corpus, tiny_bert, tmp_path, monkeypatch):
    path = tmp_path / "births.spacy"
    path.write_bytes(Path(corpus).read_bytes())
    config = make_config("atlop", str(path), tiny_bert)
    interrupted(config, tmp_path / "run", monkeypatch)
    docs = list(DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab))
    DocBin(docs=docs[:2] * 5, store_user_data=True).to_disk(path)
    with pytest.raises(DocreError, match=r"D090.*corpora\.train\.path \(its content\)"):
        run(config, tmp_path / "run", resume=True)


@pytest.mark.slow
def test_other_texts_of_a_corpus_in_a_folder_are_refused(corpus, tiny_bert, tmp_path, monkeypatch):
    path = tmp_path / "corpus" / "births.spacy"
    path.parent.mkdir()
    path.write_bytes(Path(corpus).read_bytes())
    config = make_config("atlop", str(path.parent), tiny_bert)
    interrupted(config, tmp_path / "run", monkeypatch)
    docs = list(DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab))
    DocBin(docs=docs[:2] * 5, store_user_data=True).to_disk(path)
    with pytest.raises(DocreError, match=r"D090.*corpora\.train\.path \(its content\)"):
        run(config, tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    "change", rest_slow(["text", "relations", "clusters"], lambda change: change == "clusters")
)
def test_another_content_of_a_corpus_that_no_setting_names_is_refused(
    change, corpus, tiny_bert, tmp_path, monkeypatch
):
    docs = list(DocBin().from_disk(corpus).get_docs(spacy.blank("xx").vocab))
    config = make_config("atlop", corpus, tiny_bert)
    config["corpora"]["train"] = {"@readers": "from_memory"}

    @spacy.registry.readers("from_memory")
    def read():
        return lambda nlp: (Example(bare_doc(doc, nlp.vocab), doc) for doc in docs)

    interrupted(config, tmp_path, monkeypatch)
    if change == "text":
        docs[:] = docs[:2] * 5
    else:
        for doc in docs:
            if change == "relations":
                doc._.relations = doc._.relations[1:]
            else:
                doc.spans["entity_clusters_1"] = [doc.spans["entity_clusters_1"][0]]
    with pytest.raises(DocreError, match="D093"):
        run(config, tmp_path, resume=True)


def test_a_path_with_a_slash_more_is_the_same_path(corpus, tiny_bert, tmp_path, monkeypatch):
    config = make_config("atlop", corpus, f"{tiny_bert}/")
    interrupted(config, tmp_path, monkeypatch)
    run(make_config("atlop", corpus, str(tiny_bert)), tmp_path, resume=True)


def test_another_encoder_or_other_code_in_its_place_is_refused(
    corpus, tiny_bert, tmp_path, monkeypatch
):
    encoder = tmp_path / "bert"
    shutil.copytree(tiny_bert, encoder)
    code = tmp_path / "code.py"
    code.write_text("")
    config = make_config("atlop", corpus, str(encoder))
    output = tmp_path / "run"
    with monkeypatch.context() as patched:
        dies_at(patched, DocRelationExtractor, "finish_update", 4)
        assert not in_child(
            lambda: run(config, output, inputs={"--code": code}, checkpoint_every=1)
        )
    code.write_text("# another")
    (encoder / "vocab.txt").write_text((encoder / "vocab.txt").read_text() + "new\n")
    with pytest.raises(DocreError, match=r"D090.*--code \(its content\), components.*its content"):
        run(config, output, resume=True, inputs={"--code": code})


def test_two_trainings_do_not_share_a_folder(corpus, tiny_bert, tmp_path):
    code = (
        "import sys; from pathlib import Path; from spacy_docre.files.folders import locked;"
        "held = locked(Path(sys.argv[1]), '.train.lock'); print('locked', flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    config = make_config("atlop", corpus, tiny_bert)
    (tmp_path / "model-best").mkdir()
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == b"locked\n"
        with pytest.raises(DocreError, match="D039"):
            run(config, tmp_path)
        process.communicate(b"\n")
    assert (tmp_path / "model-best").exists(), "the other's results are left alone"


@pytest.mark.slow
def test_each_change_of_a_folder_can_be_the_last(corpus, tiny_bert, tmp_path, monkeypatch):
    """A run that is killed at any rename or removal has both models whole when it was resumed."""
    config = make_config("atlop", corpus, tiny_bert, max_steps=2, eval_frequency=1)
    run(config, tmp_path / "whole")

    def killed(call, output):
        for name in ("rename", "replace", "unlink"):
            dies_at(monkeypatch, Path, name, call)
        dies_at(monkeypatch, shutil, "rmtree", call)
        run(config, output)

    for call in range(1, 100):
        output = tmp_path / str(call)
        is_done = in_child(lambda call=call, output=output: killed(call, output))
        run(config, output, resume=True)
        for model in ("model-last", "model-best"):
            assert_same_weights(output / model, tmp_path / "whole" / model)
        if is_done:
            break
    assert call > 4


def test_finished_run_of_another_config_is_trained_anew(config, whole, tmp_path):
    config = config.copy()
    config["training"]["dropout"] = 0.5
    stdout = io.StringIO()
    train(init_nlp(config), copy_of(whole, tmp_path), resume=True, stdout=stdout)
    assert "Finished already" not in stdout.getvalue()


@pytest.mark.parametrize("damage", ["cut", "missing", "not json"])
def test_damaged_checkpoint(damage, config, cut, tmp_path):
    folder = copy_of(cut, tmp_path)
    (newest,) = (folder / "checkpoints").glob("step-*")
    path = newest / "optimizer.safetensors"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    elif damage == "missing":
        path.unlink()
    else:
        (newest / "history.json").write_text("[")
    with pytest.raises(DocreError, match="D091"):
        run(config, folder, resume=True)


@pytest.mark.parametrize("name", ["checkpoints", "model-last", "history.json"])
def test_a_folder_with_links_is_left_alone(name, config, cut, tmp_path):
    """What is removed and written in it would be elsewhere."""
    folder = copy_of(cut, tmp_path)
    path = next((folder / "checkpoints").glob(f"step-*/{name}"), folder / name)
    path.rename(tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")
    with pytest.raises(DocreError, match=f"D176.*{name}"):
        run(config, folder, resume=True)


def test_only_checkpoints_are_removed_beside_a_checkpoint(cut, tmp_path):
    folder = copy_of(cut, tmp_path)
    (folder / "checkpoints" / "notes.txt").write_text("mine")
    (folder / "checkpoints" / "step-00000001").mkdir()
    history = checkpoint.read_history(folder)
    checkpoint.Checkpoints(folder, {}, {}).finish(history)
    names = {path.name for path in (folder / "checkpoints").iterdir()}
    assert names == {"notes.txt", "step-00000003"}


def test_a_pipe_that_a_config_names_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    config = {"corpora": {"path": str(tmp_path / "pipe"), "other": "/dev/zero"}}
    found = checkpoint.Checkpoints(tmp_path, config, {}).config
    assert not any("content" in name for name in found)


@pytest.mark.parametrize("change", ["double", "cut", "of another kind", "count"])
def test_arrays_of_another_kind_in_an_optimizer_s_state(change, config, cut, tmp_path):
    folder = copy_of(cut, tmp_path)
    (newest,) = (folder / "checkpoints").glob("step-*")
    moments = load_file(newest / "optimizer.safetensors")
    name = max(moments)
    if change == "double":
        moments[name] = moments[name].astype("float64")
    elif change == "cut":
        moments[name] = moments[name][:-1]
    elif change == "of another kind":
        moments[f"schedules/{name.partition('/')[2]}"] = moments.pop(name)
    else:
        history = json.loads((newest / "history.json").read_text())
        history["optimizer"] |= dict.fromkeys(history["optimizer"], "1")
        (newest / "history.json").write_text(json.dumps(history))
    checkpoint.save_file(moments, newest / "optimizer.safetensors")
    with pytest.raises(DocreError, match=r"D091.*optimizer\.safetensors"):
        run(config, folder, resume=True)


def test_full_disk_leaves_the_last_checkpoint(config, whole, tmp_path, monkeypatch):
    original = checkpoint.save_file
    calls = 0

    def save_file(*args):
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError(28, "No space left on device")
        original(*args)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "save_file", save_file)
        with pytest.raises(OSError, match="No space left"):
            run(config, tmp_path / "cut", checkpoint_every=2)
    assert [p.name for p in (tmp_path / "cut" / "checkpoints").iterdir()] == ["step-00000004"]
    run(config, tmp_path / "cut", resume=True)
    assert_same_weights(tmp_path / "cut" / "model-last", whole / "model-last")


def test_checkpoint_holds_data_only(cut):
    (newest,) = (cut / "checkpoints").glob("step-*")
    assert {p.name for p in newest.iterdir()} == {
        "doc_relation_extractor",
        "optimizer.safetensors",
        "history.json",
    }
    assert json.loads((newest / "history.json").read_text())["history"]["steps"] == 3
    moments = load_file(newest / "optimizer.safetensors")
    assert any(name.startswith("mom1/doc_relation_extractor/") for name in moments)


def test_new_types_of_the_corpus_are_there_before_the_first_step(corpus, tiny_bert, tmp_path):
    docs = list(DocBin().from_disk(corpus).get_docs(spacy.blank("xx").vocab))
    nlp = init_nlp(make_config("atlop", corpus, tiny_bert))
    nlp.to_disk(tmp_path / "old")
    docs[-1].user_data[("._.", "relations", None, None)][0]["label"] = "buried"
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "new.spacy")
    config = make_config("atlop", str(tmp_path / "new.spacy"), tiny_bert)
    config["components"] = {"doc_relation_extractor": {"source": str(tmp_path / "old")}}
    with pytest.warns(UserWarning, match="DW66.*'buried'"):
        run(config, tmp_path / "run", until=3)
    # The checkpoint has as many outputs as the run that goes on from it.
    with pytest.warns(UserWarning, match="DW66.*'buried'"):
        run(config, tmp_path / "run", resume=True)
    trained = spacy.load(tmp_path / "run" / "model-last").get_pipe("doc_relation_extractor")
    assert trained.labels == ("born", "died", "buried")
