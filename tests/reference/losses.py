"""Losses, one pair and type at a time."""

import numpy as np


def slow_adaptive_threshold_loss(logits, threshold, labels):
    """Equations 6 to 8 of the ATLOP paper, one pair and type at a time."""
    losses = []
    for pair in range(len(logits)):
        positives = [r for r in range(logits.shape[1]) if labels[pair, r]]
        negatives = [r for r in range(logits.shape[1]) if not labels[pair, r]]
        exp_th = np.exp(threshold[pair])
        above = sum(np.exp(logits[pair, r]) for r in positives) + exp_th
        below = sum(np.exp(logits[pair, r]) for r in negatives) + exp_th
        loss = -np.log(exp_th / below)
        loss -= sum(np.log(np.exp(logits[pair, r]) / above) for r in positives)
        losses.append(loss)
    return losses


def slow_balanced_softmax_loss(logits, threshold, labels):
    """Equation 9 of the PAEE paper, one pair at a time."""
    losses = []
    for scores, th, gold in zip(logits, threshold, labels, strict=True):
        below = np.exp(th) + sum(np.exp(scores[r]) for r in range(len(scores)) if not gold[r])
        above = np.exp(-th) + sum(np.exp(-scores[r]) for r in range(len(scores)) if gold[r])
        losses.append(np.log(below) + np.log(above))
    return losses
