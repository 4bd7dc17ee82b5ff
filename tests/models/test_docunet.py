"""The DocuNet head against its equations, one pair at a time in numpy float64."""

import numpy as np
import pytest
import torch

from spacy_docre.models.encoding import Targets
from spacy_docre.models.layers.blocks import block_limit
from spacy_docre.models.layers.pair_map import in_order_of_mention

from ..reference.layers import slow_context, slow_grouped_bilinear, slow_logsumexp
from ..reference.losses import slow_balanced_softmax_loss
from ..reference.networks import slow_linear, slow_pair_map
from ..util import JACOBIANS, random_encoding
from .heads import check_gradients, small_docunet

ENTITIES = [[3], [2, 6, 3], [1, 4], [0, 2, 0, 3], [1, 0], [0]]


def slow_docunet(module, encoding):
    index = in_order_of_mention(encoding.index)
    entity = slow_logsumexp(encoding)
    features = {}
    for doc in range(index.n_docs):
        own = sorted(
            (index.entity_doc == doc).nonzero()[:, 0].tolist(), key=lambda i: index.entity_slot[i]
        )
        if own:
            matrix = [
                [slow_linear(module.reduce, slow_context(encoding, h, t)) for t in own] for h in own
            ]
            result = slow_pair_map(module.pair_map, np.array(matrix))
            for i, h in enumerate(own):
                features |= {(h, t): result[i, j] for j, t in enumerate(own)}
    rows = []
    for h, t in zip(index.pair_head.tolist(), index.pair_tail.tolist(), strict=True):
        joined = [np.concatenate([entity[e], features[h, t]]) for e in (h, t)]
        z_h = np.tanh(slow_linear(module.head_projection, joined[0]))
        z_t = np.tanh(slow_linear(module.tail_projection, joined[1]))
        rows.append(slow_grouped_bilinear(module.bilinear, z_h, z_t))
    return np.array(rows).reshape(-1, len(module.bilinear.bias))


@pytest.mark.parametrize("entities", ENTITIES)
def test_head_equals_the_equations(entities):
    encoding, head = random_encoding(1, entities), small_docunet()
    output = head(encoding)
    np.testing.assert_allclose(output.logits.detach(), slow_docunet(head, encoding), atol=1e-9)
    assert (output.threshold == 0).all()


def test_loss_equals_the_equation():
    encoding, head = random_encoding(2, [3, 2]), small_docunet()
    output = head(encoding)
    labels, mask = torch.rand(8, 3) < 0.3, torch.rand(8) < 0.7
    losses = slow_balanced_softmax_loss(output.logits.detach().numpy(), np.zeros(8), labels)
    expected = np.mean(np.array(losses)[mask.numpy()])
    assert head.loss(output, Targets(labels, mask)).item() == pytest.approx(expected, abs=1e-9)


@JACOBIANS
def test_head_gradients(fast_mode):
    check_gradients(small_docunet(), random_encoding(3, [2, 3]), fast_mode)


@pytest.mark.parametrize("entities", ENTITIES)
def test_blocks_at_inference_change_nothing(entities):
    encoding, head = random_encoding(4, entities), small_docunet()
    expected = head(encoding).scores().detach()
    with torch.no_grad(), block_limit(64):
        np.testing.assert_allclose(head(encoding).scores(), expected, atol=1e-12)
