import numpy as np
import pytest
import torch

from spacy_docre.models.encoding import Targets
from spacy_docre.models.losses import (
    PairObjective,
    adaptive_threshold_loss,
    balanced_softmax_loss,
    focal_loss,
    masked_mean,
)

from ..reference.losses import slow_adaptive_threshold_loss, slow_balanced_softmax_loss


@pytest.mark.parametrize("seed", range(5))
def test_adaptive_threshold_loss_equals_the_equations(seed):
    rng = np.random.default_rng(seed)
    logits, threshold = rng.normal(size=(7, 4)) * 3, rng.normal(size=7)
    labels = rng.random((7, 4)) < 0.4
    labels[0], labels[1] = False, True
    result = adaptive_threshold_loss(*map(torch.from_numpy, (logits, threshold, labels)))
    np.testing.assert_allclose(
        result, slow_adaptive_threshold_loss(logits, threshold, labels), atol=1e-9
    )


@pytest.mark.parametrize("seed", range(5))
def test_balanced_softmax_loss_equals_the_equation(seed):
    rng = np.random.default_rng(seed)
    logits, threshold = rng.normal(size=(7, 4)) * 3, rng.normal(size=7)
    labels = rng.random((7, 4)) < 0.4
    labels[0], labels[1] = False, True
    result = balanced_softmax_loss(*map(torch.from_numpy, (logits, threshold, labels)))
    np.testing.assert_allclose(
        result, slow_balanced_softmax_loss(logits, threshold, labels), atol=1e-9
    )


@pytest.mark.parametrize("loss", [adaptive_threshold_loss, balanced_softmax_loss])
def test_threshold_loss_gradients(loss):
    logits = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    threshold = torch.randn(5, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([[1, 0, 0], [0, 0, 0], [1, 1, 1], [0, 1, 1], [0, 0, 1]]).bool()
    assert torch.autograd.gradcheck(lambda *x: loss(*x, labels), (logits, threshold))


@pytest.mark.parametrize("function", [adaptive_threshold_loss, balanced_softmax_loss])
def test_threshold_loss_in_half_precision_is_finite(function):
    logits = torch.tensor([[60000.0, -60000.0, 3.0]], dtype=torch.float16, requires_grad=True)
    threshold = torch.zeros(1, dtype=torch.float16)
    labels = torch.tensor([[True, False, False]])
    loss = function(logits, threshold, labels)
    loss.sum().backward()
    assert loss.isfinite().all()
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
    loss = PairObjective(name)(torch.from_numpy(logits), torch.zeros(5), targets)
    assert loss.item() == pytest.approx(np.mean(by_pair), abs=1e-9)


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
