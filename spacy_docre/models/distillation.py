"""Learning from what other models say (knowledge distillation)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import DocreError, Errors
from .encoding import HeadOutput
from .losses import masked_mean


@dataclass(frozen=True)
class DistillationLoss:
    """Distillation (Hinton et al. 2015, section 2) where each relation type of a pair is a decision
    of its own:

        L = (1 - w) L_head + w L_soft
        L_soft = T^2 mean_pairs sum_r KL(p_r || q_r),
        p_r = sigmoid(logit(s_r) / T),  q_r = sigmoid((l_r - l_TH) / T)

    where s_r is the teachers' score of type r, KL the divergence of two Bernoulli distributions,
    and L_head the loss of the student's head on the pairs that have a gold standard. T^2 keeps the
    gradients of soft targets as large as those of gold ones.

    weight (float): w, in 0..1: 0 learns from the gold standard only, 1 from the teachers only.
    temperature (float): T, above 0. Above 1, types that the teachers find less likely count more.
    RAISES (DocreError): If one is out of bounds.
    """

    weight: float = 0.5
    temperature: float = 1.0

    def __post_init__(self) -> None:
        bounds = {
            "weight": (0 <= self.weight <= 1, "in 0..1"),
            "temperature": (0 < self.temperature < float("inf"), "above 0"),
        }
        for setting, (is_met, condition) in bounds.items():
            if not is_met:
                value = getattr(self, setting)
                raise DocreError(
                    Errors.D020.format(setting=setting, condition=condition, value=value)
                )

    def divergence(self, margins: Tensor, scores: Tensor) -> Tensor:
        """margins (Tensor): [P, R] float. The student's logits, less those of its thresholds.
        scores (Tensor): [P, R] float. The teachers' scores, in 0..1.
        RETURNS (Tensor): [P] T^2 times the sum of the types' divergences.
        """
        targets = torch.sigmoid(torch.logit(scores) / self.temperature)
        cross_entropy = nn.functional.binary_cross_entropy_with_logits(
            margins / self.temperature, targets, reduction="none"
        )
        entropy = torch.special.entr(targets) + torch.special.entr(1 - targets)
        return self.temperature**2 * (cross_entropy - entropy).sum(dim=1)


@dataclass(frozen=True)
class SoftTargets:
    """What other models say of the candidate pairs of a batch.

    scores (Tensor): [P, R] float. Their score of each type, in 0..1.
    mask (Tensor): [P] bool. Whether they say anything of the pair.
    loss (DistillationLoss): How to learn it.
    """

    scores: Tensor
    mask: Tensor
    loss: DistillationLoss

    def mixed(self, loss: Tensor, output: HeadOutput) -> Tensor:
        """loss (Tensor): [] The loss of the head.
        output (HeadOutput): What it returned.
        RETURNS (Tensor): [] The loss with the soft targets.
        """
        margins = output.logits - output.threshold[:, None]
        soft = masked_mean(self.loss.divergence(margins, self.scores), self.mask)
        return (1 - self.loss.weight) * loss + self.loss.weight * soft
