import pytest
import spacy
import torch
from thinc.api import Linear, registry

from spacy_docre.training.optimizer import Gradients, create_adamw, warmup_linear

from ..util import birth_examples


def test_schedule_goes_up_then_down():
    rates = warmup_linear(1.0, 0.2, 10)
    assert [round(next(rates), 4) for _ in range(12)] == [
        0.0, 0.5, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0.0, 0.0,
    ]  # fmt: skip


def test_one_step_equals_pytorchs_adamw():
    nlp = spacy.blank("en")
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
