"""Losses, one pair and type at a time."""

import math

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


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def slow_adaptive_focal_loss(logits, threshold, labels, gamma=1.0):
    """KD-DocRE, one pair and type at a time."""
    losses = []
    for scores, th, gold in zip(logits, threshold, labels, strict=True):
        loss = -np.log(np.exp(th) / (np.exp(th) + sum(np.exp(scores[~gold]))))
        for score in scores[gold]:
            p = np.exp(score) / (np.exp(score) + np.exp(th))
            loss -= (1 - p) ** gamma * np.log(p)
        losses.append(loss)
    return losses


def slow_hinge_balance_loss(logits, threshold, labels, margin=5.0):
    """HingeABL, one pair and type at a time."""
    losses = []
    for scores, th, gold in zip(logits, threshold, labels, strict=True):
        loss = 0.0
        for side, sign in ((gold, 1), (~gold, -1)):
            distances = [max(0, margin - sign * (score - th)) for score in scores[side]]
            for score, distance in zip(scores[side], distances, strict=True):
                if distance:
                    loss -= distance / sum(distances) * np.log(sigmoid(sign * (score - th)))
        losses.append(loss)
    return losses


def slow_none_class_ranking_loss(logits, threshold, labels):
    """NCRL, one pair and type at a time."""
    losses = []
    for scores, th, gold in zip(logits, threshold, labels, strict=True):
        distance = th - np.mean(scores)
        loss = -np.log(1 - sigmoid(distance) if gold.any() else sigmoid(distance))
        for score, is_gold in zip(scores, gold, strict=True):
            loss -= np.log(sigmoid(score - th) if is_gold else 1 - sigmoid(score - th))
        losses.append(loss)
    return losses


def slow_positive_unlabelled_risk(logits, threshold, labels, mask, prior, factor=3.0, margin=0.25):
    """SSR-PU, one type and pair at a time."""

    def mean(values):
        return np.mean([(value - margin) ** 2 / 4 for value in values]) if len(values) else 0.0

    total = 0.0
    for r, labelled in enumerate(prior):
        distance = logits[mask, r] - threshold[mask]
        positive, other = distance[labels[mask, r]], distance[~labels[mask, r]]
        share = factor * labelled
        unlabelled = (share - labelled) / (1 - labelled)
        of_others = (1 - share) / (1 - unlabelled) * mean(-other)
        of_labelled = (unlabelled - unlabelled * share) / (1 - unlabelled) * mean(-positive)
        risk = of_others - of_labelled
        if risk < 0:
            total -= risk
        else:
            total += risk + share * mean(positive) * ((1 - share) / share) ** 0.5
    return total


def slow_divergence(margins, scores, temperature):
    """Hinton et al. 2015, section 2, type by type."""
    losses = np.zeros(len(margins))
    for pair, (row, said) in enumerate(zip(margins, scores, strict=True)):
        for margin, score in zip(row, said, strict=True):
            odds = score / (1 - score)
            p = odds ** (1 / temperature) / (1 + odds ** (1 / temperature))
            q = 1 / (1 + math.exp(-margin / temperature))
            for a, b in ((p, q), (1 - p, 1 - q)):
                losses[pair] += temperature**2 * (a * math.log(a / b) if a else 0)
    return losses
