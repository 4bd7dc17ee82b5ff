"""The BRAN head against its equations, one pair of mentions at a time in numpy float64."""

import numpy as np
import pytest
import torch

from spacy_docre.models.heads.bran import BRANHead
from spacy_docre.models.layers.blocks import block_limit
from spacy_docre.models.torch_head import HeadSizes

from ..reference.layers import array, pairs_of
from ..reference.networks import slow_linear
from ..util import JACOBIANS, random_encoding
from .heads import check_gradients, check_scores

ENTITIES = [[3], [2, 6, 3], [0, 2, 0, 3], [1, 0], [0]]


def small_bran():
    torch.manual_seed(0)
    sizes = HeadSizes(width=6, n_heads=2, n_labels=3, n_types=3)
    return BRANHead(sizes, hidden=5, dropout=0.0).double()


def slow_bran(module, encoding):
    owner, mention = encoding.index.mention_entity.tolist(), array(encoding.mention)

    def end(network, vector):
        return slow_linear(network[3], np.maximum(slow_linear(network[0], vector), 0))

    rows = []
    for h, t in pairs_of(encoding.index):
        total = np.zeros(4)
        for i in np.flatnonzero(np.array(owner) == h):
            for j in np.flatnonzero(np.array(owner) == t):
                head, tail = end(module.ends[0], mention[i]), end(module.ends[1], mention[j])
                total += [np.exp(head @ weight @ tail) for weight in array(module.weight)]
        rows.append(np.log(total) + array(module.bias))
    return np.array(rows).reshape(-1, 4)


@pytest.mark.parametrize("entities", ENTITIES)
def test_head_equals_the_equations(entities):
    encoding, head = random_encoding(1, entities), small_bran()
    torch.nn.init.normal_(head.bias)
    check_scores(head(encoding), slow_bran(head, encoding), has_threshold=True)


@JACOBIANS
def test_head_gradients(fast_mode):
    check_gradients(small_bran(), random_encoding(3, [2, 3, 0]), fast_mode)


@pytest.mark.parametrize("entities", ENTITIES)
def test_blocks_at_inference_change_nothing(entities):
    encoding, head = random_encoding(4, entities), small_bran()
    expected = head(encoding).scores().detach()
    with torch.no_grad(), block_limit(64):
        np.testing.assert_allclose(head(encoding).scores(), expected, atol=1e-12)
