"""The attention over pairs against its equation, one pair at a time in numpy float64."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spacy_docre.models.layers import pair_context
from spacy_docre.models.layers.pair_context import PairContext

from ..reference.layers import array, slow_contexts
from ..util import random_encoding

ENTITIES = [[3], [2, 4, 3], [1, 4], [0, 2, 0, 3], [1, 0]]
FORMS = ["full", "low_rank", "diagonal"]


def make_context(form, include_self):
    context = PairContext(5, form=form, rank=2, include_self=include_self).double()
    for parameter in context.parameters():
        torch.nn.init.normal_(parameter)
    return context


def random_pairs(seed, entities):
    index = random_encoding(seed, entities).index
    return torch.randn(len(index.pair_head), 5, dtype=torch.float64, requires_grad=True), index


@pytest.mark.parametrize("rows", [1, 3, 256])
@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("entities", ENTITIES)
def test_equals_the_equation_in_blocks_of_any_size(entities, form, include_self, rows, monkeypatch):
    monkeypatch.setattr(pair_context, "BLOCK_ROWS", rows)
    context = make_context(form, include_self)
    pairs, index = random_pairs(0, entities)
    expected = np.reshape(slow_contexts(context, array(pairs), index), (-1, 5))
    np.testing.assert_allclose(array(context(pairs, pairs, index)), expected, atol=1e-9)


@pytest.mark.parametrize("rows", [3, 256])
@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_gradients(form, include_self, rows, monkeypatch):
    monkeypatch.setattr(pair_context, "BLOCK_ROWS", rows)
    context = make_context(form, include_self)
    pairs, index = random_pairs(1, [3, 1, 2])
    values = torch.randn(len(pairs), 2, dtype=torch.float64, requires_grad=True)
    parameters = tuple(context.parameters())
    assert torch.autograd.gradcheck(
        lambda pairs, values, *_: context(pairs, values, index), (pairs, values, *parameters)
    )


@pytest.mark.parametrize("rows", [1, 3, 256])
@pytest.mark.parametrize("include_self", [True, False])
def test_some_pairs_can_be_attended_to(include_self, rows, monkeypatch):
    monkeypatch.setattr(pair_context, "BLOCK_ROWS", rows)
    context = make_context("low_rank", include_self)
    pairs, index = random_pairs(3, [3, 2, 0, 4])
    attended = torch.tensor([1, 4, 7, 8, 11, 19])
    values = pairs[attended].detach().requires_grad_()
    expected = slow_contexts(context, array(pairs), index, attended.tolist())
    actual = context(pairs, values, index, attended=attended)
    np.testing.assert_allclose(array(actual), np.array(expected), atol=1e-9)
    asking = torch.tensor([0, 1, 6, 9, 19])
    torch.testing.assert_close(context(pairs, values, index, asking, attended), actual[asking])
    assert torch.autograd.gradcheck(
        lambda pairs, values: context(pairs, values, index, asking, attended), (pairs, values)
    )


def test_a_pair_alone_in_its_document_has_no_other_to_attend_to():
    pairs, index = random_pairs(2, [2, 3])
    kept = torch.tensor([0, 2, 3, 4, 5, 6, 7])
    index = replace(
        index,
        **{name: getattr(index, name)[kept] for name in ("pair_head", "pair_tail", "pair_doc")},
    )
    pairs = pairs[kept].detach().requires_grad_()
    context = make_context("full", include_self=False)(pairs, pairs, index)
    assert context[0].tolist() == [0.0] * 5
    context[0].sum().backward()
    assert pairs.grad.abs().max() == 0


def test_scores_start_small_enough_for_the_softmax_to_learn():
    for form in FORMS:
        context = PairContext(400, form=form, rank=16, include_self=True)
        pairs = torch.randn(50, 400)
        scores = context.query(pairs) @ context.key(pairs).T
        assert scores.std() < 1.5
