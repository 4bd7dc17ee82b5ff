"""Half precision, on the CPU: the GPU's dtypes go the same way."""

import numpy as np
import pytest
import spacy
import torch
from thinc.api import ArgsKwargs, Optimizer
from torch import nn

from spacy_docre import DocreError
from spacy_docre.models.precision import PrecisionShim, set_precision
from spacy_docre.training.optimizer import create_adamw, drop_gradients

from ..methods import HEADS, READS_SECOND, add_extractor
from ..util import birth_doc, birth_examples, rest_slow

COMBINATIONS = [(head, "transformer") for head in HEADS]
COMBINATIONS += [("atlop", encoder) for encoder in ("cnn", "bilstm", "ssan")]
COMBINATIONS += [(head, "twin") for head in READS_SECOND]


def make(head, encoder, tiny_bert, n_examples=4):
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, head, encoder, tiny_bert)
    examples = birth_examples(nlp.vocab, n_examples)
    nlp.initialize(lambda: examples)
    return nlp, extractor, examples


def parameters(extractor):
    return [
        p
        for node in extractor.model.walk()
        for shim in node.shims
        for p in shim._model.parameters()
    ]


def gradient_of(extractor, examples):
    loss = extractor.update(examples)[extractor.name]
    found = [p.grad for p in parameters(extractor) if p.grad is not None]
    flat = torch.cat([grad.flatten() for grad in found])
    assert all(grad.dtype == torch.float32 for grad in found)
    drop_gradients(extractor.model)
    return loss, flat


@pytest.mark.parametrize(
    ("head", "encoder"), rest_slow(COMBINATIONS, lambda pair: pair[0] in ("atlop", "kmgre"))
)
def test_bfloat16_gives_nearly_the_same(head, encoder, tiny_bert):
    nlp, extractor, examples = make(head, encoder, tiny_bert)
    docs = [birth_doc(nlp.vocab, n) for n in range(3)]
    expected = extractor.predict(docs)
    loss, gradient = gradient_of(extractor, examples)
    set_precision(extractor.model, gpu="fp32", cpu="bf16")
    scores = extractor.predict(docs)
    for a, b in zip(scores, expected, strict=True):
        assert a.scores.dtype == np.float32
        np.testing.assert_allclose(a.scores, b.scores, atol=0.02)
    assert any((a.scores != b.scores).any() for a, b in zip(scores, expected, strict=True))
    extractor.set_annotations(docs, scores)
    half_loss, half_gradient = gradient_of(extractor, examples)
    assert half_loss == pytest.approx(loss, rel=0.01)
    assert torch.cosine_similarity(gradient, half_gradient, dim=0) > 0.999
    set_precision(extractor.model, gpu="fp32", cpu="fp32")
    for a, b in zip(extractor.predict(docs), expected, strict=True):
        np.testing.assert_array_equal(a.scores, b.scores)


def test_settings_of_the_config(tiny_bert):
    nlp, extractor, _ = make("atlop", "transformer", tiny_bert)
    saved, config = nlp.to_bytes(), nlp.config
    model = config["components"][extractor.name]["model"]
    # A pipeline from before these settings.
    assert (model.pop("gpu_precision"), model.pop("cpu_precision")) == ("fp32", "fp32")
    loaded = spacy.util.load_model_from_config(config).from_bytes(saved)
    docs = [birth_doc(nlp.vocab, n) for n in range(2)]
    expected = extractor.predict(docs)
    for a, b in zip(loaded.get_pipe(extractor.name).predict(docs), expected, strict=True):
        np.testing.assert_array_equal(a.scores, b.scores)
    model["cpu_precision"] = "bf16"
    loaded = spacy.util.load_model_from_config(config).from_bytes(saved)
    encoder, head = loaded.get_pipe(extractor.name).model.layers
    assert (encoder.shims[0].precision, head.shims[0].precision) == ("bf16", "bf16")


@pytest.mark.parametrize("encoder", ["transformer", "cnn"])
def test_int8_of_earlier_versions_is_fp32_with_a_warning(encoder, tiny_bert, tmp_path):
    nlp, extractor, examples = make("atlop", encoder, tiny_bert)
    nlp.config["components"][extractor.name]["model"]["cpu_precision"] = "int8"
    nlp.to_disk(tmp_path)
    assert 'cpu_precision = "int8"' in (tmp_path / "config.cfg").read_text("utf8")
    with pytest.warns(UserWarning, match="DW72.*compile MODEL OUT --precision int8") as caught:
        loaded = spacy.load(tmp_path)
    assert sum("DW72" in str(warning.message) for warning in caught) == 1
    docs = [birth_doc(nlp.vocab, n) for n in range(3)]
    scores = loaded.get_pipe(extractor.name).predict(docs)
    for a, b in zip(scores, extractor.predict(docs), strict=True):
        np.testing.assert_array_equal(a.scores, b.scores)
    loaded.get_pipe(extractor.name).update(examples, sgd=create_adamw(0.01))


def test_bad_settings_are_refused(tiny_bert):
    _, extractor, _ = make("atlop", "cnn", tiny_bert)
    with pytest.raises(DocreError, match="gpu_precision"):
        set_precision(extractor.model, gpu="int8", cpu="fp32")
    with pytest.raises(DocreError, match="cpu_precision"):
        set_precision(extractor.model, gpu="fp32", cpu="int8")


class FakeScaler:
    """Thinc's scaler without its demand for a GPU."""

    def __init__(self, scale):
        self.factor = scale
        self.found_inf = False
        self._enabled = True

    @property
    def _scale(self):
        return torch.tensor([self.factor])

    def scale(self, tensors):
        return [tensor * self.factor for tensor in tensors]

    def unscale(self, tensors):
        for tensor in tensors:
            tensor /= self.factor
        self.found_inf = not all(tensor.isfinite().all() for tensor in tensors)

    def update(self):
        self.factor /= 2


def make_scaled(scale):
    shim = PrecisionShim(nn.Linear(3, 2))
    shim.cpu_precision = "fp16"
    shim._grad_scaler = FakeScaler(scale)
    return shim


def test_accumulated_gradients_are_unscaled_once():
    shim = make_scaled(1024.0)
    x = torch.rand(4, 3, requires_grad=True)
    for _ in range(2):
        y, backprop = shim.begin_update(ArgsKwargs((x,), {}))
        backprop(ArgsKwargs(((y,),), {"grad_tensors": [torch.ones_like(y)], "leaves": [x]}))
    twice = 2 * x.detach().sum(dim=0).expand(2, 3)
    torch.testing.assert_close(shim._model.weight.grad, twice, rtol=0.01, atol=0.01)
    weight_sum = shim._model.weight.detach().sum(dim=0)
    torch.testing.assert_close(x.grad, 2 * weight_sum.expand(4, 3), rtol=0.01, atol=0.01)


def test_overflow_skips_the_step_of_all_parts(tiny_bert):
    _, extractor, examples = make("atlop", "transformer", tiny_bert)
    sgd: Optimizer = create_adamw(0.01)
    before = [p.detach().clone() for p in parameters(extractor)]
    extractor.update(examples)
    scaler = FakeScaler(1024.0)
    scaler.found_inf = True
    extractor.model.get_ref("head").shims[0]._grad_scaler = scaler
    extractor.finish_update(sgd)
    assert scaler.factor == 512.0
    for a, b in zip(parameters(extractor), before, strict=True):
        torch.testing.assert_close(a.detach(), b, rtol=0, atol=0)
        assert a.grad is None
    extractor.update(examples)
    scaler.factor, scaler.found_inf = 0.5, True
    with pytest.raises(DocreError, match=r"(?s)D100.*gradient"):
        extractor.finish_update(sgd)
