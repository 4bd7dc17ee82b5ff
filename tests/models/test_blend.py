"""The blend of heads against the mean of what its heads say."""

import re

import numpy as np
import pytest
import spacy
import torch

from spacy_docre import DocreError
from spacy_docre.models.heads.blend import BlendHead, part_of
from spacy_docre.models.relation_model import relation_head
from spacy_docre.training.em_schedule import em_schedule

from ..methods import HEADS, add_extractor
from ..util import birth_examples, random_batch, random_encoding
from .heads import random_targets, small_atlop, small_docunet, small_kmgre

ENTITIES = [[3], [2, 5, 3], [0, 2, 0, 3], [1, 0]]


def make_blend(**settings):
    torch.manual_seed(0)
    heads = {
        "atlop": small_atlop(),
        "docunet": small_docunet(),
        "kmgre": small_kmgre(second_width=None),
    }
    defaults = {
        "own_weight": 0.5, "joint_weight": 2.0, "evidence_from": "kmgre", "voters": list(heads)
    }  # fmt: skip
    return BlendHead(heads, **(defaults | settings)).eval()


@pytest.mark.parametrize("voters", [["atlop", "docunet", "kmgre"], ["kmgre", "atlop"], ["docunet"]])
@pytest.mark.parametrize("entities", ENTITIES)
def test_logits_are_the_mean_of_the_margins(entities, voters):
    encoding, blend = random_encoding(1, entities), make_blend(voters=voters)
    output = blend(encoding)
    alone = [blend.heads[name](encoding) for name in voters]
    for pair in range(len(encoding.index.pair_head)):
        for label in range(3):
            margins = [(o.logits[pair, label] - o.threshold[pair]).item() for o in alone]
            assert output.logits[pair, label].item() == pytest.approx(np.mean(margins), abs=1e-12)
    assert (output.threshold == 0).all()


@pytest.mark.parametrize(
    ("voters", "run"),
    [(["atlop"], {"atlop", "kmgre"}), (["docunet", "kmgre"], {"docunet", "kmgre"})],
)
def test_silent_heads_are_not_run_at_inference(voters, run):
    encoding, blend = random_encoding(5, [4, 2]), make_blend(voters=voters)
    expected = blend(encoding)
    with torch.inference_mode():
        output = blend(encoding)
    assert torch.equal(output.logits, expected.logits)
    assert {name.split(".")[0] for name in expected.aux} == {"atlop", "docunet", "kmgre"}
    assert {name.split(".")[0] for name in output.aux} == run


def slow_joint_loss(logits, targets):
    """ATLOP's equations 6 to 8 with a threshold class of logit zero, one pair at a time."""
    losses = []
    for row, gold, known in zip(logits, targets.labels, targets.mask, strict=True):
        if known:
            above = np.exp(row[gold.numpy()]).sum() + 1
            below = np.exp(row[~gold.numpy()]).sum() + 1
            losses.append(-sum(np.log(np.exp(row[gold.numpy()]) / above)) - np.log(1 / below))
    return np.mean(losses) if losses else 0.0


@pytest.mark.parametrize("voters", [["atlop", "docunet", "kmgre"], ["atlop"]])
@pytest.mark.parametrize("entities", ENTITIES)
def test_loss_is_the_weighted_sum(entities, voters):
    encoding, blend = random_encoding(2, entities), make_blend(voters=voters)
    targets = random_targets(len(encoding.index.pair_head))
    output = blend(encoding)
    own = [head.loss(head(encoding), targets).item() for head in blend.heads.values()]
    joint = slow_joint_loss(output.logits.detach().numpy(), targets)
    loss = blend.loss(output, targets).item()
    assert loss == pytest.approx(0.5 * sum(own) / 3 + 2.0 * joint, abs=1e-9)


@pytest.mark.parametrize("source", ["atlop", "kmgre"])
def test_evidence_is_that_of_the_chosen_head(source):
    encoding, blend = random_encoding(3, [3, 2]), make_blend(evidence_from=source)
    clusters = random_batch(np.random.default_rng(3), [3, 2])
    pairs, labels = np.array([0, 3, 7]), np.array([1, 0, 2])
    head = blend.heads[source]
    expected = head.evidence(head(encoding), clusters, pairs, labels)
    assert blend.evidence(blend(encoding), clusters, pairs, labels) == expected
    assert any(expected.values())


def test_parts_do_not_mix():
    encoding, blend = random_encoding(4, [3]), make_blend()
    output = blend(encoding)
    for name, head in blend.heads.items():
        part, alone = part_of(output, name), head(encoding)
        assert part.aux.keys() == alone.aux.keys()
        assert part.index.keys() == alone.index.keys()
        assert len(part.tensors) == len(alone.tensors)
        for one, other in zip(part.tensors, alone.tensors, strict=True):
            assert torch.equal(one, other)


def test_evidence_is_asked_for_if_a_head_learns_it():
    blend = make_blend()
    assert blend.learns_evidence
    blend.heads["atlop"].evidence_weight = blend.heads["docunet"].evidence_weight = 0.0
    assert not blend.learns_evidence


def blend_of(*names, **settings):
    heads = {str(i): HEADS[name] for i, name in enumerate(names)}
    head = {"@architectures": "spacy-docre.Blend.v1", "*": heads, **settings}
    nlp = spacy.blank("xx")
    nlp.add_pipe("doc_relation_extractor", config={"model": {"head": head}})
    examples = birth_examples(nlp.vocab, 1)
    nlp.initialize(lambda: examples)
    return nlp, relation_head(nlp.get_pipe("doc_relation_extractor").model.get_ref("head"))


def test_heads_of_the_same_name_are_numbered():
    _, blend = blend_of("rsman", "rsman_context", "atlop")
    assert list(blend.heads) == ["rsman", "rsman_2", "atlop"]
    assert blend.evidence_from == "rsman"


@pytest.mark.parametrize(
    "settings", [{"evidence_from": "paee"}, {"voters": ["paee"]}, {"voters": []}]
)
def test_settings_must_name_heads(settings):
    (value,) = settings.values()
    with pytest.raises(DocreError, match=re.escape(f"['atlop'], but it is {value}")):
        blend_of("atlop", **settings)


def test_voters_can_be_chosen_when_a_pipeline_is_loaded(tmp_path):
    nlp, blend = blend_of("atlop", "kmgre", "rsman")
    assert blend.voters == {"atlop", "kmgre", "rsman"}
    nlp.to_disk(tmp_path)
    head = {"voters": ["kmgre"]}
    components = {"doc_relation_extractor": {"model": {"head": head}}}
    again = spacy.load(tmp_path, config={"components": components})
    other = relation_head(again.get_pipe("doc_relation_extractor").model.get_ref("head"))
    assert other.voters == {"kmgre"}
    assert other.state_dict().keys() == blend.state_dict().keys()
    assert all(map(torch.equal, other.state_dict().values(), blend.state_dict().values()))


def test_the_schedule_finds_kmgre_within():
    nlp, blend = blend_of("atlop", "kmgre")
    schedule = em_schedule(warmup_epochs=1)
    schedule(nlp, {"epoch": 0})
    assert blend.heads["kmgre"].phase == "warmup"
    schedule(nlp, {"epoch": 1})
    assert blend.heads["kmgre"].phase == "both"


def test_a_saved_blend_has_the_heads_of_its_config(tmp_path):
    nlp = spacy.blank("xx")
    add_extractor(nlp, "blend", "cnn")
    examples = birth_examples(nlp.vocab, 2)
    nlp.initialize(lambda: examples)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path).get_pipe("doc_relation_extractor")
    names = list(relation_head(loaded.model.get_ref("head")).heads)
    assert names == ["atlop", "rsman", "kmgre"]
