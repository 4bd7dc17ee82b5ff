"""Weights in smaller forms: what remains of them, what is stored, what is refused."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save

from spacy_docre.models.storage import POWER_OF_TWO, read_weights, rounded, write_weights
from spacy_docre.models.weights import FormatError

SEEDS = st.integers(0, 2**32)
MAGNITUDES = st.integers(-140, 100)


def random_rows(seed, magnitude, width=40):
    generator = torch.Generator().manual_seed(seed)
    factors = 2.0 ** torch.linspace(magnitude - 3, magnitude + 3, 5)
    return torch.randn((5, width), generator=generator) * factors[:, None]


@given(SEEDS, MAGNITUDES, st.sampled_from([8, POWER_OF_TWO]))
def test_no_weight_moves_by_more_than_half_a_scale(seed, magnitude, free_bits):
    weights = random_rows(seed, magnitude)
    again = rounded(weights, 8, free_bits=free_bits)
    # The rows' scales, of which the last bits are 0, are at most so much larger.
    more = 1 + 2.0 ** (free_bits - 23)
    scales = weights.abs().amax(1).double().div(127).clamp(min=2.0**-126) * more
    error = (weights.double() - again.double()).abs()
    # A quotient that is rounded to the middle of two integers goes to either.
    assert (error <= scales[:, None] / 2 * (1 + 1e-4)).all()
    assert torch.equal(rounded(again, 8, free_bits=free_bits), again)


@given(SEEDS, MAGNITUDES, st.sampled_from([8, 16]))
def test_what_was_rounded_is_stored_in_fewer_bits_and_nothing_is_lost(seed, magnitude, bits):
    weights = {"w": rounded(random_rows(seed, magnitude, 4096), bits), "b": torch.randn(9)}
    data = write_weights(weights)
    again = read_weights(data)
    assert again.keys() == weights.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in weights.items())
    assert write_weights(again) == data
    if -20 < magnitude < 10:
        assert len(data) < 5 * 4096 * bits / 8 + 500


def test_by_hand():
    # 127 steps of 0.5 are the largest weight; 0.2 is nearer to 0 than to 0.5, -0.3 is not.
    row = torch.tensor([[63.5, 0.2, -0.3, 10.0] * 4])
    assert rounded(row, 8)[0, :4].tolist() == [63.5, 0.0, -0.5, 10.0]
    assert rounded(torch.full((1, 16), 0.1), 16).unique().tolist() == [0.0999755859375]
    # 1 / 127 is between 2^-7 and 2^-6.
    row = torch.tensor([[1.0, 0.01] * 8])
    assert rounded(row, 8, free_bits=POWER_OF_TWO)[0, :2].tolist() == [1.0, 1 / 64]


def test_what_stays():
    generator = torch.Generator().manual_seed(0)
    stays = [
        torch.randn(100, generator=generator),
        torch.randn((100, 3), generator=generator),
        torch.randn((0, 20)),
        torch.randn((4, 20), generator=generator).double(),
        torch.tensor([[float("nan"), 1.1] * 10]),
        torch.tensor([[float("inf"), 1.1] * 10]),
    ]
    for tensor in stays:
        assert rounded(tensor, 8) is tensor
        assert rounded(tensor, 16) is tensor
        stored = load(write_weights({"w": tensor}))
        assert stored["w"].numpy().tobytes() == tensor.numpy().tobytes()
    too_large = torch.full((2, 20), 1e5 / 3)
    too_large[0, 0] = 1e5
    assert rounded(too_large, 16) is too_large


def test_what_is_trained_further_is_stored_as_it_is():
    weights = rounded(torch.randn((7, 50)), 8)
    assert set(load(write_weights({"w": weights}))) == {"w:int8", "w:scales"}
    weights[6, 49] += 1e-6
    assert set(load(write_weights({"w": weights}))) == {"w"}


def broken(change):
    stored = load(write_weights({"w": rounded(torch.randn((4, 20)), 8)}))
    return save(change(stored))


def with_scales(**scales):
    return lambda stored: {**stored, "w:scales": torch.tensor([1.0, 1.0, 1.0, *scales.values()])}


BROKEN = {
    "negative": (with_scales(x=-1.0), "not positive numbers"),
    "zero": (with_scales(x=0.0), "not positive numbers"),
    "nan": (with_scales(x=float("nan")), "not positive numbers"),
    "infinite": (with_scales(x=float("inf")), "not positive numbers"),
    "too few": (with_scales(), "float32 [3] instead of float32 [4]"),
    "double": (lambda s: {**s, "w:scales": s["w:scales"].double()}, "float64"),
    "a matrix": (lambda s: {**s, "w:scales": torch.ones(4, 20)}, "[4, 20]"),
    "no scales": (lambda s: {"w:int8": s["w:int8"]}, "scales of the tensor 'w' are missing"),
    "no integers": (lambda s: {"w:scales": s["w:scales"]}, "'w:scales' belongs to are missing"),
    "other integers": (lambda s: {**s, "w:int8": s["w:int8"].short()}, "8-bit integers"),
    "a vector": (lambda s: {**s, "w:int8": s["w:int8"][:, 0].clone()}, "no matrix"),
    "-128": (lambda s: {**s, "w:int8": torch.full((4, 20), -128).to(torch.int8)}, "below -127"),
    "twice": (lambda s: {**s, "w": torch.ones(4, 20)}, "'w' is there twice"),
    "both": (lambda s: {**s, "w:float16": torch.ones(4, 20).half()}, "'w' is there twice"),
    "no halves": (lambda s: {"w:float16": torch.ones(4, 20)}, "of the type torch.float32"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_forms_are_refused(kind):
    change, words = BROKEN[kind]
    with pytest.raises(FormatError, match=re.escape(words)):
        read_weights(broken(change))
