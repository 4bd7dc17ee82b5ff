"""Parts of the model that are not trained have no gradient, and change nothing else."""

import copy

import pytest
import spacy
import torch

from spacy_docre.errors import DocreError
from spacy_docre.training.optimizer import create_adamw

from ..methods import HEADS, NO_DROPOUT
from ..util import birth_examples, make_tiny_transformer

pytest.importorskip("spacy_transformers")

ENCODER = {"@architectures": "spacy-docre.MarkedTransformer.v1", "transformer_config": NO_DROPOUT}


def extractor_with(path, **settings):
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("xx")
    encoder = {**ENCODER, "name": str(path), **settings}
    model = {
        "@architectures": "spacy-docre.RelationModel.v1",
        "encoder": encoder,
        "head": HEADS["atlop"],
    }
    extractor = nlp.add_pipe("doc_relation_extractor", config={"model": model})
    examples = birth_examples(nlp.vocab, 2)
    nlp.initialize(lambda: examples)
    return extractor, examples


def parameters_of(extractor, part):
    return dict(extractor.model.get_ref(part).shims[0]._model.named_parameters())


@pytest.mark.parametrize(
    ("model_type", "frozen_layers", "frozen"),
    [
        ("bert", 0, ("embeddings.",)),
        ("bert", 1, ("embeddings.", "encoder.layer.0.")),
        ("mpnet", 1, ("embeddings.", "encoder.layer.0.", "encoder.relative_attention_bias.")),
        ("distilbert", 2, ("embeddings.", "transformer.layer.")),
        ("modernbert", 1, ("embeddings.", "layers.0.")),
    ],
)
def test_lower_layers_have_no_gradient_and_stay(model_type, frozen_layers, frozen, tmp_path):
    path = make_tiny_transformer(tmp_path / "encoder", model_type)
    plain, examples = extractor_with(path)
    expected = plain.update(examples)
    extractor, examples = extractor_with(path, frozen_layers=frozen_layers)
    assert extractor.update(examples) == pytest.approx(expected)
    parameters, before = parameters_of(extractor, "encoder"), parameters_of(plain, "encoder")
    started = {name: p.detach().clone() for name, p in parameters.items()}
    for name, parameter in parameters.items():
        if name.startswith(frozen):
            assert parameter.grad is None, name
        elif before[name].grad is not None:
            torch.testing.assert_close(parameter.grad, before[name].grad, msg=name)
    extractor.finish_update(create_adamw(1e-2))
    for name, parameter in parameters.items():
        is_same = torch.equal(parameter, started[name])
        assert is_same == (name.startswith(frozen) or before[name].grad is None), name


def test_more_layers_than_there_are(tiny_bert):
    for layers in (-1, 3):
        extractor, examples = extractor_with(tiny_bert, frozen_layers=layers)
        with pytest.raises(DocreError, match=r"frozen_layers.*in 0\.\.2"):
            extractor.update(examples)


def test_layers_that_share_their_weights(tmp_path):
    path = make_tiny_transformer(tmp_path / "encoder", "albert")
    extractor, examples = extractor_with(path, frozen_layers=1)
    with pytest.raises(DocreError, match=r"in 0\.\.0"):
        extractor.update(examples)


@pytest.mark.parametrize("part", ["encoder", "head"])
def test_a_part_with_a_rate_of_zero_has_no_gradient(part, tiny_bert):
    extractor, examples = extractor_with(tiny_bert)
    rates = {"encoder_rate": 1e-3, "head_rate": 1e-3, f"{part}_rate": 0.0}
    optimizer = create_adamw(**rates)
    # The optimizer comes after the gradients of the first step.
    extractor.update(examples, sgd=optimizer)
    before = copy.deepcopy({name: p.detach() for name, p in parameters_of(extractor, part).items()})
    extractor.update(examples)
    assert all(p.grad is None for p in parameters_of(extractor, part).values())
    other = "head" if part == "encoder" else "encoder"
    assert any(p.grad is not None for p in parameters_of(extractor, other).values())
    extractor.finish_update(optimizer)
    after = parameters_of(extractor, part)
    assert all(torch.equal(before[name], after[name]) for name in before)
