"""F1 of pairs' scores, against a loop over all thresholds."""

import pytest
import torch

from spacy_docre.experiments.pair_f1 import best_f1, best_types, f1_at


def slow_f1(scores, labels, n_gold, threshold):
    cells = list(zip(scores.flatten().tolist(), labels.flatten().tolist(), strict=True))
    predicted = [gold for score, gold in cells if score > threshold]
    correct = sum(predicted)
    p, r = correct / max(1, len(predicted)), correct / max(1, n_gold)
    return 2 * p * r / (p + r) if p + r else 0.0


@pytest.mark.parametrize("seed", range(5))
def test_f1_equals_a_loop(seed):
    torch.manual_seed(seed)
    # Few values, so that some are equal.
    scores, labels = torch.randint(0, 6, (7, 3)) / 6, torch.rand(7, 3) < 0.3
    n_gold = int(labels.sum()) + 2
    for threshold in (0.0, 0.4, 0.9):
        expected = slow_f1(scores, labels, n_gold, threshold)
        assert f1_at(scores, labels, n_gold, threshold) == pytest.approx(expected)
    threshold, f1 = best_f1(scores, labels, n_gold)
    every = [slow_f1(scores, labels, n_gold, t / 12) for t in range(12)]
    assert f1 == pytest.approx(max(every))
    assert f1_at(scores, labels, n_gold, threshold) == pytest.approx(f1)


def test_a_pair_keeps_its_best_types():
    scores = torch.tensor([[0.1, 0.9, 0.5], [0.3, 0.2, 0.1]])
    assert best_types(scores, 2).tolist() == [
        [0.0, *scores[0, 1:].tolist()],
        [*scores[1, :2].tolist(), 0.0],
    ]
    assert torch.equal(best_types(scores, 4), scores)
