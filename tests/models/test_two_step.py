"""The two steps against what each head says by itself."""

import numpy as np
import pytest
import torch

from spacy_docre.models.encoding import Targets
from spacy_docre.models.heads.bran import BRANHead
from spacy_docre.models.heads.two_step import TwoStepHead
from spacy_docre.models.torch_head import HeadSizes

from ..reference.losses import slow_adaptive_threshold_loss
from ..util import JACOBIANS, random_encoding
from .heads import check_gradients, random_targets, small_atlop, small_docunet, small_kmgre

ENTITIES = [[3], [2, 5, 3], [0, 2, 0, 3], [1, 0]]


def two_steps(first, second):
    torch.manual_seed(0)
    return TwoStepHead(first(n_labels=1), second(n_labels=3)).eval()


def kmgre(n_labels):
    return small_kmgre(n_labels, second_width=None)


@pytest.mark.parametrize(
    ("first", "second"),
    [(small_atlop, kmgre), (kmgre, small_docunet), (small_docunet, small_atlop)],
)
@pytest.mark.parametrize("entities", ENTITIES)
def test_a_type_holds_where_both_steps_say_so(entities, first, second):
    encoding, head = random_encoding(1, entities), two_steps(first, second)
    scores = head(encoding).scores()
    related, how = head.first(encoding).scores(), head.second(encoding).scores()
    for pair in range(len(encoding.index.pair_head)):
        for label in range(3):
            expected = min(related[pair, 0].item(), how[pair, label].item())
            assert scores[pair, label].item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("entities", ENTITIES)
def test_the_second_step_learns_from_related_pairs(entities):
    encoding, head = random_encoding(2, entities), two_steps(kmgre, kmgre)
    head.first.phase = head.second.phase = "maximization"
    n_pairs = len(encoding.index.pair_head)
    targets = random_targets(n_pairs)
    related = targets.labels.any(dim=1, keepdim=True)
    expected = 0.0
    for step, labels, mask in (
        (head.first, related, targets.mask),
        (head.second, targets.labels, targets.mask & related[:, 0]),
    ):
        output = step(encoding)
        each = slow_adaptive_threshold_loss(
            output.logits.detach().numpy(), output.threshold.detach().numpy(), labels.numpy()
        )
        known = np.array(each)[mask.numpy()]
        expected += known.mean() if len(known) else 0.0
    assert head.loss(head(encoding), targets).item() == pytest.approx(expected, abs=1e-9)


def test_no_related_pair_teaches_the_first_step_alone():
    encoding, head = random_encoding(2, [3]), two_steps(small_atlop, small_atlop)
    targets = Targets(torch.zeros(6, 3, dtype=torch.bool), torch.ones(6, dtype=torch.bool))
    head.loss(head(encoding), targets).backward()
    assert all(p.grad is None or not p.grad.any() for p in head.second.parameters())
    assert any(p.grad.any() for p in head.first.parameters())


@JACOBIANS
def test_gradients(fast_mode):
    check_gradients(two_steps(small_atlop, small_atlop), random_encoding(3, [2, 3, 0]), fast_mode)


def test_start_at_the_share_of_related_pairs_and_of_types_among_them():
    sizes = {"width": 6, "n_heads": 2, "n_types": 3}
    heads = [BRANHead(HeadSizes(n_labels=n, **sizes), hidden=4, loss="bce") for n in (1, 3)]
    head = TwoStepHead(*heads)
    assert head.uses_prior
    head.start_at(torch.tensor([0.06, 0.03, 0.01]))
    assert torch.sigmoid(head.first.bias).tolist() == pytest.approx([0.1])
    assert torch.sigmoid(head.second.bias).tolist() == pytest.approx([0.5, 0.3, 0.1])
