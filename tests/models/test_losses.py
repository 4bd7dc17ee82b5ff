from typing import get_args

import numpy as np
import pytest
import torch

from spacy_docre.models.encoding import HeadOutput, Targets
from spacy_docre.models.losses import (
    adaptive_focal_loss,
    adaptive_threshold_loss,
    balanced_softmax_loss,
    focal_loss,
    hinge_balance_loss,
    masked_mean,
    none_class_ranking_loss,
    positive_unlabelled_risk,
)
from spacy_docre.models.objective import PairLoss, PairObjective

from ..reference.losses import (
    slow_adaptive_focal_loss,
    slow_adaptive_threshold_loss,
    slow_balanced_softmax_loss,
    slow_hinge_balance_loss,
    slow_none_class_ranking_loss,
    slow_positive_unlabelled_risk,
)

LOSSES = {
    adaptive_threshold_loss: slow_adaptive_threshold_loss,
    balanced_softmax_loss: slow_balanced_softmax_loss,
    adaptive_focal_loss: slow_adaptive_focal_loss,
    hinge_balance_loss: slow_hinge_balance_loss,
    none_class_ranking_loss: slow_none_class_ranking_loss,
}


def random_pairs(seed):
    rng = np.random.default_rng(seed)
    logits, threshold = rng.normal(size=(7, 4)) * 3, rng.normal(size=7)
    labels = rng.random((7, 4)) < 0.4
    labels[0], labels[1] = False, True
    return logits, threshold, labels


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("loss", LOSSES)
def test_losses_equal_their_equations(loss, seed):
    arrays = random_pairs(seed)
    result = loss(*map(torch.from_numpy, arrays))
    np.testing.assert_allclose(result, LOSSES[loss](*arrays), atol=1e-9)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_adaptive_focal_loss_with_other_exponents(gamma):
    arrays = random_pairs(9)
    result = adaptive_focal_loss(*map(torch.from_numpy, arrays), gamma=gamma)
    np.testing.assert_allclose(result, slow_adaptive_focal_loss(*arrays, gamma), atol=1e-9)


def test_hinge_loss_does_without_what_is_right_by_the_margin():
    logits = torch.tensor([[9.0, -9.0, -9.0]], requires_grad=True)
    loss = hinge_balance_loss(logits, torch.zeros(1), torch.tensor([[True, False, False]]))
    loss.sum().backward()
    assert loss.item() == 0
    assert not logits.grad.any()


@pytest.mark.parametrize("seed", range(6))
def test_positive_unlabelled_risk_equals_its_equation(seed):
    logits, threshold, labels = random_pairs(seed)
    # Some types are overfitted, some have no positive pair.
    logits[:, 0] = np.where(labels[:, 0], 9, -0.25) + threshold
    labels[:, 3] = False
    mask = np.array([True] * 5 + [False] * 2)
    prior = np.array([0.3, 0.05, 0.01, 0.2])
    targets = Targets(torch.from_numpy(labels), torch.from_numpy(mask))
    result = positive_unlabelled_risk(
        torch.from_numpy(logits), torch.from_numpy(threshold), targets, torch.from_numpy(prior)
    )
    slow = slow_positive_unlabelled_risk(logits, threshold, labels, mask, prior)
    assert result.item() == pytest.approx(slow, abs=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_threshold_loss_gradients(loss):
    torch.manual_seed(0)
    logits = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    threshold = torch.randn(5, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([[1, 0, 0], [0, 0, 0], [1, 1, 1], [0, 1, 1], [0, 0, 1]]).bool()
    assert torch.autograd.gradcheck(lambda *x: loss(*x, labels), (logits, threshold))


@pytest.mark.parametrize("loss", LOSSES)
def test_threshold_loss_of_extreme_logits_is_finite(loss):
    logits = torch.tensor([[6e4, -6e4, 3.0], [-6e4, 6e4, 6e4]], requires_grad=True)
    labels = torch.tensor([[True, False, False]] * 2)
    losses = loss(logits, torch.zeros(2), labels)
    losses.sum().backward()
    assert losses.isfinite().all()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("loss", [adaptive_threshold_loss, balanced_softmax_loss])
def test_threshold_loss_in_half_precision_is_finite(loss):
    logits = torch.tensor([[60000.0, -60000.0, 3.0]], dtype=torch.float16, requires_grad=True)
    losses = loss(logits, torch.zeros(1, dtype=torch.float16), torch.tensor([[True, False, False]]))
    losses.sum().backward()
    assert losses.isfinite().all()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("name", ["bce", "bce_sum"])
def test_cross_entropy_is_that_of_each_type(name):
    """Equation 9 of the GLRE paper, or its mean over the types, over the known pairs."""
    rng = np.random.default_rng(3)
    logits, labels = rng.normal(size=(5, 4)) * 3, rng.random((5, 4)) < 0.4
    mask = np.array([True, False, True, True, False])
    by_pair = []
    for pair in np.flatnonzero(mask):
        p = 1 / (1 + np.exp(-logits[pair]))
        losses = [-np.log(p[r] if labels[pair, r] else 1 - p[r]) for r in range(4)]
        by_pair.append(sum(losses) / (4 if name == "bce" else 1))
    targets = Targets(torch.from_numpy(labels), torch.from_numpy(mask))
    output = HeadOutput(torch.from_numpy(logits), torch.zeros(5))
    loss = PairObjective(name, 4)(output, targets)
    assert loss.item() == pytest.approx(np.mean(by_pair), abs=1e-9)


@pytest.mark.parametrize("name", get_args(PairLoss))
def test_objective_gradients(name):
    torch.manual_seed(1)
    objective = PairObjective(name, 3).double()
    if objective.uses_prior:
        objective.start_at(torch.tensor([0.2, 0.05, 0.1]))
    outputs = torch.randn(6, objective.n_outputs, dtype=torch.float64, requires_grad=True)
    labels = torch.rand(6, 3) < 0.4
    targets = Targets(labels, torch.tensor([True, True, False, True, True, True]))

    def loss(outputs):
        return objective(HeadOutput(*objective.split(outputs)), targets)

    assert torch.autograd.gradcheck(loss, (outputs,))
    (gradient,) = torch.autograd.grad(loss(outputs), outputs)
    assert not gradient[2].any()
    assert gradient.any()


def test_objectives_know_what_they_need():
    names = get_args(PairLoss)
    without_class = {name for name in names if not PairObjective(name, 3).has_threshold}
    assert without_class == {"bce", "bce_sum", "balanced_softmax"}
    assert {n for n in names if PairObjective(n, 3).needs_threshold} == {"bce", "bce_sum"}
    # PAEE's has one with this loss, too.
    paee = PairObjective("balanced_softmax", 3, has_threshold=True)
    assert (paee.n_outputs, paee.needs_threshold) == (4, False)
    assert PairObjective("bce", 3, has_threshold=True).n_outputs == 3


def test_masked_mean_leaves_out_what_is_not_known():
    values = torch.tensor([1.0, 100.0, 3.0], requires_grad=True)
    assert masked_mean(values, torch.tensor([True, False, True])).item() == 2.0
    nothing = masked_mean(values, torch.zeros(3, dtype=torch.bool))
    nothing.backward()
    assert nothing.item() == 0.0
    assert values.grad.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_focal_loss_equals_the_equations(gamma):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=9) * 3, rng.random(9) < 0.5
    p = 1 / (1 + np.exp(-logits))
    p = np.where(labels, p, 1 - p)
    result = focal_loss(torch.from_numpy(logits), torch.from_numpy(labels), 0.3, gamma)
    np.testing.assert_allclose(result, -0.3 * (1 - p) ** gamma * np.log(p), atol=1e-12)


def test_focal_loss_of_extreme_logits_is_finite():
    logits = torch.tensor([1e4, -1e4, 1e4, -1e4], requires_grad=True)
    losses = focal_loss(logits, torch.tensor([True, True, False, False]), 0.3, 2.0)
    losses.sum().backward()
    assert losses.isfinite().all()
    assert logits.grad.isfinite().all()
