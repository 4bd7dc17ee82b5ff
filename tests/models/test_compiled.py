"""Compiled encoders against PyTorch: the same numbers, and nothing else of what is saved."""

import os
import pickle
import re
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest
import spacy
import srsly
import torch

from spacy_docre import DocreError
from spacy_docre.evaluation.compiling import compile_pipeline
from spacy_docre.models import compiled, compiling
from spacy_docre.models.batch import ClusterBatch
from spacy_docre.models.compiled import CompiledEncoder
from spacy_docre.models.compression import compress_model
from spacy_docre.models.openvino_graph import cut_shared, load_openvino, put_back
from spacy_docre.models.precision import set_precision
from spacy_docre.models.weights import FormatError
from spacy_docre.training.optimizer import create_adamw

from ..methods import ENCODERS, add_extractor
from ..saved import NAME
from ..util import (
    birth_doc,
    birth_examples,
    make_doc,
    make_tiny_transformer,
    random_examples,
    rest_slow,
)

pytest.importorskip("spacy_transformers")
# `importorskip` would import OpenVINO with its telemetry.
if load_openvino() is None:
    pytest.skip("compiled encoders need the extra `openvino`", allow_module_level=True)

ARCHITECTURES = [
    *("bert", "roberta", "electra", "distilbert", "albert"),
    *("mpnet", "deberta-v2", "modernbert"),
]


def make(transformer, encoder="transformer", **settings):
    nlp = spacy.blank("xx")
    known = ENCODERS[encoder]
    try:
        ENCODERS[encoder] = {**known, **settings}
        extractor = add_extractor(nlp, "atlop", encoder, transformer)
    finally:
        ENCODERS[encoder] = known
    examples = birth_examples(nlp.vocab, 4)
    nlp.initialize(lambda: examples)
    return nlp, extractor


def documents(vocab):
    """Long ones and short ones, some without an entity."""
    docs = [eg.reference for seed in range(3) for eg in random_examples(vocab, seed)]
    return [birth_doc(vocab, 1), make_doc(vocab, ["nothing"] * 3, []), *docs]


def shim_of(extractor):
    return extractor.model.get_ref("encoder").shims[0]


def encodings(extractor, docs):
    """Tokens, mentions and attention, of each document by itself and of all together."""
    encoder = extractor.model.get_ref("encoder")
    batches = [[doc] for doc in docs] + [docs]
    found = [encoder.predict((batch, ClusterBatch.from_docs(batch))) for batch in batches]
    return [tensor.numpy() for encoding in found for tensor in encoding.tensors]


def assert_same_encodings(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-4)
    assert any((a != b).any() for a, b in zip(found, expected, strict=True)), "it is PyTorch's"


def scores_of(extractor, docs):
    return np.concatenate([scores.scores.ravel() for scores in extractor.predict(docs)])


def assert_same(extractor, docs, expected, atol=1e-5):
    np.testing.assert_allclose(scores_of(extractor, docs), expected, rtol=0, atol=atol)


def reload(nlp):
    return spacy.util.load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())


@pytest.fixture
def pipeline(tiny_bert):
    """A pipeline, compiled, and its scores before."""
    nlp, extractor = make(tiny_bert)
    docs = documents(nlp.vocab)
    expected = scores_of(extractor, docs)
    compile_pipeline(nlp, "fp32")
    return nlp, extractor, docs, expected


@pytest.mark.parametrize(
    "architecture", rest_slow(ARCHITECTURES, lambda name: name in ("bert", "mpnet", "roberta"))
)
def test_the_same_numbers(architecture, tmp_path):
    nlp, extractor = make(make_tiny_transformer(tmp_path, architecture), window=20, stride=5)
    docs = documents(nlp.vocab)
    expected = encodings(extractor, docs)
    compile_pipeline(nlp, "fp32")
    assert_same_encodings(encodings(extractor, docs), expected)


@pytest.mark.parametrize(
    "settings", [{"bias": "biaffine"}, {"bias": "decomposed", "markers": True}]
)
def test_the_structure_of_entities(settings, tiny_bert):
    nlp, extractor = make(tiny_bert, "ssan", window=24, stride=6, **settings)
    for name, parameter in shim_of(extractor)._model.named_parameters():
        if ".bias." in name:
            # The biases start small or at zero.
            torch.nn.init.normal_(parameter, std=0.5)
    docs = documents(nlp.vocab)
    expected = encodings(extractor, docs)
    compile_pipeline(nlp, "fp32")
    assert_same_encodings(encodings(extractor, docs), expected)


def test_both_of_two_encoders(tiny_bert, monkeypatch):
    part = {**ENCODERS["transformer"], "name": str(tiny_bert)}
    twin = {**ENCODERS["twin"], "first": part, "second": {**part, "window": 24}}
    monkeypatch.setitem(ENCODERS, "twin", twin)
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, "kmgre", "twin")
    examples = birth_examples(nlp.vocab, 4)
    nlp.initialize(lambda: examples)
    docs = documents(nlp.vocab)
    expected = scores_of(extractor, docs)
    compile_pipeline(nlp, "fp32")
    encoders = extractor.model.get_ref("encoder").layers
    assert all(encoder.shims[0].compiled is not None for encoder in encoders)
    assert_same(extractor, docs, expected)
    assert_same(reload(nlp).get_pipe(NAME), docs, expected)


def test_saved_with_the_pipeline(pipeline, tmp_path):
    nlp, extractor, docs, expected = pipeline
    nlp.to_disk(tmp_path / "compiled")
    loaded = spacy.load(tmp_path / "compiled")
    assert shim_of(loaded.get_pipe(NAME)).compiled == shim_of(extractor).compiled
    assert_same(loaded.get_pipe(NAME), docs, scores_of(extractor, docs), atol=0)
    assert loaded.get_pipe(NAME).model.to_bytes() == extractor.model.to_bytes()
    assert_same(loaded.get_pipe(NAME), docs, expected)


def test_weights_are_saved_once(pipeline):
    _, extractor, _, _ = pipeline
    form, module = shim_of(extractor).compiled, shim_of(extractor)._model
    weights = module.state_dict()
    assert len(form.shared) == 13, "six matrices in each of two layers, and the positions"
    whole = put_back(form.constants, form.shared, weights)
    assert len(form.constants) < 0.1 * len(whole)
    assert cut_shared(form.graph, whole, weights) == (form.constants, form.shared)


def test_half_precision(tiny_bert):
    nlp, extractor = make(tiny_bert)
    docs = documents(nlp.vocab)
    expected = scores_of(extractor, docs)
    compile_pipeline(nlp, "bf16")
    assert_same(extractor, docs, expected, atol=0.01)
    set_precision(extractor.model, gpu="bf16", cpu="fp32")
    assert shim_of(extractor).compiled is not None


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["transformer", "ssan"])
def test_integers(encoder, tiny_bert):
    if compiling._load_nncf() is None:
        pytest.skip("8-bit integers need the extra `int8`")
    nlp, extractor = make(tiny_bert, encoder)
    docs = documents(nlp.vocab)
    expected = scores_of(extractor, docs)
    with pytest.raises(DocreError, match="D201"):
        compile_pipeline(nlp, "int8")
    compile_pipeline(nlp, "int8", birth_examples(nlp.vocab, 6))
    assert_same(extractor, docs, expected, atol=0.05)
    assert np.abs(scores_of(extractor, docs) - expected).max() > 1e-5
    graph = shim_of(extractor).compiled.graph
    assert graph.count(b'element_type="i8"') >= 12, "six matrices in each of two layers"
    assert_same(reload(nlp).get_pipe(NAME), docs, scores_of(extractor, docs), atol=0)


def test_training_drops_it(pipeline):
    nlp, extractor, docs, expected = pipeline
    shim = shim_of(extractor)
    extractor.update(birth_examples(nlp.vocab, 4))
    assert_same(extractor, docs, expected)
    assert shim.compiled is not None, "no weight has changed"
    extractor.finish_update(create_adamw(0.01))
    with pytest.warns(UserWarning, match="DW71"):
        found = scores_of(extractor, docs)
    assert shim.compiled is None
    assert np.abs(found - expected).max() > 1e-3
    assert "compiled" not in srsly.msgpack_loads(shim.to_bytes())
    assert_same(reload(nlp).get_pipe(NAME), docs, found)


def test_what_is_trained_is_not_saved_as_compiled(pipeline):
    nlp, extractor, docs, _ = pipeline
    nlp.update(birth_examples(nlp.vocab, 4), sgd=nlp.resume_training())
    with pytest.warns(UserWarning, match="DW71"):
        loaded = reload(nlp)
    assert shim_of(loaded.get_pipe(NAME)).compiled is None
    assert_same(loaded.get_pipe(NAME), docs, scores_of(extractor, docs))


def test_other_changes_drop_it(pipeline):
    nlp, extractor, docs, _ = pipeline
    before = shim_of(extractor).compiled
    with torch.no_grad():
        for parameter in shim_of(extractor)._model.parameters():
            parameter.mul_(1)
    assert shim_of(extractor).compiled is before, "the same numbers"
    compress_model(extractor.model, 8)
    with pytest.warns(UserWarning, match="DW71"):
        nlp.to_bytes()
    assert shim_of(extractor).compiled is None
    compile_pipeline(nlp, "fp32")
    assert_same(reload(nlp).get_pipe(NAME), docs, scores_of(extractor, docs))


def test_gradients_are_those_of_pytorch(tiny_bert):
    gradients = []
    for precision in (None, "bf16"):
        torch.manual_seed(0)
        nlp, extractor = make(tiny_bert)
        if precision is not None:
            compile_pipeline(nlp, precision)
        torch.manual_seed(0)
        extractor.update(birth_examples(nlp.vocab, 4))
        parameters = shim_of(extractor)._model.parameters()
        gradients.append([p.grad for p in parameters if p.grad is not None])
    torch.testing.assert_close(*gradients, rtol=0, atol=0)


def test_the_head_has_a_precision_of_its_own(pipeline):
    _, extractor, docs, expected = pipeline
    encoder = extractor.model.get_ref("encoder")
    batch = docs[:1], ClusterBatch.from_docs(docs[:1])
    states = encoder.predict(batch).tokens
    set_precision(extractor.model, gpu="fp32", cpu="bf16")
    torch.testing.assert_close(encoder.predict(batch).tokens, states, rtol=0, atol=0)
    assert_same(extractor, docs, expected, atol=0.02)
    assert (scores_of(extractor, docs) != expected).any()


def test_without_openvino(pipeline, monkeypatch):
    nlp, _, docs, expected = pipeline
    data = nlp.to_bytes()
    monkeypatch.setattr(compiled, "load_openvino", lambda: None)
    loaded = reload(nlp)
    with pytest.warns(UserWarning, match=r"(?s)DW70.*pip install"):
        assert_same(loaded.get_pipe(NAME), docs, expected, atol=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(loaded.get_pipe(NAME), docs, expected, atol=0)
    assert loaded.to_bytes() == data, "another machine may have it"


def test_graphs_that_openvino_refuses(pipeline):
    """What no check sees is no worse: PyTorch computes."""
    _, extractor, docs, expected = pipeline
    form = shim_of(extractor).compiled
    broken = form.graph.replace(b'transpose_b="true"', b'transpose_b="false"')
    assert broken != form.graph
    changed = CompiledEncoder(form.precision, broken, form.constants, form.shared, form.digest)
    shim_of(extractor).compiled = changed
    with pytest.warns(UserWarning, match="DW70"):
        assert_same(extractor, docs, expected, atol=0)


def test_copies_and_processes(pipeline):
    nlp, extractor, docs, expected = pipeline
    form = shim_of(extractor).compiled
    again = pickle.loads(pickle.dumps(form))
    assert again == form
    assert again._sessions == {}
    assert shim_of(extractor).copy().compiled == form
    texts = [doc.copy() for doc in docs]
    found = list(nlp.pipe(texts, n_process=2, batch_size=3))
    assert len(found) == len(docs)
    alone = list(nlp.pipe([doc.copy() for doc in docs]))
    for one, other in zip(found, alone, strict=True):
        scores = [[relation.score for relation in doc._.relations] for doc in (one, other)]
        np.testing.assert_allclose(*scores, atol=1e-5)
    assert_same(extractor, docs, expected)


def test_as_many_threads_as_pytorch(pipeline):
    _, extractor, docs, expected = pipeline
    form = shim_of(extractor).compiled
    assert [n_threads for n_threads, _ in form._sessions] == [1]
    torch.set_num_threads(2)
    try:
        assert_same(extractor, docs, expected)
    finally:
        torch.set_num_threads(1)
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    session = form._sessions[2, os.getpid()]
    assert session.get_property("INFERENCE_NUM_THREADS") == min(2, n_cores)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked on Unix only")
def test_signals_arrive_after_graphs_were_let_go(pipeline, tmp_path):
    """With the second they had a stack that had gone with the first."""
    from ..cli.error_paths import in_process

    _, extractor, _, _ = pipeline
    shim = shim_of(extractor)
    forms = [pickle.loads(pickle.dumps(shim.compiled)) for _ in range(2)]
    caught = []

    def let_go():
        assert all([form.can_run(shim._model) for form in forms])
        while forms:
            del forms[0]
        signal.signal(signal.SIGUSR1, lambda *_: caught.append(True))
        signal.raise_signal(signal.SIGUSR1)
        assert caught

    outcome = in_process(let_go, tmp_path)
    assert outcome.code == 0, outcome.output


def test_nothing_is_told_to_anybody():
    """By itself OpenVINO tells Google Analytics of each import."""
    program = (
        "import sys\n"
        "from spacy_docre.models.openvino_graph import load_openvino\n"
        "load_openvino().Core()\n"
        "from openvino.tools.ovc import telemetry_utils\n"
        "print(telemetry_utils.tm.__name__, 'openvino_telemetry' in sys.modules)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["openvino.tools.ovc.telemetry_stub", "False"]


def with_graph(change):
    return lambda message: {**message, "graph": change(message["graph"])}


def with_shared(*pairs):
    return lambda message: {**message, "shared": [*map(list, pairs)]}


EDGE = re.compile(rb'<edge from-layer="\d+" from-port="\d+"')
LAYER = b'<layer id="9999" name="x" type="%s" version="%s"><data /></layer></layers>'
HOSTILE = {
    "a loop": with_graph(lambda g: g.replace(b"</layers>", LAYER % (b"TensorIterator", b"opset1"))),
    "an extension": with_graph(lambda g: g.replace(b"</layers>", LAYER % (b"Add", b"extension"))),
    "a state": with_graph(lambda g: g.replace(b"</layers>", LAYER % (b"ReadValue", b"opset6"))),
    "a definition": with_graph(lambda g: b'<!DOCTYPE net [<!ENTITY a "b">]>' + g),
    "a definition in UTF-16": with_graph(
        lambda g: (
            (b'<?xml version="1.0"?><!DOCTYPE net [<!ENTITY a "b">]>' + g)
            .decode()
            .encode("utf-16-le")
        )
    ),
    "another file": with_graph(lambda g: b"/etc/passwd"),
    "an ONNX file": with_graph(lambda g: b"\x08\x07\x12\x07pytorch"),
    "half a graph": with_graph(lambda g: g[: len(g) // 2]),
    "remarks": with_graph(lambda g: g.replace(b"</net>", b"<rt_info /></net>")),
    "a constant elsewhere": with_graph(lambda g: g.replace(b'offset="0"', b'offset="99999999"')),
    "a constant before": with_graph(lambda g: g.replace(b'offset="0"', b'offset="-8"')),
    "a large constant": with_graph(
        lambda g: g.replace(b'shape="32, 32"', b'shape="32000000, 32"', 1)
    ),
    "an edge to nowhere": with_graph(lambda g: g.replace(b'to-layer="5"', b'to-layer="98765"', 1)),
    "a circle": with_graph(lambda g: g.replace(EDGE.findall(g)[0], EDGE.findall(g)[-1], 1)),
    "an input without an edge": with_graph(lambda g: re.sub(rb"<edge [^>]*>", b"", g, count=1)),
    "other inputs": with_graph(lambda g: g.replace(b'name="mask"', b'name="masks"')),
    "a layer twice": with_graph(lambda g: g.replace(b'<layer id="1"', b'<layer id="0"')),
    "no constants": lambda message: {**message, "constants": b""},
    "text for bytes": lambda message: {**message, "graph": "<net />"},
    "another precision": lambda message: {**message, "precision": "fp4"},
    "something else": lambda message: {**message, "library": "custom_ops.so"},
    "nothing": lambda message: {},
    "no message": lambda message: [1],
    "unknown weights": with_shared((0, "encoder.nothing")),
    "weights before": with_shared((-1, "embeddings.position_embeddings.weight")),
    "weights beyond": with_shared((10**9, "embeddings.position_embeddings.weight")),
    "no list": lambda message: {**message, "shared": {"a": 1}},
    "a wrong pair": with_shared(("0", "embeddings.position_embeddings.weight")),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_hostile_graphs_are_refused(change, hostile_source):
    _, extractor, docs, expected = hostile_source
    shim = shim_of(extractor)
    message = srsly.msgpack_loads(shim.to_bytes())
    message["compiled"] = change(message["compiled"])
    before = shim._model
    with pytest.raises(FormatError):
        shim.from_bytes(srsly.msgpack_dumps(message))
    assert shim._model is before
    assert_same(extractor, docs, expected)


@pytest.fixture(scope="module")
def hostile_source(tiny_bert):
    nlp, extractor = make(tiny_bert)
    docs = documents(nlp.vocab)
    compile_pipeline(nlp, "fp32")
    return nlp, extractor, docs, scores_of(extractor, docs)


def test_the_error_names_the_file(hostile_source, tmp_path):
    nlp, *_ = hostile_source
    nlp.to_disk(tmp_path)
    file = tmp_path / NAME / "model"
    data = file.read_bytes()
    assert data.count(b'type="MatMul"') > 10
    file.write_bytes(data.replace(b'type="MatMul"', b'type="MatMil"', 1))
    with pytest.raises(DocreError, match=r"(?s)D102.*'MatMil'") as error:
        spacy.load(tmp_path)
    assert str(file) in str(error.value)


def test_what_cannot_be_compiled_says_so(tiny_bert, monkeypatch):
    nlp, extractor = make(tiny_bert, "cnn")
    with pytest.raises(DocreError, match=r"D200.*none that is pretrained"):
        compile_pipeline(nlp, "fp32")
    nlp, extractor = make(tiny_bert)
    with monkeypatch.context() as patch:
        patch.setattr(compiling, "PADDING_MATTERS", ("bert",))
        with pytest.raises(DocreError, match=r"D200.*padding"):
            compile_pipeline(nlp, "fp32")
    with monkeypatch.context() as patch:
        patch.setattr(compiling, "TOLERANCE", 0.0)
        with pytest.raises(DocreError, match=r"D200.*its results change by"):
            compile_pipeline(nlp, "fp32")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert shim_of(extractor).compiled is None
        assert "compiled" not in srsly.msgpack_loads(shim_of(extractor).to_bytes())
