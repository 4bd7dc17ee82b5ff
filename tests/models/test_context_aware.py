"""The Context-Aware head against its equations, one pair at a time in numpy float64."""

import pytest
import torch

from spacy_docre import DocreError
from spacy_docre.models.heads.context_aware import ContextAwareHead
from spacy_docre.models.torch_head import HeadSizes

from ..reference.layers import slow_classifier, slow_pooled_bilinear
from ..util import JACOBIANS, random_encoding
from .heads import check_gradients, check_scores

ENTITIES = [[3], [2, 5, 3], [1, 4], [0, 2, 0, 3], [1, 0]]
SETTINGS = [
    {"reduced_width": 0, "distance_width": 0, "context": "full", "include_self": False},
    {"reduced_width": 4, "distance_width": 3, "context": "low_rank", "include_self": False},
    {"reduced_width": 4, "distance_width": 0, "context": "diagonal", "include_self": True},
    {"reduced_width": 4, "distance_width": 0, "loss": "adaptive_threshold"},
    {"reduced_width": 4, "max_attended": 3},
    {"reduced_width": 4, "max_attended": 1, "loss": "adaptive_threshold"},
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
    pairs = slow_pooled_bilinear(head.pairs, encoding)
    expected = slow_classifier(head.classifier, pairs, encoding.index).reshape(-1, head.n_outputs)
    check_scores(head(encoding), expected, head.has_threshold)


def test_at_least_one_pair_is_attended_to():
    with pytest.raises(DocreError, match=r"max_attended.*at least 1"):
        make_head(max_attended=0)


@JACOBIANS
@pytest.mark.parametrize("settings", SETTINGS)
def test_head_gradients(settings, fast_mode):
    check_gradients(make_head(**settings), random_encoding(2, [2, 3], max_length=4), fast_mode)
