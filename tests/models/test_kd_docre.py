"""The KD-DocRE head against its equations, one pair at a time in numpy float64."""

import numpy as np
import pytest
import torch

from spacy_docre import DocreError
from spacy_docre.models.encoding import Targets
from spacy_docre.models.heads.kd_docre import KDDocREHead
from spacy_docre.models.layers.axial import AxialAttention
from spacy_docre.models.layers.blocks import block_limit
from spacy_docre.models.torch_head import HeadSizes

from ..reference.layers import slow_context, slow_grouped_bilinear, slow_logsumexp
from ..reference.losses import slow_adaptive_focal_loss
from ..reference.networks import slow_linear, slow_norm
from ..util import JACOBIANS, random_encoding
from .heads import check_gradients, check_scores

ENTITIES = [[3], [2, 6, 3], [0, 2, 0, 3], [1, 0], [0]]
HEADS = 2


def small_kd_docre(layers=2):
    torch.manual_seed(0)
    sizes = HeadSizes(width=6, n_heads=2, n_labels=3, n_types=3)
    return KDDocREHead(sizes, hidden=8, block=4, layers=layers, heads=HEADS).double()


def slow_softmax(scores):
    weights = np.exp(scores - scores.max())
    return weights / weights.sum()


def slow_axis(attention, axis, matrix):
    """One row after the other, one cell at a time: the cells of a row attend to each other."""
    weight = attention.projections[axis].weight.detach().numpy()
    width = matrix.shape[2] // HEADS
    result = np.zeros_like(matrix)
    for i, row in enumerate(matrix):
        query, key, value = np.split(row @ weight.T, 3, axis=1)
        for j in range(len(row)):
            found = []
            for head in range(HEADS):
                own = slice(head * width, (head + 1) * width)
                share = slow_softmax(key[:, own] @ query[j, own] / np.sqrt(width))
                found.append(share @ value[:, own])
            result[i, j] = slow_linear(attention.outputs[axis], np.concatenate(found))
    return result


def slow_transformer(module, matrix):
    found = matrix
    for attention, linear, norm in zip(
        module.attentions, module.linears, module.norms, strict=True
    ):
        rows = slow_axis(attention, 0, found)
        columns = slow_axis(attention, 1, found.transpose(1, 0, 2)).transpose(1, 0, 2)
        summed = found + rows + columns
        found = np.array([[slow_norm(norm, slow_linear(linear, c)) for c in row] for row in summed])
    return found + matrix if len(module.attentions) else matrix


def slow_kd_docre(module, encoding):
    index = encoding.index
    entity = slow_logsumexp(encoding)
    features = {}
    for doc in range(index.n_docs):
        own = (index.entity_doc == doc).nonzero()[:, 0].tolist()
        matrix = np.zeros((len(own), len(own), 6))
        for i, h in enumerate(own):
            for j, t in enumerate(own):
                context = slow_context(encoding, h, t)
                z_h, z_t = (
                    np.tanh(slow_linear(projection, np.concatenate([entity[e], context])))
                    for projection, e in ((module.head_projection, h), (module.tail_projection, t))
                )
                matrix[i, j] = slow_grouped_bilinear(module.bilinear, z_h, z_t)
        if own:
            matrix = slow_transformer(module.transformer, matrix)
        features |= {(h, t): matrix[i, j] for i, h in enumerate(own) for j, t in enumerate(own)}
    pairs = zip(index.pair_head.tolist(), index.pair_tail.tolist(), strict=True)
    rows = [slow_linear(module.classifier, features[pair]) for pair in pairs]
    return np.array(rows).reshape(-1, 4)


@pytest.mark.parametrize("layers", [0, 2])
@pytest.mark.parametrize("entities", ENTITIES)
def test_head_equals_the_equations(entities, layers):
    encoding, head = random_encoding(1, entities), small_kd_docre(layers)
    check_scores(head(encoding), slow_kd_docre(head, encoding), has_threshold=True)


def test_loss_equals_the_equation():
    encoding, head = random_encoding(2, [3, 2]), small_kd_docre()
    output = head(encoding)
    labels, mask = torch.rand(8, 3) < 0.3, torch.rand(8) < 0.7
    losses = slow_adaptive_focal_loss(
        output.logits.detach().numpy(), output.threshold.detach().numpy(), labels.numpy()
    )
    expected = np.mean(np.array(losses)[mask.numpy()])
    assert head.loss(output, Targets(labels, mask)).item() == pytest.approx(expected, abs=1e-9)


@JACOBIANS
def test_head_gradients(fast_mode):
    check_gradients(small_kd_docre(), random_encoding(3, [2, 3, 0]), fast_mode)


@pytest.mark.parametrize("entities", ENTITIES)
def test_blocks_at_inference_change_nothing(entities):
    encoding, head = random_encoding(4, entities), small_kd_docre()
    expected = head(encoding).scores().detach()
    with torch.no_grad(), block_limit(64):
        np.testing.assert_allclose(head(encoding).scores(), expected, atol=1e-12)


def test_heads_divide_the_width():
    with pytest.raises(DocreError, match="D020"):
        AxialAttention(6, 4)
