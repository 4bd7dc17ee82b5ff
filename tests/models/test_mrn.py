"""The MRN head against its equations, one mention pair at a time in numpy float64."""

import numpy as np
import pytest
import torch

from spacy_docre.models.heads.mrn import MRNHead
from spacy_docre.models.torch_head import HeadSizes

from ..reference.layers import array, linear, pairs_of
from ..reference.networks import each_cell, slow_convolution
from ..util import JACOBIANS, random_encoding
from .heads import check_gradients, check_scores

ENTITIES = [[3], [2, 6, 3], [0, 2, 0, 3], [1, 0], [0]]


def small_mrn(layers=2):
    torch.manual_seed(0)
    sizes = HeadSizes(width=6, n_heads=2, n_labels=3, n_types=3)
    settings = {"type_width": 2, "distance_width": 3, "channels": 4}
    return MRNHead(sizes, **settings, layers=layers, dropout=0.0, pair_dropout=0.0).double()


def leaky(values):
    return np.where(values > 0, values, 0.1 * values)


def softmax(scores):
    weights = np.exp(scores - scores.max())
    return weights / weights.sum()


def distance_bin(distance):
    level = 0
    while 2**level < abs(distance) and level < 9:
        level += 1
    return level + 10 if distance < 0 else level


def slow_layer(layer, head, tail, cells):
    n = len(head)
    found = np.array(
        [
            [
                linear(layer.head_channels, head[i])
                + linear(layer.tail_channels, tail[j])
                + linear(layer.map_channels, cells[i, j])
                for j in range(n)
            ]
            for i in range(n)
        ]
    )
    found = leaky(slow_convolution(layer.near, leaky(found)))
    scores = leaky(each_cell(lambda cell: linear(layer.score, cell)[0], found))
    x = [linear(layer.of_head, vector) for vector in head]
    y = [linear(layer.of_tail, vector) for vector in tail]
    new_head = [head[i] + leaky(softmax(scores[i]) @ np.array(y) + x[i]) for i in range(n)]
    new_tail = [tail[j] + leaky(softmax(scores[:, j]) @ np.array(x) + y[j]) for j in range(n)]
    return new_head, new_tail, found


def slow_document(module, encoding, doc):
    """The logits of a document's pairs, by their entities."""
    index, tokens = encoding.index, array(encoding.tokens).reshape(-1, 6)
    own = (index.mention_doc == doc).nonzero()[:, 0].tolist()
    start, owner = index.mention_start.tolist(), index.mention_entity.tolist()
    own.sort(key=lambda m: (start[m], int(index.mention_end[m])))
    mentions = []
    for m in own:
        words = tokens[index.span_cell[index.span_mention == m].tolist()]
        types = array(module.entity_type.weight)[index.entity_type[owner[m]]]
        mentions.append(np.concatenate([words.max(axis=0) if len(words) else np.zeros(6), types]))
    bins = [[distance_bin(start[m] - start[o]) for o in own] for m in own]
    cells = array(module.distance.weight)[np.array(bins)]
    head = tail = mentions
    for layer in module.layers:
        head, tail, cells = slow_layer(layer, head, tail, cells)

    def mlp(network, vector):
        return leaky(linear(network[1], vector))

    entities = sorted({owner[m] for m in own})
    rows = {e: [i for i, m in enumerate(own) if owner[m] == e] for e in entities}
    logits = {}
    for h in entities:
        for t in entities:
            subject = mlp(module.as_head, np.max([head[i] for i in rows[h]], axis=0))
            object_ = mlp(module.as_tail, np.max([tail[i] for i in rows[t]], axis=0))
            pair = np.max([cells[i, j] for i in rows[h] for j in rows[t]], axis=0)
            form = np.append(subject, 1) @ array(module.weight) @ np.append(object_, 1)
            logits[h, t] = form + linear(module.classifier, mlp(module.as_pair, pair))
    return logits


def slow_mrn(module, encoding):
    found = {}
    for doc in range(encoding.index.n_docs):
        if (encoding.index.mention_doc == doc).any():
            found |= slow_document(module, encoding, doc)
    return np.array([found[pair] for pair in pairs_of(encoding.index)]).reshape(-1, 4)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("entities", ENTITIES)
def test_head_equals_the_equations(entities, layers):
    encoding, head = random_encoding(1, entities), small_mrn(layers)
    check_scores(head(encoding), slow_mrn(head, encoding), has_threshold=True)


@JACOBIANS
def test_head_gradients(fast_mode):
    check_gradients(small_mrn(), random_encoding(3, [2, 3, 0]), fast_mode)
