import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_docre.models.layers.segments import (
    segment_logsumexp,
    segment_max,
    segment_mean,
    segment_softmax,
    segment_sum,
)


@st.composite
def ragged(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor, int]:
    n_segments = draw(st.integers(1, 5))
    segment = draw(st.lists(st.integers(0, n_segments - 1), max_size=12))
    values = draw(
        st.lists(
            st.lists(st.floats(-50, 50), min_size=3, max_size=3),
            min_size=len(segment),
            max_size=len(segment),
        )
    )
    tensor = torch.tensor(values, dtype=torch.float64).reshape(-1, 3)
    return tensor, torch.tensor(segment, dtype=torch.int64), n_segments


SLOW = {
    segment_sum: lambda rows: rows.sum(0),
    segment_mean: lambda rows: rows.mean(0) if len(rows) else np.zeros(3),
    segment_max: lambda rows: rows.max(0) if len(rows) else np.zeros(3),
    segment_logsumexp: lambda rows: (
        np.log(np.exp(rows).sum(0)) if len(rows) else np.full(3, -np.inf)
    ),
}


@pytest.mark.parametrize("function", SLOW)
@given(data=ragged())
def test_equals_a_loop_over_segments(function, data):
    values, segment, n_segments = data
    expected = [SLOW[function](values[segment == i].numpy()) for i in range(n_segments)]
    result = function(values, segment, n_segments)
    np.testing.assert_allclose(result.numpy(), np.stack(expected), atol=1e-9)


@pytest.mark.parametrize("function", SLOW)
def test_gradients(function):
    values = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    segment = torch.tensor([0, 2, 0, 1, 2, 2])
    assert torch.autograd.gradcheck(lambda v: function(v, segment, 3), values)


def test_logsumexp_of_large_values_does_not_overflow():
    values = torch.tensor([[1e4], [1e4]])
    result = segment_logsumexp(values, torch.tensor([0, 0]), 1)
    assert result.item() == pytest.approx(1e4 + np.log(2))


@given(ragged())
def test_softmax_equals_a_loop(data):
    values, segment, n_segments = data
    result = segment_softmax(values, segment, n_segments).numpy()
    for i in range(n_segments):
        own = (segment == i).numpy()
        exponentials = np.exp(values.numpy()[own])
        np.testing.assert_allclose(result[own], exponentials / exponentials.sum(0), atol=1e-9)


def test_max_of_single_values():
    values, segment = torch.tensor([3.0, -2.0, 5.0, -1.0]), torch.tensor([0, 2, 0, 2])
    assert segment_max(values, segment, 4).tolist() == [5.0, 0.0, -1.0, 0.0]
