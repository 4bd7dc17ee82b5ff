"""F1 of the scores of pairs, without documents."""

import torch
from torch import Tensor


def f1_at(scores: Tensor, labels: Tensor, n_gold: int, threshold: float) -> float:
    """F1 of the relations above a threshold.

    scores (Tensor): [P, R] float. The scores.
    labels (Tensor): [P, R] bool. The gold standard.
    n_gold (int): The number of gold relations, those that are no candidates included.
    threshold (float): The threshold.
    RETURNS (float): In 0..1.
    """
    predicted = scores > threshold
    correct = int((predicted & labels).sum())
    return 2 * correct / max(1, int(predicted.sum()) + n_gold)


def best_f1(scores: Tensor, labels: Tensor, n_gold: int) -> tuple[float, float]:
    """The threshold with the best F1, of those at which a score of zero is never enough; other
    arguments as in `f1_at`.

    RETURNS (tuple[float, float]): The threshold and the F1.
    """
    ranked, order = scores.flatten().sort(descending=True)
    correct = labels.flatten()[order].cumsum(0)
    found = 2 * correct / (torch.arange(1, len(ranked) + 1) + n_gold)
    # Scores that are equal lie on the same side of a threshold.
    is_last = torch.ones_like(ranked, dtype=torch.bool)
    is_last[:-1] = ranked[:-1] > ranked[1:]
    found = torch.where(is_last & (ranked > 0), found, 0.0)
    best = int(found.argmax())
    below = float(ranked[best + 1]) if best + 1 < len(ranked) else 0.0
    return (float(ranked[best]) + below) / 2, float(found[best])


def best_types(scores: Tensor, max_labels: int) -> Tensor:
    """The scores of the best types of each pair, and zero for the others.

    scores (Tensor): [P, R] float. The scores.
    max_labels (int): How many types a pair keeps.
    RETURNS (Tensor): [P, R]
    """
    if scores.shape[1] <= max_labels:
        return scores
    best = scores.topk(max_labels, dim=1)
    return torch.zeros_like(scores).scatter(1, best.indices, best.values)
