"""Every head and encoder on a GPU gives what it gives on the CPU: `pytest tests/test_gpu.py --gpu`.
The first test tells a CuPy and a PyTorch that do not go together from anything else."""

import numpy as np
import pytest
import spacy
import torch
from thinc.api import torch2xp, xp2torch

from spacy_docre.models.precision import set_precision

from .methods import ENCODERS, HEADS, READS_SECOND, add_extractor
from .util import birth_doc, birth_examples

COMBINATIONS = [(head, "transformer") for head in HEADS]
COMBINATIONS += [("atlop", encoder) for encoder in ENCODERS if encoder != "transformer"]
COMBINATIONS += [(head, "twin") for head in READS_SECOND]

pytestmark = pytest.mark.gpu


@pytest.fixture
def on_gpu():
    """Switches to the GPU when it is called, and back to the CPU at the end."""
    yield spacy.require_gpu
    spacy.require_cpu()


@pytest.fixture
def make_pair(tiny_bert, on_gpu):
    """Makes the same pipeline on the CPU and on the GPU."""

    def make(head, encoder):
        nlp = spacy.blank("xx")
        add_extractor(nlp, head, encoder, tiny_bert)
        examples = birth_examples(nlp.vocab, 4)
        nlp.initialize(lambda: examples)
        docs = [birth_doc(nlp.vocab, n) for n in range(3)]
        scores = nlp.get_pipe("doc_relation_extractor").predict(docs)
        saved = nlp.to_bytes()
        optimizer = nlp.create_optimizer()
        losses = [train(nlp, examples, optimizer) for _ in range(3)]
        on_gpu()
        loaded = spacy.util.load_model_from_config(nlp.config).from_bytes(saved)
        return loaded, examples, docs, scores, losses

    return make


def train(nlp, examples, optimizer):
    return nlp.update(examples, sgd=optimizer)["doc_relation_extractor"]


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_arrays_go_from_cupy_to_torch_and_back(dtype, on_gpu):
    cupy = pytest.importorskip("cupy")
    on_gpu()
    array = cupy.arange(12, dtype=dtype).reshape(3, 4)
    tensor = xp2torch(array)
    assert tensor.device.type == "cuda"
    assert tensor.data_ptr() == array.data.ptr
    back = torch2xp(tensor * 2)
    assert isinstance(back, cupy.ndarray)
    cupy.testing.assert_array_equal(back, array * 2)


@pytest.mark.parametrize(("head", "encoder"), COMBINATIONS)
def test_scores_and_losses_are_those_of_the_cpu(head, encoder, make_pair):
    loaded, examples, docs, expected, losses = make_pair(head, encoder)
    extractor = loaded.get_pipe("doc_relation_extractor")
    for a, b in zip(extractor.predict(docs), expected, strict=True):
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-3)
    optimizer = loaded.create_optimizer()
    found = [train(loaded, examples, optimizer) for _ in losses]
    assert found == pytest.approx(losses, abs=1e-3)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("head", HEADS)
def test_half_precision_is_near(head, precision, make_pair):
    if precision == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        pytest.skip("this GPU has no bfloat16")
    loaded, examples, docs, expected, losses = make_pair(head, "transformer")
    extractor = loaded.get_pipe("doc_relation_extractor")
    set_precision(extractor.model, gpu=precision, cpu="fp32")
    for a, b in zip(extractor.predict(docs), expected, strict=True):
        np.testing.assert_allclose(a.scores, b.scores, atol=0.03)
    optimizer = loaded.create_optimizer()
    assert train(loaded, examples, optimizer) == pytest.approx(losses[0], rel=0.02)
    assert np.isfinite([train(loaded, examples, optimizer) for _ in range(3)]).all()


def test_pipeline_goes_back_to_the_cpu(make_pair):
    loaded, _, docs, expected, _ = make_pair("atlop", "transformer")
    saved = loaded.to_bytes()
    spacy.require_cpu()
    again = spacy.util.load_model_from_config(loaded.config).from_bytes(saved)
    for a, b in zip(again.get_pipe("doc_relation_extractor").predict(docs), expected, strict=True):
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-5)
