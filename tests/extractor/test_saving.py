"""Model directories that somebody has cut, changed or made with bad intent."""

import contextlib
import inspect
import io
import json
import os
import pickle
import random
import shutil
import warnings
import zipfile
from functools import cache

import numpy as np
import pytest
import safetensors.torch
import spacy
import srsly
import thinc.layers
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from thinc.api import Model

from spacy_docre import DocreError
from spacy_docre.models.encoders.saved_tokenizer import is_name
from spacy_docre.models.loading import AXES
from spacy_docre.models.storage import read_weights

from ..saved import NAME, PIPELINES, Payload, torch_file
from ..util import birth_doc, rest_slow


def copied(saved, encoder, tmp_path):
    nlp, path = saved[encoder]
    shutil.copytree(path / NAME, tmp_path / "model" / NAME)
    return nlp, tmp_path / "model" / NAME


def load(nlp, folder):
    """The component of a new pipeline, from a folder."""
    loaded = spacy.util.load_model_from_config(nlp.config).get_pipe(NAME)
    loaded.from_disk(folder, exclude=["vocab"])
    return loaded


def edit_cfg(folder, **changes):
    cfg = srsly.read_json(folder / "cfg")
    srsly.write_json(folder / "cfg", {**cfg, **changes})


def edit_model(folder, change):
    message = srsly.msgpack_loads((folder / "model").read_bytes())
    message = change(message) or message
    (folder / "model").write_bytes(srsly.msgpack_dumps(message))


def edit_shim(folder, key, change):
    """Change an entry of the first PyTorch module that has it."""

    def in_message(message):
        for shims in message["shims"]:
            for i, data in enumerate(shims):
                shim = srsly.msgpack_loads(data)
                if key in shim:
                    shim[key] = change(shim[key])
                    shims[i] = srsly.msgpack_dumps(shim)
                    return
        raise AssertionError(key)

    edit_model(folder, in_message)


def edit_tensors(folder, change, key="weights"):
    def in_bytes(data):
        tensors = safetensors.torch.load(data)
        change(tensors)
        return safetensors.torch.save(tensors)

    edit_shim(folder, key, in_bytes)


def state(nlp):
    """All that the component is, and what it makes of a document."""
    extractor = nlp.get_pipe(NAME)
    scores = extractor.predict([birth_doc(nlp.vocab, 1)])[0].scores
    return extractor.to_bytes(exclude=["vocab"]), scores.tolist()


# Of the pipelines that the tests share: whatever is refused leaves them as they are.
original_state = cache(state)


def refuse(nlp, folder, name, *words):
    """Loading fails with the file's name, and the component stays what it was."""
    before = original_state(nlp)
    with pytest.raises(DocreError) as error:
        nlp.get_pipe(NAME).from_disk(folder, exclude=["vocab"])
    assert "D102" in str(error.value)
    assert str(folder / name) in str(error.value)
    for word in words:
        assert word in str(error.value)
    assert state(nlp) == before


def first(tensors):
    return next(name for name, tensor in sorted(tensors.items()) if tensor.dim() == 2)


def cut(tensors):
    tensors[first(tensors)] = tensors[first(tensors)][:-1].clone()


def add(tensors):
    tensors["stranger"] = torch.zeros(2)


def remove(tensors):
    del tensors[first(tensors)]


def to_integers(tensors):
    tensors[first(tensors)] = tensors[first(tensors)].long()


TENSORS = {cut: "has the shape", add: "'stranger'", remove: "missing", to_integers: "type"}


@pytest.mark.parametrize("change", TENSORS, ids=lambda change: change.__name__)
@pytest.mark.parametrize("encoder", rest_slow(PIPELINES, lambda encoder: encoder != "twin"))
def test_wrong_tensors(encoder, change, saved, tmp_path):
    nlp, folder = copied(saved, encoder, tmp_path)
    key = "state" if encoder == "transformer" else "weights"
    edit_tensors(folder, change, key)
    refuse(nlp, folder, "model", TENSORS[change])


def compressed(data):
    file = io.BytesIO()
    old = zipfile.ZipFile(io.BytesIO(data))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return file.getvalue()


DAMAGE = {
    "truncated": lambda data, _: data[: len(data) // 2],
    "bit in the header": lambda data, _: data[:12] + bytes([data[12] ^ 0x10]) + data[13:],
    "length of the header": lambda data, _: b"\xff" * 7 + b"\x7f" + data[8:],
    "no bytes": lambda data, _: 7,
    "pickle": lambda _, trace: pickle.dumps(Payload(trace)),
    "old pickle": lambda _, trace: pickle.dumps(Payload(trace), protocol=0),
    "torch.save": lambda _, trace: torch_file(Payload(trace)),
    "torch.save of a module": lambda _, trace: torch_file({"w": Payload(trace)}),
    "torch.save of a list": lambda *_: torch_file([torch.zeros(2)]),
    "compressed": lambda *_: compressed(torch_file({"w": torch.zeros(10**6)})),
    "archive": lambda *_: b"PK\x03\x04" + b"\0" * 50,
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("encoder", rest_slow(PIPELINES, lambda encoder: encoder != "twin"))
def test_damaged_weights(encoder, damage, saved, tmp_path):
    nlp, folder = copied(saved, encoder, tmp_path)
    trace = tmp_path / "trace"
    key = "state" if encoder == "transformer" else "weights"
    edit_shim(folder, key, lambda data: DAMAGE[damage](data, trace))
    refuse(nlp, folder, "model", "weights")
    assert not trace.exists()


FILES = {
    "empty": lambda *_: b"",
    "truncated": lambda data, _: data[: len(data) // 3],
    "pickle": lambda _, trace: pickle.dumps(Payload(trace)),
    "torch.save": lambda _, trace: torch_file(Payload(trace)),
    "nested": lambda *_: b"\x91" * 100_000,
    "huge list": lambda *_: b"\xdd\xff\xff\xff\xff",
    "text": lambda *_: b'{"nodes": []}',
    "number": lambda *_: srsly.msgpack_dumps(3),
    "list": lambda *_: srsly.msgpack_dumps([1, 2]),
    "no lists": lambda *_: srsly.msgpack_dumps(
        dict.fromkeys(("nodes", "attrs", "params", "shims"), 1)
    ),
    "no layers": lambda *_: srsly.msgpack_dumps(
        {key: [] for key in ("nodes", "attrs", "params", "shims")}
    ),
}


@pytest.mark.parametrize("damage", FILES)
def test_damaged_model(damage, saved, tmp_path):
    nlp, folder = copied(saved, "cnn", tmp_path)
    trace, model = tmp_path / "trace", folder / "model"
    model.write_bytes(FILES[damage](model.read_bytes(), trace))
    refuse(nlp, folder, "model")
    assert not trace.exists()


LOADERS = [lambda nlp, path: nlp.from_disk(path), lambda _, path: spacy.load(path)]


@pytest.mark.parametrize("loader", LOADERS, ids=["live", "new"])
def test_whole_pipelines(loader, saved, tmp_path):
    """The other tests load the component alone, which takes less time."""
    nlp, path = saved["cnn"]
    before = nlp.get_pipe(NAME).to_bytes()
    trace = tmp_path / "trace"
    for name in ("wrong shape", "extra tensor", "truncated", "pickle", "torch.save"):
        shutil.copytree(path, tmp_path / name)
        folder = tmp_path / name / NAME
        if name == "wrong shape":
            edit_tensors(folder, cut)
        elif name == "extra tensor":
            edit_tensors(folder, add)
        else:
            edit_shim(folder, "weights", lambda data, name=name: DAMAGE[name](data, trace))
        with pytest.raises(DocreError) as error:
            loader(nlp, tmp_path / name)
        assert str(folder / "model") in str(error.value)
        assert nlp.get_pipe(NAME).to_bytes() == before
    assert not trace.exists()


def set_in(part, name, value, key=None):
    """Change an entry of the first layer that has one of that name."""

    def change(message):
        for entry in message[part]:
            entries = entry if key is None else entry[key]
            if name in entries:
                entries[name] = value(entries[name]) if callable(value) else value
                return
        raise AssertionError(name)

    return change


LAYERS = {
    "another dimension": set_in("nodes", "nO", 3, "dims"),
    "huge dimension": set_in("nodes", "nT", 2**40, "dims"),
    "no dimension": set_in("nodes", "nO", "many", "dims"),
    "unknown dimension": lambda m: m["nodes"][0]["dims"].update(nX=1),
    "other reference": set_in("nodes", "encoder", 0, "refs"),
    "unknown reference": lambda m: m["nodes"][0]["refs"].update(tail=1),
    "no name": set_in("nodes", "name", 5),
    "no node": lambda m: m["nodes"].__setitem__(1, None),
    "attribute": set_in("attrs", "max_block_items", srsly.msgpack_dumps("many")),
    "attribute cut": set_in("attrs", "max_block_items", b"\xdd"),
    "attribute not bytes": set_in("attrs", "max_block_items", 5),
    "no attributes": lambda m: m["attrs"].__setitem__(0, [1]),
    "parameter cut": set_in("params", "E", lambda a: a[:-1]),
    "parameter flat": set_in("params", "E", lambda a: a.ravel()),
    "parameter of integers": set_in("params", "E", lambda a: a.astype("i4")),
    "parameter in 64 bits": set_in("params", "E", lambda a: a.astype("f8")),
    "parameter in 16 bits": set_in("params", "E", lambda a: a.astype("f2")),
    "parameter of complex numbers": set_in("params", "E", lambda a: a.astype("c8")),
    "parameter of texts": set_in("params", "E", lambda a: a.astype("U1")),
    "parameter of objects": set_in(
        "params",
        "E",
        {b"nd": True, b"type": "|O", b"kind": b"O", b"shape": [1], b"data": pickle.dumps([1.0])},
    ),
    "parameter in another byte order": set_in("params", "E", lambda a: a.astype(">f4")),
    "parameter transposed": set_in("params", "E", lambda a: a.T.copy()),
    "parameter transposed in its parts": set_in("params", "W", lambda a: a.transpose(2, 1, 0)),
    "parameter missing": set_in("params", "E", None),
    "parameter a list": set_in("params", "E", [1.0, 2.0]),
    "setting cut": lambda m: m["attrs"][0].update(x=b"\xdd\x00\x10\x00\x00"),
    "parameter unknown": lambda m: m["params"][0].update(W=np.zeros(2, dtype="f")),
    "no parameters": lambda m: m["params"].__setitem__(0, None),
    "module too many": lambda m: m["shims"][0].append(b""),
    "module cut": lambda m: next(s for s in m["shims"] if s).__setitem__(0, b"\x82\xa5"),
    "layer too many": lambda m: [m[part].append(m[part][0]) for part in m] and None,
}


@pytest.mark.parametrize("change", LAYERS)
def test_changed_layers(change, saved, tmp_path):
    nlp, folder = copied(saved, "cnn", tmp_path)
    edit_model(folder, LAYERS[change])
    refuse(nlp, folder, "model")


@pytest.mark.parametrize("name", ["E", "W", "G", "b"])
def test_axes_are_those_of_thinc_s_layers(name):
    """Of every layer that Thinc makes from two sizes, and of its embeddings."""
    made = [thinc.layers.Embed(nO=3, nV=7), thinc.layers.HashEmbed(nO=3, nV=7)]
    for make in vars(thinc.layers).values():
        if callable(make) and {"nO", "nI"} <= inspect.signature(make).parameters.keys():
            with contextlib.suppress(Exception):
                made.append(make(nO=3, nI=5))
    nodes = [node for model in made if isinstance(model, Model) for node in model.walk()]
    checked = set()
    for node in nodes:
        axes = AXES.get(node.name, {}).get(name)
        if axes is not None:
            node.initialize()
            assert node.get_param(name).shape == tuple(map(node.get_dim, axes)), node.name
            checked.add(node.name)
    with_name = {layer for layer, axes in AXES.items() if name in axes}
    assert with_name - checked <= {"layernorm", "static_vectors"}


@pytest.mark.parametrize("sizes", [{"width": 2**30}, {"width": -1}, {"width": "x"}, [1], {"x": 1}])
def test_sizes_take_no_memory(sizes, saved, tmp_path):
    nlp, folder = copied(saved, "cnn", tmp_path)

    def change(known):
        return {**known, **sizes} if isinstance(sizes, dict) else sizes

    edit_shim(folder, "sizes", change)
    refuse(nlp, folder, "model")


@pytest.mark.parametrize("beginning", [b"\x80", b"PK"])
def test_safetensors_may_begin_like_other_formats(beginning):
    # The size of the header, in eight bytes, is what comes first.
    size = int.from_bytes(beginning, "little")
    weights = {"w": torch.arange(3.0)}
    shortest = safetensors.torch.save(weights, metadata={"x": ""})
    missing = size - int.from_bytes(shortest[:8], "little")
    data = safetensors.torch.save(weights, metadata={"x": "a" * missing})
    assert data.startswith(beginning)
    assert torch.equal(read_weights(data)["w"], weights["w"])


CFG = {
    "labels": [
        [1, 2],
        ["born", "born"],
        ["born"],
        ["born", "died", "more"],
        "ab",
        None,
    ],
    "entity_types": [["GPE"], [None, 1], ["GPE", "GPE"], {"GPE": 1}],
    "prefix": [5, "", None],
    "attr": [["relations"]],
    "threshold": ["high", 1.5, -1, None, [0.5]],
    "thresholds": [{"born": 2}, ["born"], {"born": "x"}],
    "calibration": [{"temperature": 0, "bias": 0}, {"temperature": "x", "bias": 0}, {"bias": 1}, 3],
    "max_labels": [0, 1.5, "2", True],
    "max_pairs": [0, "all"],
    "max_batch_items": [0, None],
    "use_gold_clusters": ["yes", 1],
    "on_nonfinite": ["ignore", 1],
    "constraints": [[], "learned"],
    "configured_constraints": [None, 1],
    "configured": [None, [], "all"],
    "observed": [{"types": 1}, {"types": [["a", "b", "c", "d"]], "opposites": []}, []],
}


@pytest.mark.parametrize(("key", "value"), [(k, v) for k, values in CFG.items() for v in values])
def test_wrong_settings(key, value, saved, tmp_path):
    nlp, folder = copied(saved, "cnn", tmp_path)
    edit_cfg(folder, **{key: value})
    refuse(nlp, folder, "cfg")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "[" * 100_000, '{"labels": ["\\ud800"]}', '{"threshold": NaN}']
)
def test_damaged_settings(text, saved, tmp_path):
    nlp, folder = copied(saved, "cnn", tmp_path)
    (folder / "cfg").write_text(text)
    refuse(nlp, folder, "cfg")


def test_settings_that_do_not_fit_leave_the_component_as_it_was(saved, tmp_path):
    """Constraints are checked when model and settings are loaded, and then taken back."""
    nlp, folder = copied(saved, "cnn", tmp_path)
    constraints = {"types": None, "symmetric": ["married"], "inverse": None}
    edit_cfg(folder, constraints=constraints)
    edit_tensors(folder, lambda tensors: tensors.update({k: v + 1 for k, v in tensors.items()}))
    before = nlp.get_pipe(NAME).to_bytes()
    with pytest.raises(DocreError, match=r"D049.*married"):
        nlp.get_pipe(NAME).from_disk(folder, exclude=["vocab"])
    assert nlp.get_pipe(NAME).to_bytes() == before


def test_settings_of_a_newer_version_are_let_through(saved, tmp_path):
    nlp, folder = copied(saved, "cnn", tmp_path)
    edit_cfg(folder, of_next_year=[1, 2])
    loaded, docs = load(nlp, folder), [birth_doc(nlp.vocab, 1)]
    expected = nlp.get_pipe(NAME).predict(docs)[0].scores
    np.testing.assert_array_equal(loaded.predict(docs)[0].scores, expected)


@pytest.mark.parametrize("name", ["cfg", "model"])
@pytest.mark.parametrize("instead", ["nothing", "a folder", "a device", "a dangling link"])
def test_files_that_are_not_there(instead, name, saved, tmp_path):
    nlp, folder = copied(saved, "cnn", tmp_path)
    (folder / name).unlink()
    if instead == "a folder":
        (folder / name).mkdir()
    elif instead != "nothing":
        target = "/dev/zero" if instead == "a device" else tmp_path / "nowhere"
        (folder / name).symlink_to(target)
    refuse(nlp, folder, name, "no")


def test_links_to_files_are_followed(saved, tmp_path):
    """As in the cache of the Hugging Face hub."""
    nlp, folder = copied(saved, "cnn", tmp_path)
    (folder / "model").rename(tmp_path / "blob")
    (folder / "model").symlink_to(tmp_path / "blob")
    assert load(nlp, folder).labels == ("born", "died")


def test_empty_folder(saved, tmp_path):
    nlp, _ = saved["cnn"]
    before = nlp.get_pipe(NAME).to_bytes()
    with pytest.raises(DocreError, match=r"D102.*there is no such file"):
        nlp.get_pipe(NAME).from_disk(tmp_path)
    assert nlp.get_pipe(NAME).to_bytes() == before
    with pytest.raises((OSError, ValueError), match=str(tmp_path)):
        spacy.load(tmp_path)


@pytest.mark.parametrize("encoder", PIPELINES)
def test_weights_that_are_not_finite_are_told(encoder, saved, tmp_path):
    nlp, folder = copied(saved, encoder, tmp_path)

    def spoil(tensors):
        tensors[first(tensors)][0, 0] = float("nan")

    edit_tensors(folder, spoil, "state" if encoder == "transformer" else "weights")
    with pytest.warns(UserWarning, match=r"(?s)DW41") as caught:
        load(nlp, folder)
    assert any(str(folder / "model") in str(w.message) for w in caught)


def test_bytes(saved, tmp_path):
    nlp, _ = saved["cnn"]
    extractor = nlp.get_pipe(NAME)
    before, trace = extractor.to_bytes(), tmp_path / "trace"
    message = srsly.msgpack_loads(before)
    for wrong in (
        b"",
        pickle.dumps(Payload(trace)),
        srsly.msgpack_dumps([1]),
        srsly.msgpack_dumps({**message, "model": pickle.dumps(Payload(trace))}),
        srsly.msgpack_dumps({**message, "model": 5}),
        srsly.msgpack_dumps({**message, "cfg": b"{"}),
        srsly.msgpack_dumps({**message, "cfg": 5}),
    ):
        with pytest.raises(DocreError, match=f"D102.*'{NAME}'"):
            extractor.from_bytes(wrong)
        assert extractor.to_bytes() == before
    assert not trace.exists()


def refuse_tokenizer(saved, tmp_path, change, *words):
    nlp, folder = copied(saved, "transformer", tmp_path)
    edit_shim(folder, "tokenizer", lambda files: change(dict(files)))
    refuse(nlp, folder, "model", *words)


@pytest.mark.parametrize(
    "name", ["../trace", "{tmp}/trace", "..\\trace", "..", "", "a\0b", "sub/trace", "C:trace"]
)
def test_files_of_the_tokenizer_stay_in_their_folder(name, saved, tmp_path):
    name = name.format(tmp=tmp_path)
    refuse_tokenizer(saved, tmp_path, lambda files: {name: b"x", **files}, "tokenizer")
    assert not list(tmp_path.rglob("trace"))
    assert not is_name(name)


PROGRAM = "from pathlib import Path\nPath({trace!r}).touch()\nclass Own: pass\n"


@pytest.mark.parametrize("trusting", [False, True])
def test_programs_of_a_tokenizer_are_not_run(trusting, saved, tmp_path):
    trace = tmp_path / "trace"

    def change(files):
        settings = json.loads(files["tokenizer_config.json"])
        settings |= {
            "auto_map": {"AutoTokenizer": ["own.Own", "own.Own"]},
            "tokenizer_class": "Own",
        }
        files["tokenizer_config.json"] = json.dumps(settings).encode()
        files["own.py"] = PROGRAM.format(trace=str(trace)).encode()
        return {
            **files,
            "kwargs": {"use_fast": True, **({"trust_remote_code": True} if trusting else {})},
        }

    refuse_tokenizer(saved, tmp_path, change)
    assert not trace.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"auto_map": {"AutoConfig": "own.Own", "AutoModel": "own.Own"}, "model_type": "own"},
        {"_attn_implementation": "somebody/kernel"},
        {"num_hidden_layers": 10**9},
        {"hidden_size": 2**20},
        {"hidden_size": "x"},
        {"model_type": "no such model"},
        {"num_hidden_layers": 1},
    ],
)
def test_configurations_of_a_transformer(changes, saved, tmp_path):
    nlp, folder = copied(saved, "transformer", tmp_path)
    edit_shim(folder, "config", lambda config: {**config, **changes})
    refuse(nlp, folder, "model")


def test_weights_in_the_format_of_torch_are_still_read(saved, tmp_path):
    nlp, folder = copied(saved, "transformer", tmp_path)
    edit_shim(folder, "state", lambda data: torch_file(safetensors.torch.load(data)))
    loaded = load(nlp, folder)
    docs = [birth_doc(nlp.vocab, 1)]
    expected = nlp.get_pipe(NAME).predict(docs)[0].scores
    np.testing.assert_array_equal(loaded.predict(docs)[0].scores, expected)


def test_positions_may_be_missing_or_unknown(saved, tmp_path):
    """Versions of transformers save them or do not."""
    nlp, folder = copied(saved, "transformer", tmp_path)
    edit_tensors(
        folder, lambda t: t.update({"embeddings.position_ids": torch.arange(64)[None]}), "state"
    )
    assert load(nlp, folder).labels == ("born", "died")


def test_garbage_is_collected_after_an_error(saved, tmp_path):
    import gc

    nlp, folder = copied(saved, "cnn", tmp_path)
    (folder / "model").write_bytes(b"\xdd")
    with pytest.raises(DocreError, match="D102"):
        nlp.get_pipe(NAME).from_disk(folder)
    assert gc.isenabled()


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["cnn", "transformer"])
@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(seed=st.integers(0, 2**32), name=st.sampled_from(["cfg", "model"]))
def test_random_changes(encoder, saved, tmp_path, seed, name):
    """Any change is an error of the package's own, or loads."""
    rng = random.Random(seed)
    nlp, path = saved[encoder]
    component = nlp.get_pipe(NAME)
    before = component.to_bytes(exclude=["vocab"])
    data = bytearray((path / NAME / name).read_bytes())
    # Most of the file are weights; names and sizes stand at the beginning.
    for _ in range(rng.randrange(1, 4)):
        data[rng.randrange(min(len(data), rng.choice([300, 5000, len(data)])))] = rng.randrange(256)
    if rng.random() < 0.3:
        del data[rng.randrange(len(data)) :]
    folder = tmp_path / "random"
    folder.mkdir(exist_ok=True)
    for other in ("cfg", "model"):
        shutil.copy(path / NAME / other, folder / other)
    (folder / name).write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            component.from_disk(folder, exclude=["vocab"])
        except DocreError:
            assert component.to_bytes(exclude=["vocab"]) == before
        finally:
            component.from_bytes(before)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_named_pipe_does_not_block(saved, tmp_path):
    nlp, folder = copied(saved, "cnn", tmp_path)
    (folder / "model").unlink()
    os.mkfifo(folder / "model")
    refuse(nlp, folder, "model")
