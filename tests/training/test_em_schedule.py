"""KMGRE's phases, in the pipeline."""

import warnings

import pytest
import spacy
import torch
from spacy.util import registry

from spacy_docre.training.em_schedule import em_schedule
from spacy_docre.training.optimizer import create_adamw

from ..methods import add_extractor
from ..util import birth_examples


def make(encoder="twin", head="kmgre", period="epoch"):
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, head, encoder)
    examples = birth_examples(nlp.vocab)
    nlp.initialize(lambda: examples)
    if head == "kmgre":
        module_of(extractor).period = period
    return nlp, extractor, examples


def module_of(extractor):
    return extractor.model.get_ref("head").shims[0].require_built()


def parameters(extractor):
    """Copies of all parameters, by the part that they belong to."""
    encoder = extractor.model.get_ref("encoder")
    encoders = encoder.layers if encoder.name == "twin_encoder" else [encoder]
    parts = dict(zip(("theta", "omega"), map(copies, encoders), strict=False))
    for name, part in (("relation", "theta"), ("key", "omega")):
        own = getattr(module_of(extractor), name).parameters()
        parts.setdefault(f"{part}'s layer", [p.detach().clone() for p in own])
    return parts


def copies(encoder):
    own = []
    for node in encoder.walk():
        own += [torch.from_numpy(node.get_param(name).copy()) for name in node.param_names]
        own += [p.detach().clone() for s in node.shims for p in s._model.parameters()]
    return own


def changed(before, after):
    """The parts of which every, and those of which no parameter has changed."""
    same = {
        part: [torch.equal(a, b) for a, b in zip(before[part], after[part], strict=True)]
        for part in before
    }
    return (
        {part for part, values in same.items() if not any(values)},
        {part for part, values in same.items() if all(values)},
    )


def test_each_phase_changes_only_its_part():
    nlp, extractor, examples = make()
    schedule = em_schedule(warmup_epochs=1)
    # Moments and weight decay would move whatever has a gradient, of zero or left over.
    optimizer = create_adamw(1e-3, L2=0.1)
    theta, omega = {"theta", "theta's layer"}, {"omega", "omega's layer"}
    for epoch, expected, frozen in (
        (0, theta | omega, set()),
        (1, omega, theta),
        (2, theta, omega),
        (3, omega, theta),
    ):
        for step in range(2):
            schedule(nlp, {"step": step, "epoch": epoch})
            before = parameters(extractor)
            nlp.update(examples, sgd=optimizer)
            assert changed(before, parameters(extractor)) == (expected, frozen), (epoch, step)


def test_shared_encoder_learns_in_every_phase():
    nlp, extractor, examples = make("cnn")
    schedule, optimizer = em_schedule(warmup_epochs=0), create_adamw(1e-3)
    for epoch, frozen in ((0, "theta's layer"), (1, "omega's layer")):
        schedule(nlp, {"step": 0, "epoch": epoch})
        before = parameters(extractor)
        nlp.update(examples, sgd=optimizer)
        assert changed(before, parameters(extractor))[1] == {frozen}


def test_both_phases_in_each_step_change_everything():
    nlp, extractor, examples = make(period="batch")
    em_schedule(warmup_epochs=1)(nlp, {"step": 7, "epoch": 1})
    before = parameters(extractor)
    nlp.update(examples, sgd=create_adamw(1e-3))
    assert changed(before, parameters(extractor)) == (set(before), set())


def test_losses_do_not_cross():
    """The gradients of both losses together are those of each by itself."""
    gradients = {}
    for phase in ("both", "expectation", "maximization"):
        spacy.util.fix_random_seed(0)
        _, extractor, examples = make()
        module = module_of(extractor)
        module.phase = phase
        extractor.update(examples)
        gradients[phase] = {n: p.grad for n, p in module.named_parameters()}
    for name, gradient in gradients["both"].items():
        own, other = ("expectation", "maximization")[:: 1 if "key" in name else -1]
        assert gradients[other][name] is None
        torch.testing.assert_close(gradients[own][name], gradient)


def test_saved_model_keeps_the_step(tmp_path):
    nlp, extractor, examples = make("cnn")
    for _ in range(3):
        extractor.update(examples)
    nlp.to_disk(tmp_path)
    loaded = module_of(spacy.load(tmp_path).get_pipe("doc_relation_extractor"))
    assert loaded.step == 3
    assert torch.equal(loaded.tau, module_of(extractor).tau)


def test_name_resolves_from_config_as_a_callback_of_training():
    config = {
        "before_update": {
            "@callbacks": "spacy-docre.em_schedule.v1",
            "component": "relations",
            "warmup_epochs": 3,
        }
    }
    callback = registry.resolve(config)["before_update"]
    nlp, extractor, _ = make("cnn")
    nlp.rename_pipe("doc_relation_extractor", "relations")
    for epoch, phase in ((2, "warmup"), (3, "expectation"), (4, "maximization")):
        callback(nlp, {"step": 0, "epoch": epoch})
        assert module_of(extractor).phase == phase


def test_another_head_is_left_alone_with_one_warning():
    nlp, _, _ = make("cnn", "atlop")
    schedule = em_schedule()
    with pytest.warns(UserWarning, match="DW02"):
        schedule(nlp, {"step": 0, "epoch": 0})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schedule(nlp, {"step": 1, "epoch": 0})


@pytest.mark.parametrize("settings", [{}, {"period": "epoch", "xi": 0.1, "negative_ratio": 4.0}])
def test_naming_the_head_is_enough(settings, tmp_path):
    nlp = spacy.blank("xx")
    head = {"@architectures": "spacy-docre.KMGRE.v1", **settings}
    nlp.add_pipe("doc_relation_extractor", config={"model": {"head": head}})
    examples = birth_examples(nlp.vocab, 2)
    optimizer = nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=optimizer)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    head = loaded.config["components"]["doc_relation_extractor"]["model"]["head"]
    assert {"xi", "alpha", "gamma", "negative_ratio", "period"} <= set(head)
    module = module_of(loaded.get_pipe("doc_relation_extractor"))
    for name, value in settings.items():
        assert getattr(module, name) == head[name] == value


def test_evidence_is_set_on_relations():
    nlp, extractor, examples = make("twin", period="batch")
    extractor.cfg["threshold"] = 0.0
    doc = nlp(examples[0].predicted)
    for relation in doc._.relations:
        mentions = {span.start for e in (relation.head, relation.tail) for span in e.mentions}
        assert relation.evidence
        assert {span.start for span in relation.evidence} <= mentions
