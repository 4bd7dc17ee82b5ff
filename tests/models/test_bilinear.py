"""The bilinear head against its equation, one pair at a time in numpy float64."""

import numpy as np
import pytest
import torch

from spacy_docre.models.heads.bilinear import BilinearHead
from spacy_docre.models.torch_head import HeadSizes

from ..reference.layers import (
    array,
    linear,
    pairs_of,
    slow_context,
    slow_pair_context_weights,
    slow_pooled_bilinear,
    slow_reduced_mentions,
)
from ..util import JACOBIANS, random_encoding
from .heads import check_gradients, check_scores

ENTITIES = [[3], [2, 5, 3], [1, 4], [0, 2, 0, 3], [1, 0]]
SETTINGS = [
    {"reduced_width": 0, "distance_width": 0, "loss": "bce"},
    {"reduced_width": 4, "distance_width": 0, "loss": "bce"},
    {"reduced_width": 4, "distance_width": 3, "loss": "bce"},
    {"reduced_width": 4, "distance_width": 0, "loss": "adaptive_threshold"},
    {"reduced_width": 4, "distance_width": 0, "loss": "bce", "reduce": "words"},
]


def make_head(**settings):
    torch.manual_seed(0)
    sizes = HeadSizes(width=6, n_heads=2, n_labels=3, n_types=3)
    head = BilinearHead(sizes, **settings).double().eval()
    torch.nn.init.normal_(head.bilinear.bilinear.bias)
    return head


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("entities", ENTITIES)
def test_head_equals_the_equation(entities, settings):
    encoding, head = random_encoding(1, entities, max_length=15), make_head(**settings)
    expected = slow_pooled_bilinear(head.bilinear, encoding)
    check_scores(head(encoding), expected, settings["loss"] != "bce")


@pytest.mark.parametrize("entities", ENTITIES)
def test_localized_context_is_joined_to_both_entities(entities):
    encoding = random_encoding(1, entities)
    head = make_head(reduced_width=4, distance_width=0, loss="bce", localized_context=True)
    layer, index = head.context_bilinear, encoding.index
    torch.nn.init.normal_(layer.context.bias)
    mentions = slow_reduced_mentions(encoding, head.bilinear.reduction, "mentions")
    weight = slow_pair_context_weights(array(head.bilinear.bilinear.weight), layer)
    bias = array(head.bilinear.bilinear.bias) + array(layer.context.bias)
    expected = []
    for pair in pairs_of(index):
        c = np.tanh(linear(head.context_reduction, slow_context(encoding, *pair)))
        ends = []
        for i in pair:
            own = [m for m, e in zip(mentions, index.mention_entity, strict=True) if e == i]
            ends.append(np.concatenate([np.mean(own, axis=0), c]))
        expected.append([ends[0] @ weight[r] @ ends[1] + bias[r] for r in range(3)])
    logits = array(head(encoding).logits)
    np.testing.assert_allclose(logits, np.reshape(expected, (-1, 3)), atol=1e-9)


@JACOBIANS
@pytest.mark.parametrize("settings", SETTINGS)
def test_head_gradients(settings, fast_mode):
    check_gradients(make_head(**settings), random_encoding(2, [2, 3], max_length=4), fast_mode)
