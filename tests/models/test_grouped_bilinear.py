"""The grouped bilinear form in parts of any size, forwards and backwards."""

import numpy as np
import pytest
import torch

from spacy_docre.models.layers import grouped_bilinear
from spacy_docre.models.layers.asked_types import AskedTypes
from spacy_docre.models.layers.blocks import block_limit
from spacy_docre.models.layers.grouped_bilinear import GroupedBilinear

from ..reference.layers import slow_grouped_bilinear
from ..util import JACOBIANS

SHAPES = [(12, 1), (12, 3), (12, 4), (12, 12), (5, 5)]
# `gradcheck` moves each of their weights by itself.
NARROW_SHAPES = [(6, 1), (6, 2), (6, 3), (6, 6), (5, 5)]


@pytest.fixture(params=[(7, 20), (40, 100), (2**12, 2**20)])
def sizes(request, monkeypatch):
    """How many products are made at once."""
    monkeypatch.setattr(grouped_bilinear, "PAIR_PRODUCTS", request.param[0])
    monkeypatch.setattr(grouped_bilinear, "CACHED_PRODUCTS", request.param[1])


def make_form(width, block, n_pairs, n_views):
    torch.manual_seed(0)
    form = GroupedBilinear(width, 3, block).double()
    shape = (2 * n_views, n_pairs, width)
    return form, torch.randn(shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("n_views", [1, 3])
@pytest.mark.parametrize("n_pairs", [0, 1, 9])
@pytest.mark.parametrize(("width", "block"), SHAPES)
def test_parts_of_any_size_give_the_equation(width, block, n_pairs, n_views):
    form, ends = make_form(width, block, n_pairs, n_views)
    views = ends.detach().numpy().reshape(n_views, 2, n_pairs, width)
    expected = [
        np.mean([slow_grouped_bilinear(form, *view[:, i]) for view in views], axis=0)
        for i in range(n_pairs)
    ]
    result = form(*ends).detach().numpy()
    np.testing.assert_allclose(result, np.reshape(expected, (n_pairs, 3)), atol=1e-12)


@JACOBIANS
@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("n_views", [1, 2])
@pytest.mark.parametrize(("width", "block"), NARROW_SHAPES)
def test_gradients(width, block, n_views, fast_mode):
    form, ends = make_form(width, block, 4, n_views)

    def run(weight, bias, ends):
        return torch.func.functional_call(form, {"weight": weight, "bias": bias}, tuple(ends))

    assert torch.autograd.gradcheck(run, (form.weight, form.bias, ends), fast_mode=fast_mode)


def test_a_vector_that_is_head_and_tail_has_the_gradient_of_both():
    form, ends = make_form(12, 4, 5, 1)
    form(ends[0], ends[0]).sum().backward()
    of_both = ends.grad.clone()
    ends.grad = None
    form(ends[0], ends[0].detach()).sum().backward()
    of_head = ends.grad.clone()
    ends.grad = None
    form(ends[0].detach(), ends[0]).sum().backward()
    torch.testing.assert_close(of_both, of_head + ends.grad)


def test_under_autocast_products_are_rounded_and_sums_are_not():
    form, ends = make_form(64, 16, 20, 1)
    form, ends = form.float(), ends.float().detach().requires_grad_()
    form(*ends).square().sum().backward()
    expected = form(*ends).detach(), ends.grad, form.weight.grad.clone()
    form.zero_grad()
    leaf = ends.detach().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = form(*leaf)
    logits.square().sum().backward()
    actual = logits.detach(), leaf.grad, form.weight.grad
    for a, b in zip(actual, expected, strict=True):
        assert a.dtype == torch.float32
        assert not torch.equal(a, b)
        torch.testing.assert_close(a, b, rtol=0, atol=0.02 * b.abs().max().item())


def test_no_more_than_the_limit_is_made_at_once(monkeypatch):
    form, ends = make_form(12, 4, 30, 1)
    made = []
    outer = grouped_bilinear.outer

    def record(*args):
        made.append(outer(*args))
        return made[-1]

    monkeypatch.setattr(grouped_bilinear, "outer", record)
    with block_limit(100):
        total = form(*ends).sum()
    total.backward()
    assert max(products.numel() for products in made) <= 100
    assert sum(products.numel() for products in made) == 2 * 30 * 12 * 4


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("n_views", [1, 2])
@pytest.mark.parametrize(("width", "block"), [(12, 3), (5, 5)])
def test_outputs_that_are_asked_for(width, block, n_views, dtype):
    form, ends = make_form(width, block, 9, n_views)
    form, tolerance = (form, 1e-12) if dtype == torch.float64 else (form.float(), 0.05)
    ends = ends.detach().to(torch.float64 if dtype == torch.float64 else torch.float32)
    every = torch.arange(3)
    asked = [
        AskedTypes(torch.tensor([8, 1]), torch.tensor([0, 2])),
        AskedTypes(torch.tensor([0, 4, 2, 3]), every),
        AskedTypes(torch.tensor([5, 6, 7]), torch.tensor([1])),
        AskedTypes(torch.tensor([], dtype=torch.int64), every[:0]),
    ]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=dtype != torch.float64):
        result = form(*ends, asked=asked)
    expected = form(*ends)
    wanted = torch.zeros(9, 3, dtype=torch.bool)
    for rows, columns in asked:
        wanted[rows[:, None], columns] = True
    torch.testing.assert_close(result[wanted], expected[wanted], atol=tolerance, rtol=tolerance)
    assert (result[~wanted] == torch.finfo(result.dtype).min).all()
