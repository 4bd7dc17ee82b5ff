import numpy as np
import pytest
import torch

from spacy_docre import DocreError
from spacy_docre.models.distillation import DistillationLoss, SoftTargets
from spacy_docre.models.encoding import HeadOutput

from ..reference.losses import slow_divergence


def random_pairs(seed):
    rng = np.random.default_rng(seed)
    margins, scores = rng.normal(size=(6, 4)) * 3, rng.random((6, 4))
    scores[0], scores[1, 2] = 0, 0
    return margins, scores


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("seed", range(3))
def test_the_divergence_equals_its_equation(seed, temperature):
    margins, scores = random_pairs(seed)
    loss = DistillationLoss(temperature=temperature)
    found = loss.divergence(torch.from_numpy(margins), torch.from_numpy(scores))
    np.testing.assert_allclose(found, slow_divergence(margins, scores, temperature), atol=1e-9)


def test_gradient_and_minimum():
    margins, scores = map(torch.from_numpy, random_pairs(3))
    loss = DistillationLoss(temperature=2.0)
    assert torch.autograd.gradcheck(
        lambda x: loss.divergence(x, scores), margins.requires_grad_(), fast_mode=False
    )
    own = torch.sigmoid(margins.detach())
    np.testing.assert_allclose(loss.divergence(margins.detach(), own), 0, atol=1e-9)


def test_certain_teachers():
    loss = DistillationLoss(temperature=3.0)
    margins = torch.tensor([[2.0, -2.0]])
    found = loss.divergence(margins, torch.tensor([[1.0, 0.0]]))
    assert found.item() == pytest.approx(2 * 9 * np.log1p(np.exp(-2 / 3)), abs=1e-5)


def test_the_weight_divides_the_loss():
    margins, scores = map(torch.from_numpy, random_pairs(4))
    threshold = torch.arange(6.0, dtype=torch.float64)
    output = HeadOutput(margins + threshold[:, None], threshold)
    mask = torch.tensor([True, False, True, True, False, False])
    divergence = DistillationLoss().divergence(margins, scores)[mask].mean()
    for weight in (0.0, 0.25, 1.0):
        soft = SoftTargets(scores, mask, DistillationLoss(weight))
        expected = (1 - weight) * 8 + weight * divergence
        torch.testing.assert_close(soft.mixed(torch.tensor(8.0), output), expected)


@pytest.mark.parametrize("settings", [{"weight": 1.1}, {"weight": -0.1}, {"temperature": 0}])
def test_settings_out_of_bounds(settings):
    with pytest.raises(DocreError, match="D020"):
        DistillationLoss(**settings)
