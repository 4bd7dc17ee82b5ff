"""Losses over the candidate pairs of a batch."""

from typing import Literal

import torch
from torch import Tensor, nn

from .encoding import Targets

PairLoss = Literal["bce", "bce_sum", "adaptive_threshold", "balanced_softmax"]

# Losses without a threshold class, whose logits are log-odds.
CROSS_ENTROPIES = ("bce", "bce_sum")


class PairObjective(nn.Module):
    """The loss of a head for the relations of its pairs, by name:

    - "bce": binary cross-entropy of each type, averaged over the types; "bce_sum": summed over them
      (GLRE, equation 9). A relation is set above a score that is chosen on development data.
    - "adaptive_threshold": see `adaptive_threshold_loss`. A relation is set above the logit of a
      threshold class that the head learns.
    - "balanced_softmax": see `balanced_softmax_loss`. A relation is set above the logit of a
      threshold class, or above zero in a head without one.

    name (PairLoss): The loss.
    """

    def __init__(self, name: PairLoss) -> None:
        super().__init__()
        self.name = name

    @property
    def has_threshold(self) -> bool:
        """Whether the loss wants a threshold class beside the relation types."""
        return self.name not in (*CROSS_ENTROPIES, "balanced_softmax")

    @property
    def needs_threshold(self) -> bool:
        """See `RelationHead.needs_threshold`."""
        return self.name in CROSS_ENTROPIES

    def forward(self, logits: Tensor, threshold: Tensor, targets: Targets) -> Tensor:
        """logits (Tensor): [P, R] float. The types' logits, without the threshold class.
        threshold (Tensor): [P] float. The logit of the threshold class, or zero.
        targets (Targets): The gold standard.
        RETURNS (Tensor): [] The loss, averaged over the pairs whose relations are known.
        """
        labels = targets.labels
        if self.name in CROSS_ENTROPIES:
            losses = nn.functional.binary_cross_entropy_with_logits(
                logits - threshold[:, None], labels.to(logits.dtype), reduction="none"
            )
            by_pair = losses.mean(dim=1) if self.name == "bce" else losses.sum(dim=1)
        elif self.name == "adaptive_threshold":
            by_pair = adaptive_threshold_loss(logits, threshold, labels)
        else:
            by_pair = balanced_softmax_loss(logits, threshold, labels)
        return masked_mean(by_pair, targets.mask)


def adaptive_threshold_loss(logits: Tensor, threshold: Tensor, labels: Tensor) -> Tensor:
    """Adaptive-threshold loss (Zhou et al. 2021, ATLOP, section 4.1, equations 6-8): push the
    gold types of each pair above a threshold class TH, and all others below it.

        L = -sum_{r in P} log(exp(l_r) / sum_{r' in P+TH} exp(l_r'))
            - log(exp(l_TH) / sum_{r' in N+TH} exp(l_r'))

    where P are the gold types of the pair and N all others.

    logits (Tensor): [P, R] float. The types' logits, without the threshold class.
    threshold (Tensor): [P] float. The logit of the threshold class.
    labels (Tensor): [P, R] bool. The gold types.
    RETURNS (Tensor): [P] The loss of each pair.
    """
    negative_infinity = torch.tensor(float("-inf"), dtype=logits.dtype, device=logits.device)
    threshold = threshold[:, None]
    positives = torch.cat([threshold, torch.where(labels, logits, negative_infinity)], dim=1)
    negatives = torch.cat([threshold, torch.where(labels, negative_infinity, logits)], dim=1)
    log_positives = torch.logsumexp(positives, dim=1, keepdim=True)
    above = torch.where(labels, log_positives - logits, torch.zeros_like(logits)).sum(dim=1)
    below = torch.logsumexp(negatives, dim=1) - threshold[:, 0]
    return above + below


def balanced_softmax_loss(logits: Tensor, threshold: Tensor, labels: Tensor) -> Tensor:
    """Balanced softmax (DocuNet, Zhang et al. 2021, with a threshold of zero; PAEE, Huang et al.
    2022, appendix A.1, equation 9, with a learned one):

        L = log(exp(l_TH) + sum_{r in N} exp(l_r)) + log(exp(-l_TH) + sum_{r in P} exp(-l_r))

    where P are the gold types of the pair and N all others. As l_TH cancels, this is

        L = log(1 + sum_{r in N} exp(l_r - l_TH)) + log(1 + sum_{r in P} exp(l_TH - l_r))

    logits (Tensor): [P, R] float. The types' logits, without the threshold class.
    threshold (Tensor): [P] float. The logit of the threshold class.
    labels (Tensor): [P, R] bool. The gold types.
    RETURNS (Tensor): [P] The loss of each pair.
    """
    negative_infinity = torch.tensor(float("-inf"), dtype=logits.dtype, device=logits.device)
    margin = logits - threshold[:, None]
    zero = margin.new_zeros(len(margin), 1)
    below = torch.cat([zero, torch.where(labels, negative_infinity, margin)], dim=1)
    above = torch.cat([zero, torch.where(labels, -margin, negative_infinity)], dim=1)
    return torch.logsumexp(below, dim=1) + torch.logsumexp(above, dim=1)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean of the values whose mask is set; zero (with a gradient of zero) if none is.

    values (Tensor): [P] float.
    mask (Tensor): [P] bool.
    RETURNS (Tensor): [] The mean.
    """
    weights = mask.to(values.dtype)
    return (values * weights).sum() / weights.sum().clamp(min=1.0)


def focal_loss(logits: Tensor, labels: Tensor, alpha: float, gamma: float) -> Tensor:
    """Binary focal loss (Lin et al. 2017; Jiang et al. 2022, KMGRE, section 3.2, equations 10
    and 11), with one weight for both classes:

        L = -alpha (1 - p)^gamma log(p),  p = sigmoid(logit) for true labels, 1 - that for false

    logits (Tensor): [Q] float.
    labels (Tensor): [Q] bool.
    alpha (float): The weight.
    gamma (float): How strongly decisions that are already right are discounted.
    RETURNS (Tensor): [Q] The loss of each decision.
    """
    margin = torch.where(labels, logits, -logits)
    return -alpha * torch.sigmoid(-margin) ** gamma * torch.nn.functional.logsigmoid(margin)
