"""The matrix of pairs and the networks over it against loops."""

import math

import numpy as np
import pytest
import torch

from spacy_docre.models.layers.blocks import block_limit
from spacy_docre.models.layers.convolution import ConvStack
from spacy_docre.models.layers.pair_map import (
    PairMap,
    fill_square,
    in_order_of_mention,
    shares_sentence,
)
from spacy_docre.models.layers.sentences import sentence_positions
from spacy_docre.models.layers.tnet import TNet, best_cells
from spacy_docre.models.layers.unet import UNet

from ..reference.networks import slow_pair_map
from ..util import JACOBIANS, random_encoding, rest_slow

ENTITIES = [[3], [2, 5, 3], [1, 4], [0, 2, 0, 3], [1, 0], [0]]
NETWORKS = {
    "tnet": lambda: TNet(3, 4),
    "tnet soft": lambda: TNet(3, 4, fine_share=0.3, selection="soft"),
    "unet": lambda: UNet(3, 4, base=4),
    "conv": lambda: ConvStack(3, 4, depth=2),
}


def make_network(name):
    torch.manual_seed(0)
    return NETWORKS[name]().double().eval()


@pytest.mark.parametrize("entities", ENTITIES)
def test_slots_are_in_the_order_of_first_mentions(entities):
    index = random_encoding(0, entities).index
    ordered = in_order_of_mention(index)
    for doc in range(len(entities)):
        own = (index.entity_doc == doc).nonzero()[:, 0].tolist()

        def first(entity):
            spans = [
                (index.mention_start[m].item(), index.mention_end[m].item())
                for m in range(index.n_mentions)
                if index.mention_entity[m] == entity
            ]
            return min(spans)

        expected = sorted(own, key=first)
        assert sorted(own, key=lambda entity: ordered.entity_slot[entity].item()) == expected
        assert sorted(ordered.entity_slot[own].tolist()) == list(range(len(own)))
    assert ordered.max_entities == max(1, *entities)


@pytest.mark.parametrize("entities", ENTITIES)
def test_sentences_equal_loops(entities):
    index = in_order_of_mention(random_encoding(1, entities).index)
    shared = shares_sentence(index)
    sentences = [
        set(index.mention_sentence[index.mention_entity == i].tolist())
        for i in range(index.n_entities)
    ]
    for a in range(index.n_entities):
        for b in range(index.n_entities):
            if index.entity_doc[a] == index.entity_doc[b]:
                result = shared[index.entity_doc[a], index.entity_slot[a], index.entity_slot[b]]
                assert result == bool(sentences[a] & sentences[b])
    position, longest = sentence_positions(index.sentence_doc, index.n_docs)
    by_doc = [(index.sentence_doc == doc).sum().item() for doc in range(index.n_docs)]
    assert position.tolist() == [i for count in by_doc for i in range(count)]
    assert longest == max(by_doc)


@pytest.mark.parametrize("fill", ["sliding", "zero", "edge"])
def test_square_is_filled_with_the_matrix(fill):
    cells, counts = torch.randn(3, 4, 4, 2), torch.tensor([4, 1, 3])
    square = fill_square(cells, counts, 7, fill)
    for doc, n in enumerate(counts.tolist()):
        for i in range(7):
            for j in range(7):
                expected = cells[doc, i % n, j % n]
                if fill == "edge":
                    expected = cells[doc, min(i, n - 1), min(j, n - 1)]
                if fill == "zero" and not (i < n and j < n):
                    expected = torch.zeros(2)
                assert torch.equal(square[doc, i, j], expected)


@pytest.mark.parametrize("fill", ["sliding", "zero", "edge"])
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    "counts", rest_slow([[3], [2, 5, 4], [0, 6, 1], [9, 2, 7, 9, 0]], lambda n: len(n) < 4)
)
def test_networks_equal_loops_whatever_the_batch(counts, name, fill):
    pair_map = PairMap(make_network(name), size=6, fill=fill)
    cells = torch.randn(len(counts), max(counts), max(counts), 3, dtype=torch.float64)
    result = pair_map(cells, torch.tensor(counts)).detach()
    assert result.isfinite().all()
    for doc, n in enumerate(counts):
        if n:
            expected = slow_pair_map(pair_map, cells[doc, :n, :n].numpy())
            np.testing.assert_allclose(result[doc, :n, :n], expected, atol=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_nothing_beyond_the_reach_matters(name, n):
    network = make_network(name)
    reach = network.reach(n)
    square = torch.randn(2, 3, reach + 7, reach + 7, dtype=torch.float64)
    other = square.clone()
    other[:, :, reach:] = 0
    other[:, :, :, reach:] = 0
    counts = torch.tensor([n, max(1, n - 1)])
    expected = network(square, counts, n, len(square[0, 0])).detach()
    np.testing.assert_allclose(network(other, counts, n, reach).detach(), expected, atol=1e-12)
    cut = square[:, :, :reach, :reach]
    np.testing.assert_allclose(network(cut, counts, n, reach).detach(), expected, atol=1e-12)


@pytest.mark.parametrize("n", [1, 4, 7])
@pytest.mark.parametrize("size", [8, 17, 18, 19, 24, 42])
def test_the_empty_part_need_not_be_computed(size, n):
    network = make_network("unet")
    cells = torch.randn(2, 3, n, n, dtype=torch.float64, requires_grad=True)
    square = torch.nn.functional.pad(cells, (0, size - n, 0, size - n))
    counts = torch.tensor([n, max(1, n - 1)])
    known, unknown = (network(square, counts, n, filled) for filled in (n, size))
    np.testing.assert_allclose(known.detach(), unknown.detach(), atol=1e-12)
    inputs = (cells, *network.parameters())
    gradients = (
        torch.autograd.grad(result.square().sum(), inputs, retain_graph=True)
        for result in (known, unknown)
    )
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


@JACOBIANS
@pytest.mark.parametrize("name", NETWORKS)
def test_network_gradients(name, fast_mode):
    pair_map = PairMap(make_network(name), size=4, fill="sliding")
    cells = torch.randn(2, 3, 3, 3, dtype=torch.float64, requires_grad=True)

    def run(cells):
        return pair_map(cells, torch.tensor([3, 2]))

    assert torch.autograd.gradcheck(run, (cells,), fast_mode=fast_mode)


def test_best_cells_are_the_best_of_each_document():
    score, counts = torch.randn(4, 5, 5), torch.tensor([5, 1, 0, 3])
    for share in (0.1, 0.5, 1.0):
        picked = best_cells(score, counts, share)
        for doc, n in enumerate(counts.tolist()):
            ranked = sorted((score[doc, i, j], i, j) for i in range(n) for j in range(n))[::-1]
            expected = {(i, j) for _, i, j in ranked[: math.ceil(share * n * n)]}
            assert {tuple(cell) for cell in picked[doc].nonzero().tolist()} == expected


def test_where_to_look_is_learned_in_training_only():
    network = make_network("tnet").train()
    square = torch.randn(1, 3, 6, 6, dtype=torch.float64)
    in_training = network(square, torch.tensor([4]), 4, 6)
    in_training.square().sum().backward()
    assert network.score.weight.grad.abs().sum() > 0
    network.eval().zero_grad()
    result = network(square, torch.tensor([4]), 4, 6)
    np.testing.assert_allclose(in_training.detach(), result.detach(), atol=1e-12)
    result.square().sum().backward()
    assert network.score.weight.grad is None


def test_blocks_at_inference_change_nothing():
    network = make_network("tnet")
    square, counts = torch.randn(2, 3, 9, 9, dtype=torch.float64), torch.tensor([5, 3])
    expected = network(square, counts, 5, 9).detach()
    with torch.no_grad(), block_limit(64):
        np.testing.assert_allclose(network(square, counts, 5, 9), expected, atol=1e-12)
