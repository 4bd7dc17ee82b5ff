import pytest
import spacy
import torch
from thinc.api import Linear, registry

from spacy_docre.errors import DocreError
from spacy_docre.models.relation_model import relation_head
from spacy_docre.training.optimizer import (
    Gradients,
    create_adamw,
    gradients_of_parts,
    warmup_linear,
)

from ..methods import add_extractor
from ..util import birth_examples


def test_schedule_goes_up_then_down():
    rates = warmup_linear(1.0, 0.2, 10)
    assert [round(next(rates), 4) for _ in range(12)] == [
        0.0, 0.5, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0.0, 0.0,
    ]  # fmt: skip


def test_one_step_equals_pytorchs_adamw():
    nlp = spacy.blank("xx")
    extractor = nlp.add_pipe("doc_relation_extractor")
    examples = birth_examples(nlp.vocab, 2)
    nlp.initialize(lambda: examples)
    head = extractor.model.get_ref("head").shims[0].require_built()
    encoder = extractor.model.get_ref("encoder").shims[0].require_built()
    optimizer = create_adamw(0.01, head_factor=10.0, L2=0.01, max_norm=0.05, eps=1e-4)
    copies = {
        module: [p.detach().clone().requires_grad_() for p in module.parameters()]
        for module in (encoder, head)
    }
    expected = torch.optim.AdamW(
        [
            {"params": copies[encoder], "lr": 0.01},
            {"params": copies[head], "lr": 0.1},
        ],
        eps=1e-4,
        weight_decay=0.0,
    )
    for _ in range(3):
        extractor.update(examples)
        gradients = [p.grad for module in copies for p in module.parameters()]
        tok2vec = extractor.model.get_ref("encoder").get_ref("tok2vec")
        others = []
        for node in tok2vec.walk():
            others += [torch.from_numpy(node.get_grad(name)) for name in node.param_names]
            others += [p.grad for shim in node.shims for p in shim.require_built().parameters()]
        scale = min(1.0, 0.05 / float(torch.nn.utils.get_total_norm([*gradients, *others])))
        assert scale < 1
        for module, parameters in copies.items():
            for copy, parameter in zip(parameters, module.parameters(), strict=True):
                copy.grad = parameter.grad * scale
        expected.step()
        for group in expected.param_groups:
            for parameter in group["params"]:
                # Thinc's weight decay comes after the step, PyTorch's before it.
                parameter.data.mul_(1 - group["lr"] * 0.01)
        extractor.finish_update(optimizer)
        for module, parameters in copies.items():
            for copy, parameter in zip(parameters, module.parameters(), strict=True):
                torch.testing.assert_close(copy, parameter, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("value", "expected"), [(3.0, 0.6), (float("inf"), float("inf"))])
def test_global_norm(value, expected):
    models = [Linear(1, 1), Linear(1, 1)]
    for model in models:
        model.initialize()
        model.set_grad("W", model.ops.asarray2f([[0.0]]))
        model.set_grad("b", model.ops.asarray1f([0.0]))
    models[0].set_grad("W", models[0].ops.asarray2f([[value]]))
    models[1].set_grad("b", models[1].ops.asarray1f([4.0]))
    Gradients.of(models).clip(1.0)
    assert models[0].get_grad("W")[0, 0] == pytest.approx(expected)


def test_names_resolve_from_config():
    config = {
        "optimizer": {
            "@optimizers": "spacy-docre.AdamW.v1",
            "head_factor": 5.0,
            "learn_rate": {
                "@schedules": "spacy-docre.warmup_linear.v1",
                "initial_rate": 1e-3,
                "warmup": 0.5,
                "total_steps": 4,
            },
        }
    }
    optimizer = registry.resolve(config)["optimizer"]
    rates = [optimizer.learn_rate]
    for _ in range(4):
        optimizer.step_schedules()
        rates.append(optimizer.learn_rate)
    assert rates == pytest.approx([0.0, 5e-4, 1e-3, 5e-4, 0.0])


def test_rates_by_name_have_one_schedule():
    optimizer = create_adamw(
        encoder_rate=1e-4, head_rate=3e-3, schedule=warmup_linear(1.0, 0.5, 4), max_norm=2.0
    )
    rates = []
    for _ in range(5):
        base = optimizer.learn_rate
        rates.append((base * optimizer.encoder_factor, base * optimizer.head_factor))
        optimizer.step_schedules()
    shares = [0.0, 0.5, 1.0, 0.5, 0.0]
    assert [rate for pair in rates for rate in pair] == pytest.approx(
        [share * rate for share in shares for rate in (1e-4, 3e-3)]
    )
    constant = create_adamw(encoder_rate=2e-5, head_rate=1e-5)
    assert constant.learn_rate == 2e-5
    assert constant.head_factor == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"learn_rate": 1e-4, "encoder_rate": 1e-4, "head_rate": 1e-3}, "learn_rate"),
        ({"encoder_rate": 1e-4}, "head_rate"),
        ({"head_rate": 1e-4}, "encoder_rate"),
        ({"encoder_rate": -1e-4, "head_rate": 1e-3}, "encoder_rate"),
    ],
)
def test_rates_that_do_not_go_together_are_told(rates, message):
    with pytest.raises(DocreError, match=message):
        create_adamw(**rates)


def parameters_of(layer):
    parameters = []
    for node in layer.walk():
        parameters += [torch.from_numpy(node.get_param(name).copy()) for name in node.param_names]
        parameters += [p.detach().clone() for s in node.shims for p in s._model.parameters()]
    return parameters


@pytest.mark.parametrize("frozen", ["encoder", "head"])
def test_a_rate_of_zero_freezes(frozen):
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, "atlop", "cnn")
    examples = birth_examples(nlp.vocab, 3)
    nlp.initialize(lambda: examples)
    rates = {"encoder_rate": 1e-3, "head_rate": 1e-3, f"{frozen}_rate": 0.0}
    optimizer = create_adamw(**rates, L2=0.1)
    layers = {name: extractor.model.get_ref(name) for name in ("encoder", "head")}
    before = {name: parameters_of(layer) for name, layer in layers.items()}
    for _ in range(3):
        nlp.update(examples, sgd=optimizer)
    for name, layer in layers.items():
        pairs = zip(before[name], parameters_of(layer), strict=True)
        same = [torch.equal(old, new) for old, new in pairs]
        assert all(same) if name == frozen else not any(same)


def test_a_frozen_encoder_gets_no_gradient():
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, "atlop", "cnn")
    examples = birth_examples(nlp.vocab, 3)
    nlp.initialize(lambda: examples)
    encoder = extractor.model.get_ref("encoder")
    for rate, has_gradient in ((0.0, False), (1e-4, True)):
        extractor.update(examples, sgd=create_adamw(encoder_rate=rate, head_rate=1e-3))
        extractor.update(examples)
        assert bool(Gradients.of([encoder]).tensors) is has_gradient
        assert Gradients.of([extractor.model.get_ref("head")]).norm > 0
        extractor.finish_update(create_adamw(encoder_rate=rate, head_rate=1e-3))


@pytest.mark.parametrize(("head", "encoder", "n"), [("kmgre", "twin", 2), ("atlop", "cnn", 1)])
def test_each_part_is_clipped_by_its_own_norm(head, encoder, n):
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, head, encoder)
    examples = birth_examples(nlp.vocab, 3)
    nlp.initialize(lambda: examples)
    layers = [extractor.model.get_ref(name) for name in ("encoder", "head")]
    extractor.update(examples)
    parts = gradients_of_parts(*layers)
    assert len(parts) == n
    every = Gradients.of(layers)
    assert sum(part.norm**2 for part in parts).sqrt().item() == pytest.approx(every.norm.item())
    places = sorted(t.data_ptr() for part in parts for t in part.tensors)
    assert sorted(t.data_ptr() for t in every.tensors) == places
    smallest = min(part.norm.item() for part in parts)
    # Rates of zero leave the gradients where they are.
    frozen = create_adamw(encoder_rate=0.0, head_rate=0.0, max_norm=smallest / 2, clip="parts")
    frozen.update_parts(*layers, every)
    norms = [part.norm.item() for part in gradients_of_parts(*layers)]
    assert norms == pytest.approx([smallest / 2] * n, rel=1e-4)


def test_parts_are_all_parameters():
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, "kmgre", "twin")
    examples = birth_examples(nlp.vocab, 1)
    nlp.initialize(lambda: examples)
    module = relation_head(extractor.model.get_ref("head"))
    parts = [p for part in module.parts() for p in part]
    assert sorted(map(id, parts)) == sorted(map(id, module.parameters()))
