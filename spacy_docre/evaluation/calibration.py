"""Whether scores are probabilities, and what makes them such, fitted."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ..errors import DocreError, Errors
from ..extractor.calibration import Calibration, logit_of

# Guo et al. 2017 have fifteen bins of equal width.
N_BINS = 15


@dataclass
class Reliability:
    """How often items of a score are right, by bins of equal width (Guo et al. 2017): the i-th of n
    bins has the scores above (i - 1) / n up to i / n. Items are added a part at a time.

    count (np.ndarray): [n] The items of each bin.
    score (np.ndarray): [n] The sum of their scores.
    correct (np.ndarray): [n] How many of them are right.
    squared (float): The sum of (score - right)² over all items, `right` being 0 or 1.
    """

    count: np.ndarray = field(default_factory=lambda: np.zeros(N_BINS))
    score: np.ndarray = field(default_factory=lambda: np.zeros(N_BINS))
    correct: np.ndarray = field(default_factory=lambda: np.zeros(N_BINS))
    squared: float = 0.0

    def add(self, scores: np.ndarray, correct: np.ndarray) -> None:
        """scores (np.ndarray): [...] float, in 0..1.
        correct (np.ndarray): [...] bool. Whether they are right.
        """
        values, right = scores.ravel().astype(np.float64), correct.ravel()
        places = np.clip(np.ceil(values * N_BINS).astype(np.int64) - 1, 0, N_BINS - 1)
        self.count += np.bincount(places, minlength=N_BINS)
        self.score += np.bincount(places, values, minlength=N_BINS)
        self.correct += np.bincount(places, right, minlength=N_BINS)
        self.squared += float(((values - right) ** 2).sum())

    def to_dict(self) -> dict[str, Any]:
        """The expected calibration error `ece`, the Brier score `brier` (both None without items),
        the number of items `count`, and the curve `bins`: for each bin with items its bounds, their
        number, mean score and share of right ones."""
        n, used = self.count.sum(), np.flatnonzero(self.count)
        bins = [
            {
                "low": float(i / N_BINS),
                "high": float((i + 1) / N_BINS),
                "count": int(self.count[i]),
                "score": float(self.score[i] / self.count[i]),
                "correct": float(self.correct[i] / self.count[i]),
            }
            for i in used
        ]
        return {
            "ece": float(np.abs(self.score - self.correct).sum() / n) if n else None,
            "brier": float(self.squared / n) if n else None,
            "count": int(n),
            "bins": bins,
        }


def fit_calibration(scores: np.ndarray, correct: np.ndarray, *, bias: bool = True) -> Calibration:
    """Fit temperature and bias by maximum likelihood (Platt 1999, with his targets, which keep the
    fit finite where right and wrong scores do not overlap). Without the bias it is temperature
    scaling (Guo et al. 2017), which leaves 0.5 where it is.

    scores (np.ndarray): [...] float, in 0..1. Scores of 0, which constraints set, are left out.
    correct (np.ndarray): [...] bool. Whether they are right.
    bias (bool): Whether to fit a bias, too.
    RETURNS (Calibration): The function.
    RAISES (DocreError): If no score is right or none is wrong, or higher scores are not more often
        right than lower ones.
    """
    used = scores > 0
    right = torch.from_numpy(correct[used])
    n_right, n_wrong = int(right.sum()), int((~right).sum())
    if not n_right or not n_wrong:
        raise DocreError(Errors.D086.format(n_right=n_right, n_wrong=n_wrong))
    # A score of 1 is one that single precision has rounded.
    logits = torch.from_numpy(logit_of(np.minimum(scores[used], np.float32(1 - 2**-24))))
    targets = torch.where(right, (n_right + 1) / (n_right + 2), 1 / (n_wrong + 2)).double()
    slope = torch.ones((), dtype=torch.float64, requires_grad=True)
    offset = torch.zeros((), dtype=torch.float64, requires_grad=bias)
    optimizer = torch.optim.LBFGS(
        [slope, offset] if bias else [slope], max_iter=100, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            slope * logits + offset, targets
        )
        loss.backward()
        return loss

    optimizer.step(closure)
    if not slope.item() > 0:
        raise DocreError(Errors.D087.format(slope=f"{slope.item():.3g}"))
    return Calibration(1 / slope.item(), offset.item())
