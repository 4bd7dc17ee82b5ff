"""The LSR head against its equations, one tree, node and pair at a time in numpy float64."""

from itertools import product

import numpy as np
import pytest
import torch

from spacy_docre.errors import DocreError
from spacy_docre.models.heads.lsr import LSRHead
from spacy_docre.models.layers.latent_structure import tree_marginals
from spacy_docre.models.torch_head import HeadSizes

from ..reference.layers import array, linear, pairs_of, slow_reduced_mentions
from ..util import JACOBIANS, random_encoding
from .heads import check_gradients, check_scores

ENTITIES = [[3], [2, 6, 3], [0, 2, 0, 3], [1, 0], [0]]


def small_lsr(**settings):
    torch.manual_seed(0)
    sizes = HeadSizes(width=6, n_heads=2, n_labels=3, n_types=3)
    settings = {"width": 12, "sublayers": (3, 2)} | settings
    head = LSRHead(sizes, **settings, dropout=0.0, graph_dropout=0.0).double()
    for structure in head.structures:
        torch.nn.init.normal_(structure.form)
    return head


def trees(n):
    """The parent of each node, None for the root, in every tree over n nodes."""
    for parents in product([None, *range(n)], repeat=n):
        if parents.count(None) == 1 and all(reaches_root(parents, j) for j in range(n)):
            yield parents


def reaches_root(parents, node):
    for _ in parents:
        if node is None:
            return True
        node = parents[node]
    return node is None


def enumerated_marginals(edge, root):
    """By listing all trees."""
    n, every = len(root), list(trees(len(root)))
    scores = np.array(
        [
            sum(root[j] if i is None else edge[i, j] for j, i in enumerate(parents))
            for parents in every
        ]
    )
    weights = np.exp(scores - scores.max())
    total = np.zeros((n, n))
    for parents, weight in zip(every, weights / weights.sum(), strict=True):
        for j, i in enumerate(parents):
            if i is not None:
                total[i, j] += weight
    return total


def random_scores(n, scale, seed=0):
    generator = torch.Generator().manual_seed(seed)
    edge, root = (
        scale * torch.randn(2, *shape, generator=generator, dtype=torch.float64)
        for shape in ((n, n), (n,))
    )
    return edge, root


def check_marginals(edge, root, atol):
    found = tree_marginals(edge, root, torch.ones_like(root, dtype=torch.bool))
    for marginal, *scores in zip(found, edge, root, strict=True):
        expected = enumerated_marginals(*map(array, scores))
        np.testing.assert_allclose(array(marginal), expected, atol=atol)


def test_there_are_as_many_trees_as_cayley_has_it():
    assert [len(list(trees(n))) for n in range(1, 6)] == [n ** (n - 1) for n in range(1, 6)]


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("shift", [0.0, 800.0, -800.0])
def test_marginals_are_those_of_all_trees(n, shift):
    edge, root = random_scores(n, 2.0)
    check_marginals(edge + shift, root - shift / 2, 1e-9)


def test_marginals_of_two_groups_that_hardly_know_each_other():
    edge = torch.full((1, 4, 4), -8.0, dtype=torch.float64)
    edge[:, :2, :2] = edge[:, 2:, 2:] = 8.0
    edge[:, 1, 2] = -7.0
    check_marginals(edge, torch.tensor([[1.0, 0.0, 0.0, 2.0]]).double(), 1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
def test_marginals_of_extreme_scores_are_probabilities(scale, dtype):
    edge, root = (scores.to(dtype).requires_grad_() for scores in random_scores(40, scale))
    marginals = tree_marginals(edge, root, torch.ones_like(root, dtype=torch.bool))
    assert marginals.min() > -1e-5
    into = marginals.sum(dim=1)
    assert into.max() < 1 + 1e-5
    # There is one root.
    np.testing.assert_allclose(array((1 - into).sum(dim=1)), 1.0, atol=1e-5)
    (marginals * torch.randn_like(marginals)).sum().backward()
    assert edge.grad.isfinite().all()
    assert root.grad.isfinite().all()


def test_what_diverged_is_no_error_here_but_told_of_by_the_training_loop():
    edge, root = random_scores(3, 1.0)
    edge[0, 0, 1] = torch.nan
    marginals = tree_marginals(edge, root, torch.ones_like(root, dtype=torch.bool))
    assert marginals[0].isnan().any()
    assert marginals[1:].isfinite().all()


def test_nodes_that_do_not_exist_change_no_marginal():
    edge, root = random_scores(5, 2.0)
    exist = torch.tensor([[True, False, True, True, False], [False] * 5])
    found = tree_marginals(edge, root, exist)
    own = exist[0].nonzero()[:, 0]
    expected = torch.zeros(2, 5, 5, dtype=torch.float64)
    small = torch.ones(1, len(own), dtype=torch.bool)
    (alone,) = tree_marginals(edge[:1, own][:, :, own], root[:1, own], small)
    expected[0, own[:, None], own] = alone
    np.testing.assert_allclose(array(found), array(expected), atol=1e-12)


@JACOBIANS
def test_marginals_gradients(fast_mode):
    edge, root = (scores.requires_grad_() for scores in random_scores(4, 1.0))
    exist = torch.tensor([[True] * 4, [True, True, False, False]])
    inputs = (edge, root)
    assert torch.autograd.gradcheck(
        lambda *scores: tree_marginals(*scores, exist), inputs, fast_mode=fast_mode
    )


def koo_marginals(edge, root):
    """The equation, cell by cell, of scores that no care need be taken of."""
    n = len(root)
    p = np.exp(edge) * (1 - np.eye(n))
    laplacian = np.array(
        [[p[:, j].sum() if i == j else -p[i, j] for j in range(n)] for i in range(n)]
    )
    laplacian[0] = np.exp(root)
    inverse = np.linalg.inv(laplacian)
    found = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            found[i, j] = (j != 0) * p[i, j] * inverse[j, j] - (i != 0) * p[i, j] * inverse[j, i]
    return found


def slow_structure(module, nodes):
    parents = [np.tanh(linear(module.parent, node)) for node in nodes]
    children = [np.tanh(linear(module.child, node)) for node in nodes]
    edge = np.array([[p @ array(module.form) @ c for c in children] for p in parents])
    return koo_marginals(edge, np.array([linear(module.root, node)[0] for node in nodes]))


def slow_convolution(module, nodes, marginals):
    every = range(len(nodes))
    levels = [[node] for node in nodes]
    for layer in module.sublayers:
        seen = [np.concatenate(level) for level in levels]
        for j in every:
            near = sum((marginals[i, j] * seen[i] for i in every), seen[j])
            near = near / (sum(marginals[i, j] for i in every) + 1)
            levels[j].append(np.maximum(linear(layer, near), 0))
    return [linear(module.output, np.concatenate(level[1:]) + level[0]) for level in levels]


def slow_lsr(module, encoding):
    index = encoding.index
    mentions = slow_reduced_mentions(encoding, module.reduction, "words")
    entities = {}
    for doc in range(index.n_docs):
        own = (index.entity_doc == doc).nonzero()[:, 0].tolist()
        if not own:
            continue
        parts = [[m for m, o in enumerate(index.mention_entity.tolist()) if o == e] for e in own]
        # In another order than the head's: which node is the first makes no difference.
        nodes = [mentions[m] for part in parts for m in part]
        nodes += [np.mean([mentions[m] for m in part], axis=0) for part in parts]
        for structure, convolution in zip(module.structures, module.convolutions, strict=True):
            nodes = slow_convolution(convolution, nodes, slow_structure(structure, nodes))
        entities |= dict(zip(own, nodes[-len(own) :], strict=True))
    weight, bias = array(module.classifier.weight), array(module.classifier.bias)
    rows = [
        [entities[h] @ weight[r] @ entities[t] + bias[r] for r in range(len(bias))]
        for h, t in pairs_of(index)
    ]
    return np.array(rows).reshape(-1, len(bias))


@pytest.mark.parametrize("sublayers", [(), (1,), (3, 2)])
@pytest.mark.parametrize("entities", ENTITIES)
def test_head_equals_the_equations(entities, sublayers):
    encoding, head = random_encoding(1, entities, max_length=15), small_lsr(sublayers=sublayers)
    check_scores(head(encoding), slow_lsr(head, encoding), has_threshold=False)


@JACOBIANS
def test_head_gradients(fast_mode):
    check_gradients(small_lsr(), random_encoding(3, [2, 3, 0]), fast_mode)


@pytest.mark.parametrize("sublayers", [(5,), (3, 0)])
def test_sublayers_must_divide_the_width(sublayers):
    with pytest.raises(DocreError, match="D020"):
        small_lsr(sublayers=sublayers)
