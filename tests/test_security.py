"""What is saved is data, and what is read of others does nothing."""

import io
import json
import pickle
import pickletools
import re
import zipfile
import zlib

import numpy as np
import pytest
import spacy
import srsly
import torch
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from typer.testing import CliRunner

from spacy_docre import DocreError, Relation
from spacy_docre.annotation.checkpoint import ERRORS, MANIFEST, Checkpoint, Progress
from spacy_docre.annotation.sinks import Format
from spacy_docre.cli import app
from spacy_docre.training import checkpoint
from spacy_docre.training.loop import train

from .configs import CONFIGS, save_births, small_config
from .methods import add_extractor
from .saved import NAME, PIPELINES, Payload, torch_file
from .util import birth_doc, make_doc

HOSTILE = {
    "born": "\x1b]0;owned\x07\x1b[2J../../etc/$(touch trace)",
    "died": "a|b`|*_{0.__class__}%s$x^2$</script>\N{RIGHT-TO-LEFT OVERRIDE}=cmd()\r\n# x",
}
TITLE = "../../\x1b[31mtrace\x9b2J'; touch trace #"
COLOURS = re.compile("\x1b\\[[0-9;]*m")


def find_pickles(data):
    """The pickles in some bytes: the bytes themselves, or a part of an archive, of msgpack or of
    compressed data."""
    if data[:2] == b"PK":
        archive = zipfile.ZipFile(io.BytesIO(data))
        return [p for name in archive.namelist() for p in find_pickles(archive.read(name))]
    if data.startswith(b"\x93NUMPY"):
        array = np.lib.format.read_array_header_1_0(io.BytesIO(data[8:]))
        return [data] if array[2].hasobject else []
    try:
        operations = list(pickletools.genops(data))
        if len(operations) > 2 and operations[-1][2] == len(data) - 1:
            return [data]
    except Exception:
        pass
    try:
        return find_pickles(zlib.decompress(data))
    except zlib.error:
        pass
    try:
        return _in_values(srsly.msgpack_loads(data))
    except Exception:
        return []


def _in_values(value):
    if isinstance(value, dict):
        return _in_values([*value, *value.values()])
    if isinstance(value, list):
        return [found for part in value for found in _in_values(part)]
    return find_pickles(value) if isinstance(value, bytes) else []


@pytest.mark.parametrize("pack", [bytes, zlib.compress, lambda b: srsly.msgpack_dumps([{"a": b}])])
@pytest.mark.parametrize("make", [pickle.dumps, lambda v: pickle.dumps(v, 0), torch_file])
def test_pickles_are_found(make, pack):
    assert find_pickles(pack(make({"w": [1, 2]})))


@pytest.mark.parametrize("encoder", PIPELINES)
def test_saved_pipelines_hold_no_pickle(encoder, saved):
    nlp, path = saved[encoder]
    files = [file for file in path.rglob("*") if file.is_file()]
    assert {"model", "cfg", "strings.json", "config.cfg"} <= {file.name for file in files}
    for file in files:
        assert not find_pickles(file.read_bytes()), file
    assert not find_pickles(nlp.to_bytes())


@pytest.mark.parametrize("encoder", PIPELINES)
def test_pipelines_are_loaded_without_pickle(encoder, saved, monkeypatch):
    nlp, path = saved[encoder]
    docs = [birth_doc(nlp.vocab, 1)]
    expected, data = nlp.get_pipe(NAME).predict(docs)[0].scores, nlp.to_bytes()

    def refuse(*args, **kwargs):
        raise AssertionError("a pickle is read")

    for module, name in (
        (pickle, "load"),
        (pickle, "loads"),
        (pickle, "Unpickler"),
        (torch, "load"),
        (torch, "save"),
    ):
        monkeypatch.setattr(module, name, refuse)
    loaded = spacy.load(path)
    for pipeline in (loaded, loaded.from_bytes(data)):
        scores = pipeline.get_pipe(NAME).predict(docs)[0].scores
        np.testing.assert_array_equal(scores, expected)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """The folder of a training run with a checkpoint, and what goes on with it."""
    path = tmp_path_factory.mktemp("run")
    births = save_births(path / "births.spacy", 4)
    config = next(file for file in CONFIGS if file.stem == "quickstart")
    config = small_config(config, births, None, max_steps=3, eval_frequency=1)
    calls = []

    def stop(_, args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt

    nlp = init_nlp(config.copy())
    original = nlp.update

    def update(*args, **kwargs):
        stop(nlp, args)
        return original(*args, **kwargs)

    nlp.update = update
    with pytest.raises(KeyboardInterrupt):
        train(nlp, path / "run", stdout=io.StringIO(), checkpoint_every=1)
    return config, path / "run"


def test_checkpoints_hold_no_pickle(run_folder):
    _, folder = run_folder
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert any(file.name == "optimizer.safetensors" for file in files)
    for file in files:
        assert not find_pickles(file.read_bytes()), file


@pytest.mark.parametrize("name", ["doc_relation_extractor", "optimizer.safetensors"])
def test_pickles_in_checkpoints_are_not_read(name, run_folder, tmp_path):
    config, folder = run_folder
    (newest,) = (folder / checkpoint.FOLDER).glob("step-*")
    good, trace = (newest / name).read_bytes(), tmp_path / "trace"
    try:
        for payload in (pickle.dumps(Payload(trace)), torch_file(Payload(trace)), good[:99], b""):
            (newest / name).write_bytes(payload)
            with pytest.raises(DocreError) as error:
                train(init_nlp(config.copy()), folder, resume=True, stdout=io.StringIO())
            assert "D091" in str(error.value)
            assert str(newest / name) in str(error.value)
    finally:
        (newest / name).write_bytes(good)
    assert not trace.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"history": {}},
        {"history": {"steps": "x", "evaluations": []}},
        {"history": {"steps": -1, "evaluations": []}},
        {"history": {"steps": 1, "evaluations": [{"a": 1}]}},
        {"history": []},
        {"history": {"steps": 1, "evaluations": 1, "digest": "x"}},
        {"history": {"steps": 1, "evaluations": [], "epochs": [], "losses": {"a": "b"}}},
        {"history": {"steps": 2, "evaluations": [], "epochs": []}},
        {"config": 5},
        {"random": {}},
        {"random": {"python": [3, [1], None], "numpy": 1, "torch": [], "cuda": []}},
        {"optimizer": 7},
    ],
)
def test_histories_are_checked(changes, run_folder):
    config, folder = run_folder
    (newest,) = (folder / checkpoint.FOLDER).glob("step-*")
    path = newest / checkpoint.HISTORY
    good = path.read_text()
    try:
        path.write_text(json.dumps({**json.loads(good), **changes}))
        with pytest.raises(DocreError, match=r"D09[01]"):
            train(init_nlp(config.copy()), folder, resume=True, stdout=io.StringIO())
    finally:
        path.write_text(good)


@pytest.mark.parametrize(
    "changes",
    [
        {"progress": {"parts": "1"}},
        {"progress": {"documents": -1}},
        {"progress": {"errors_bytes": 10**18}},
        {"progress": {"strange": 1}},
        {"command": [1]},
    ],
)
def test_manifests_are_checked(changes, tmp_path):
    with Checkpoint(tmp_path, {"model": "a"}) as made:
        made.commit([], [], Progress())
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    for part, values in changes.items():
        is_part = isinstance(values, dict)
        manifest[part] = {**manifest[part], **values} if is_part else values
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(DocreError, match=r"D038.*annotate\.json"):
        Checkpoint(tmp_path, {"model": "a"})
    assert (tmp_path / ERRORS).stat().st_size == 0


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A pipeline with labels and a corpus with titles that nobody would choose."""
    path = tmp_path_factory.mktemp("hostile")
    spacy.util.fix_random_seed(1)
    nlp = spacy.blank("xx")
    add_extractor(nlp, "atlop", "cnn", threshold=0.0)
    docs = []
    for n in range(4):
        old = birth_doc(nlp.vocab, n)
        clusters = [[(s.start, s.end) for s in group] for _, group in sorted(old.spans.items())]
        types = [
            HOSTILE["died"] if group[0].label_ == "GPE" else "P" for group in old.spans.values()
        ]
        doc = make_doc(nlp.vocab, [t.text for t in old], clusters, types=types, sent_starts=(0, 6))
        doc._.relations = [
            Relation(r["head"], HOSTILE[r["label"]], r["tail"]) for r in old._.relations
        ]
        doc.user_data["title"] = f"{TITLE}{n}"
        docs.append(doc)
    examples = [Example(doc.copy(), doc) for doc in docs]
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(20):
        nlp.update(examples, sgd=optimizer)
    (path / "in").mkdir()
    nlp.to_disk(path / "in" / "model")
    DocBin(docs=docs, store_user_data=True).to_disk(path / "in" / "dev.spacy")
    rows = [{"text": doc.text, "title": doc.user_data["title"]} for doc in docs]
    srsly.write_jsonl(path / "in" / "texts.jsonl", [{"id": f"{TITLE}", **row} for row in rows])
    return path


MODEL, DATA = "in/model", "in/dev.spacy"
COMMANDS = {
    "evaluate": ["evaluate", MODEL, DATA, "--output", "out/metrics.json"],
    "predict": ["predict", MODEL, DATA, "out/rows.jsonl"],
    "find-threshold": ["find-threshold", MODEL, DATA, "--per-label", "--min-gold", "1"],
    "calibrate": ["calibrate", MODEL, DATA],
    "debug-data": ["debug-data", DATA],
    "model-card": ["model-card", MODEL],
    "view": ["view", DATA, "--output", "out/page.html"],
    "jsonl": ["export", "jsonl", DATA, "out/x.jsonl"],
    "brat": ["export", "brat", DATA, "out/brat"],
    "dwie": ["export", "dwie", DATA, "out/dwie"],
    "pubtator": ["export", "pubtator", DATA, "out/x.pubtator"],
    "bioc": ["export", "bioc", DATA, "out/x.xml"],
    "inception": ["export", "inception", DATA, "out/inception"],
    "errors": ["errors", MODEL, DATA, "--html", "out/errors.html"],
    "edge-oriented": ["export", "edge-oriented", DATA, "out/x.data"],
    "annotate": ["annotate", MODEL, DATA, "out/annotated", "--keep-clusters"],
}


# Those that print labels or titles.
SHOWN = ("evaluate", "find-threshold", "debug-data")


@pytest.mark.parametrize("name", COMMANDS)
def test_hostile_names_do_nothing(name, hostile, monkeypatch):
    monkeypatch.chdir(hostile)
    (hostile / "out").mkdir(exist_ok=True)
    formats = [f"--format={f.value}" for f in Format] if name == "annotate" else []
    result = CliRunner().invoke(app, [*COMMANDS[name], *formats])
    # A format that cannot hold a name refuses it by an error of the package's own.
    assert result.exit_code == 0 or re.search(r"\[D\d{3}\]", result.output), result.output
    output = COLOURS.sub("", result.output)
    found = [c for c in output if not c.isprintable() and c not in "\n\t"]
    assert not found, output
    if name in SHOWN:
        assert "\\x1b" in output
    assert {path.name for path in hostile.iterdir()} == {"in", "out"}
    assert not [path for path in hostile.rglob("*") if path.name == "trace"]
    for page in (hostile / "out").glob("*.html"):
        # The page's own script is the only one; that of mistakes has none.
        n_scripts = page.read_text(encoding="utf8").lower().count("</script>")
        assert n_scripts == (page.name != "errors.html")


def test_errors_show_what_terminals_obey():
    doc = birth_doc(spacy.blank("xx").vocab, 0)
    doc.user_data["title"] = TITLE
    doc._.relations = [Relation("x", HOSTILE["born"], "y")]
    nlp = spacy.blank("xx")
    nlp.add_pipe(NAME)
    with pytest.raises(DocreError) as error:
        nlp.initialize(lambda: [Example(doc.copy(), doc)])
    assert all(c.isprintable() for c in str(error.value))
    assert "\\x1b" in str(error.value)
