"""What changes in the course of KMGRE's training: phases, tau, the sample of negatives."""

import pytest
import torch
from torch import nn

from spacy_docre.models.encoding import Targets
from spacy_docre.models.heads.kmgre import sample_negatives

from .heads import random_targets, small_kmgre, twin_encoding


def test_warm_up_takes_all_mention_pairs_at_inference_too():
    encoding, head = twin_encoding(6, [2, 5]), small_kmgre()
    for epoch, all_count in ((0, True), (1, True), (2, False)):
        assert head.set_phase(epoch, warmup_epochs=2)
        for training in (True, False):
            assert head.train(training)(encoding).index["is_key"].all() == all_count


def test_a_saved_head_knows_whether_it_was_warming_up():
    encoding, head, loaded = twin_encoding(6, [2, 5]), small_kmgre(), small_kmgre()
    head.set_phase(0, warmup_epochs=2)
    loaded.load_state_dict(head.state_dict())
    assert loaded(encoding).index["is_key"].all()


def test_without_a_classifier_there_is_one_phase_and_all_mention_pairs_count():
    head = small_kmgre(key_classifier=False)
    for epoch in range(4):
        assert head.set_phase(epoch, warmup_epochs=2)
        assert head.phase == "maximization"
        assert head(twin_encoding(6, [2, 5])).index["is_key"].all()


def test_equal_probabilities_are_all_key():
    encoding, head = twin_encoding(7, [3, 2]), small_kmgre(xi=0.0)
    nn.init.zeros_(head.key.weight)
    nn.init.constant_(head.key.bias, -1.2345)
    assert head(encoding).index["is_key"].all()


def test_tau_grows_with_the_losses_of_training():
    encoding, head = twin_encoding(8, [3]), small_kmgre(step=0)
    targets = random_targets(6)
    assert head.tau == 0
    assert head(encoding).index["is_key"].all()
    for training, phase, step in (
        (False, "both", 0),
        (True, "both", 1),
        (True, "maximization", 1),
        (True, "expectation", 2),
        (True, "warmup", 3),
    ):
        head.train(training).phase = phase
        head.loss(head(encoding), targets)
        assert head.step == step
    assert head.tau.item() == pytest.approx(0.5 * (1 - 0.999**3))


@pytest.mark.parametrize("total_steps", [100, 4605, 20000])
def test_tau_is_scaled_to_the_steps_of_a_training(total_steps):
    head = small_kmgre(total_steps=total_steps, step=total_steps)
    assert head.tau.item() == pytest.approx(0.5 * 0.99, abs=1e-4)
    half = small_kmgre(total_steps=total_steps, step=total_steps // 2)
    assert half.tau.item() == pytest.approx(0.5 * (1 - 0.999 ** (4605 / 2)), abs=1e-3)


@pytest.mark.parametrize("base", [0.9, 0.999])
def test_the_base_of_tau_is_a_setting(base):
    assert small_kmgre(tau_base=base, step=7).tau.item() == pytest.approx(0.5 * (1 - base**7))


@pytest.mark.parametrize(
    ("period", "phases"),
    [
        ("batch", ["warmup", "warmup", "both", "both", "both"]),
        ("epoch", ["warmup", "warmup", "expectation", "maximization", "expectation"]),
    ],
)
def test_phases_depend_on_the_epoch_alone(period, phases):
    head = small_kmgre(period=period)
    for epoch in (4, 0, 3, 1, 2):
        head.set_phase(epoch, warmup_epochs=2)
        assert head.phase == phases[epoch]


def test_negatives_are_sampled_at_the_ratio():
    is_related = torch.arange(20000) % 10 == 0
    mask = torch.arange(20000) % 2 == 0
    sampled = sample_negatives(mask, is_related, 3.0)
    assert not (sampled & ~mask).any()
    assert (sampled & is_related).sum() == (mask & is_related).sum() == 2000
    assert 5700 < (sampled & ~is_related).sum() < 6300
    assert (sample_negatives(mask, is_related, 100.0) == mask).all()
    assert not sample_negatives(mask, torch.zeros_like(mask), 3.0).any()


def test_loss_with_sampled_negatives_is_finite():
    encoding, head = twin_encoding(9, [3, 4]), small_kmgre(negative_ratio=1.0)
    for labels in (torch.zeros(18, 3).bool(), torch.rand(18, 3) < 0.3):
        assert head.loss(head(encoding), Targets(labels, torch.ones(18).bool())).isfinite()
