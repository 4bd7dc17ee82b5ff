"""The losses that a head can be trained with, by name."""

from typing import Literal

import torch
from torch import Tensor, nn

from .encoding import HeadOutput, Targets
from .losses import (
    adaptive_focal_loss,
    adaptive_threshold_loss,
    balanced_softmax_loss,
    cross_entropies,
    hinge_balance_loss,
    masked_mean,
    none_class_ranking_loss,
    positive_unlabelled_risk,
)

PairLoss = Literal[
    "adaptive_threshold",
    "bce",
    "bce_sum",
    "balanced_softmax",
    "adaptive_focal",
    "hinge",
    "ncrl",
    "positive_unlabelled",
]

# Losses whose logits are log-odds, which no threshold class is compared with.
CROSS_ENTROPIES = ("bce", "bce_sum")
WITHOUT_CLASS = (*CROSS_ENTROPIES, "balanced_softmax")

BY_PAIR = {
    "adaptive_threshold": adaptive_threshold_loss,
    "balanced_softmax": balanced_softmax_loss,
    "adaptive_focal": adaptive_focal_loss,
    "hinge": hinge_balance_loss,
    "ncrl": none_class_ranking_loss,
    "bce": lambda *x: cross_entropies(*x).mean(dim=1),
    "bce_sum": lambda *x: cross_entropies(*x).sum(dim=1),
}


class PairObjective(nn.Module):
    """The loss of a head for the relations of its pairs, by name. Each is a function of the types'
    logits and of the logit of a threshold class TH, above which a relation is set:

    - "adaptive_threshold": ATLOP's, see `adaptive_threshold_loss`.
    - "adaptive_focal", "hinge", "ncrl": what came since, see `adaptive_focal_loss`,
      `hinge_balance_loss` and `none_class_ranking_loss`.
    - "positive_unlabelled": for training data in which relations are missing, see
      `positive_unlabelled_risk`.
    - "balanced_softmax": DocuNet's and PAEE's, see `balanced_softmax_loss`. The logit of TH is zero
      in heads that have no such class.
    - "bce": binary cross-entropy of each type, averaged over the types; "bce_sum": summed over them
      (GLRE, equation 9). There is no TH, and a relation is set above a score that is chosen on
      development data.

    name (PairLoss): The loss.
    n_labels (int): The number R of relation types.
    has_threshold (Optional[bool]): Whether the head has a threshold class. None gives it one where
        the loss cannot do without.
    """

    prior: Tensor

    def __init__(self, name: PairLoss, n_labels: int, *, has_threshold: bool | None = None) -> None:
        super().__init__()
        self.name = name
        if has_threshold is None or name != "balanced_softmax":
            has_threshold = name not in WITHOUT_CLASS
        self.has_threshold = has_threshold
        self.n_outputs = n_labels + has_threshold
        if name == "positive_unlabelled":
            self.register_buffer("prior", torch.full((n_labels,), 1 / (1 + n_labels)))

    @property
    def needs_threshold(self) -> bool:
        """See `RelationHead.needs_threshold`."""
        return self.name in CROSS_ENTROPIES

    @property
    def uses_prior(self) -> bool:
        """See `RelationHead.uses_prior`."""
        return self.name == "positive_unlabelled"

    def start_at(self, prior: Tensor, *, first: int = 0) -> None:
        """See `RelationHead.start_at`."""
        if self.uses_prior:
            self.prior[first:] = prior[first:]

    def split(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Take the threshold class, if there is one, apart from the types.

        outputs (Tensor): [P, n_outputs] float. The head's outputs, the threshold class first.
        RETURNS (tuple[Tensor, Tensor]): [P, R] and [P] float. The types' logits, and the logit of
            the threshold class or zero.
        """
        if self.has_threshold:
            return outputs[:, 1:], outputs[:, 0]
        return outputs, outputs.new_zeros(len(outputs))

    def forward(self, output: HeadOutput, targets: Targets) -> Tensor:
        """output (HeadOutput): Logits and thresholds.
        targets (Targets): The gold standard.
        RETURNS (Tensor): [] The loss: averaged over the pairs whose relations are known, or in a
            positive-unlabelled risk over the positive and over the other pairs of each type.
        """
        logits, threshold = output.logits, output.threshold
        if self.name == "positive_unlabelled":
            return positive_unlabelled_risk(logits, threshold, targets, self.prior)
        by_pair = BY_PAIR[self.name](logits, threshold, targets.labels)
        return masked_mean(by_pair, targets.mask)
