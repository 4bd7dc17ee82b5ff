"""The ATLOP head against its equations, one pair at a time in numpy float64."""

import numpy as np
import pytest
import torch

from spacy_docre.errors import DocreError
from spacy_docre.models.layers.blocks import block_limit
from spacy_docre.models.layers.context import localized_context
from spacy_docre.models.layers.grouped_bilinear import GroupedBilinear

from ..reference.layers import slow_context, slow_grouped_bilinear, slow_logsumexp
from ..util import JACOBIANS, random_encoding
from .heads import check_gradients, small_atlop

ENTITIES = [[3], [2, 5, 3], [1, 4], [0, 2, 0, 3], [1, 0]]


def slow_atlop(head_module, encoding, evidence_threshold=None):
    """Equations 1, 12, 13 and 5 of the paper."""
    index = encoding.index
    entity = slow_logsumexp(encoding)

    def project(layer, vector):
        return np.tanh(layer.weight.detach().numpy() @ vector + layer.bias.detach().numpy())

    rows = []
    for h, t in zip(index.pair_head.tolist(), index.pair_tail.tolist(), strict=True):
        c = slow_context(encoding, h, t, evidence_threshold)
        z_h = project(head_module.head_projection, np.concatenate([entity[h], c]))
        z_t = project(head_module.tail_projection, np.concatenate([entity[t], c]))
        rows.append(slow_grouped_bilinear(head_module.bilinear, z_h, z_t))
    return np.array(rows).reshape(-1, len(head_module.bilinear.bias))


@pytest.mark.parametrize("entities", ENTITIES)
def test_head_equals_the_equations(entities):
    encoding, head = random_encoding(1, entities), small_atlop()
    output = head(encoding)
    expected = slow_atlop(head, encoding)
    np.testing.assert_allclose(output.threshold.detach(), expected[:, 0], atol=1e-9)
    np.testing.assert_allclose(output.logits.detach(), expected[:, 1:], atol=1e-9)


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.4, 1.0])
@pytest.mark.parametrize("entities", ENTITIES)
def test_fusion_with_the_evidence_equals_the_equations(entities, threshold):
    encoding, head = random_encoding(5, entities), small_atlop()
    head.evidence_fusion, head.evidence_threshold = True, threshold
    whole = slow_atlop(head, encoding)
    np.testing.assert_allclose(head(encoding).logits.detach(), whole[:, 1:], atol=1e-9)
    fused = (whole + slow_atlop(head, encoding, threshold)) / 2
    output = head.eval()(encoding)
    np.testing.assert_allclose(output.threshold.detach(), fused[:, 0], atol=1e-9)
    np.testing.assert_allclose(output.logits.detach(), fused[:, 1:], atol=1e-9)
    with torch.no_grad(), block_limit(64):
        np.testing.assert_allclose(head(encoding).logits, fused[:, 1:], atol=1e-9)


@JACOBIANS
def test_head_gradients(fast_mode):
    check_gradients(small_atlop(), random_encoding(2, [2, 3]), fast_mode)


@pytest.mark.parametrize("entities", ENTITIES)
def test_blocks_at_inference_change_nothing(entities):
    encoding, head = random_encoding(3, entities), small_atlop()
    expected = head(encoding).scores().detach()
    with torch.no_grad(), block_limit(64):
        np.testing.assert_allclose(head(encoding).scores(), expected, atol=1e-12)


def test_context_of_entities_that_share_no_attention_is_zero():
    encoding = random_encoding(4, [2])
    attention = torch.zeros_like(encoding.attention)
    is_first = encoding.index.mention_entity == 0
    attention[:, is_first, 0] = 1.0
    attention[:, ~is_first, 1] = 1.0
    encoding = type(encoding)(encoding.tokens, encoding.mention, attention, encoding.index)
    assert localized_context(encoding).abs().max() == 0


def test_width_must_be_a_multiple_of_the_block():
    with pytest.raises(DocreError, match="D016"):
        GroupedBilinear(10, 3, block=4)
