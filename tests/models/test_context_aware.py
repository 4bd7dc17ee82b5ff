"""The Context-Aware head against its equations, one pair at a time in numpy float64."""

import numpy as np
import pytest
import torch

from spacy_docre.models.encoding import Encoding
from spacy_docre.models.heads.context_aware import ContextAwareHead
from spacy_docre.models.torch_head import HeadSizes

from ..reference.layers import array, slow_classifier, slow_pooled_bilinear
from ..util import JACOBIANS, random_encoding

ENTITIES = [[3], [2, 5, 3], [1, 4], [0, 2, 0, 3], [1, 0]]
SETTINGS = [
    {"reduced_width": 0, "distance_width": 0, "context": "full", "include_self": False},
    {"reduced_width": 4, "distance_width": 3, "context": "low_rank", "include_self": False},
    {"reduced_width": 4, "distance_width": 0, "context": "diagonal", "include_self": True},
    {"reduced_width": 4, "distance_width": 0, "loss": "adaptive_threshold"},
]


def make_head(**settings):
    torch.manual_seed(0)
    sizes = HeadSizes(width=6, n_heads=2, n_labels=3, n_types=3)
    head = ContextAwareHead(sizes, pair_width=5, rank=2, **settings).double().eval()
    for parameter in head.classifier.context.parameters():
        torch.nn.init.normal_(parameter)
    return head


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("entities", ENTITIES)
def test_head_equals_the_equations(entities, settings):
    encoding, head = random_encoding(1, entities, max_length=15), make_head(**settings)
    output = head(encoding)
    pairs = slow_pooled_bilinear(head.pairs, encoding)
    expected = slow_classifier(head.classifier, pairs, encoding.index).reshape(-1, head.n_outputs)
    if not head.has_threshold:
        expected = np.pad(expected, ((0, 0), (1, 0)))
    np.testing.assert_allclose(array(output.threshold), expected[:, 0], atol=1e-9)
    np.testing.assert_allclose(array(output.logits), expected[:, 1:], atol=1e-9)


@JACOBIANS
@pytest.mark.parametrize("settings", SETTINGS)
def test_head_gradients(settings, fast_mode):
    encoding, head = random_encoding(2, [2, 3], max_length=4).detached(), make_head(**settings)

    def run(tokens, mention, attention):
        return head(Encoding(tokens, mention, attention, encoding.index)).logits

    assert torch.autograd.gradcheck(run, encoding.tensors, fast_mode=fast_mode)
