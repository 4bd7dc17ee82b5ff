"""What changes in the course of KMGRE's training: phases, tau, the sample of negatives."""

import pytest
import torch
from torch import nn

from spacy_docre.models.encoding import Targets
from spacy_docre.models.heads.kmgre import sample_negatives

from .test_kmgre import make_head, random_targets, twin_encoding


def test_warm_up_takes_all_mention_pairs_in_training_only():
    encoding, head = twin_encoding(6, [2, 5]), make_head()
    head.phase = "warmup"
    assert not head(encoding).index["is_key"].all()
    assert head.train()(encoding).index["is_key"].all()


def test_equal_probabilities_are_all_key():
    encoding, head = twin_encoding(7, [3, 2]), make_head(xi=0.0)
    nn.init.zeros_(head.key.weight)
    nn.init.constant_(head.key.bias, -1.2345)
    assert head(encoding).index["is_key"].all()


def test_tau_grows_with_the_losses_of_training():
    encoding, head = twin_encoding(8, [3]), make_head(step=0)
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


@pytest.mark.parametrize(
    ("period", "phases"),
    [
        ("batch", ["warmup", "warmup", "both", "both", "both"]),
        ("epoch", ["warmup", "warmup", "expectation", "maximization", "expectation"]),
    ],
)
def test_phases_depend_on_the_epoch_alone(period, phases):
    head = make_head(period=period)
    for epoch in (4, 0, 3, 1, 2):
        head.enter_epoch(epoch, warmup_epochs=2)
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
    encoding, head = twin_encoding(9, [3, 4]), make_head(negative_ratio=1.0)
    for labels in (torch.zeros(18, 3).bool(), torch.rand(18, 3) < 0.3):
        assert head.loss(head(encoding), Targets(labels, torch.ones(18).bool())).isfinite()
