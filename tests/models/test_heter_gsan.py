"""The HeterGSAN head against its equations, one node, path and step at a time in numpy float64."""

import numpy as np
import pytest
import torch

from spacy_docre.errors import DocreError
from spacy_docre.models.encoding import Targets
from spacy_docre.models.heads.heter_gsan import HeterGSANHead, damped
from spacy_docre.models.layers.blocks import block_limit
from spacy_docre.models.layers.reconstruction import find_paths
from spacy_docre.models.layers.typed_graph import KINDS, TypedGraph
from spacy_docre.models.torch_head import HeadSizes

from ..reference.layers import array, linear, pairs_of, slow_distance_bin
from ..reference.paths import META_PATHS, SlowGraph
from ..util import JACOBIANS, random_encoding
from .heads import check_gradients, check_scores

ENTITIES = [[3], [2, 6, 3], [0, 2, 0, 3], [1, 0], [0]]


def small_heter_gsan(**settings):
    torch.manual_seed(0)
    sizes = HeadSizes(width=6, n_heads=2, n_labels=3, n_types=3)
    settings = {"width": 8, "hidden": 7, "distance_width": 3, "heads": 2} | settings
    head = HeterGSANHead(sizes, **settings, dropout=0.0, path_dropout=0.0).double()
    for parameter in (head.reconstructor.start, head.reconstructor.none):
        torch.nn.init.normal_(parameter)
    return head


def far_encoding(seed):
    """Documents long enough that some pairs share no sentence."""
    return random_encoding(seed, [5, 2, 0, 7], max_length=60)


def relu(vector):
    return np.maximum(vector, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def slow_nodes(module, encoding, graph):
    index = encoding.index
    words = [relu(linear(module.reduction, w)) for w in array(encoding.tokens).reshape(-1, 6)]
    columns = index.column_sentence.flatten().tolist()

    def mean(vectors):
        return np.mean(vectors, axis=0) if len(vectors) else np.zeros(8)

    node = {}
    for m in graph.mentions:
        node["mention", m] = mean([words[c] for c in index.span_cell[index.span_mention == m]])
    for e in graph.entities:
        own = [node["mention", m] for m in graph.mentions if graph.owner[m] == e]
        node["entity", e] = np.mean(own, axis=0)
    for s in graph.sentences:
        node["sentence", s] = mean([words[c] for c, o in enumerate(columns) if o == s])
    for layer in module.layers:
        found = slow_attention(layer, node, graph)
        node = {name: np.concatenate([node[name], found[name]]) for name in node}
    return {name: relu(linear(module.mapping, vector)) for name, vector in node.items()}


def slow_attention(layer, node, graph):
    values = {}
    for name, u in node.items():
        u = (u - u.mean()) / np.sqrt(u.var() + 1e-6)
        u = u * array(layer.norm.weight) + array(layer.norm.bias)
        values[name] = np.split(linear(layer.values, u), len(layer.asking))
    found = {}
    for name in node:
        parts = []
        for n in range(len(layer.asking)):
            scores = []
            for other in graph.neighbours(name):
                k = KINDS.index(graph.kind[name, other])
                score = array(layer.asking)[n, k] @ values[name][n] + array(layer.bias)[n, k]
                score += array(layer.asked)[n, k] @ values[other][n]
                scores.append(score if score > 0 else 0.01 * score)
            total = np.zeros_like(values[name][n])
            weights = np.exp(scores) / np.exp(scores).sum()
            for weight, other in zip(weights, graph.neighbours(name), strict=True):
                total = total + weight * values[other][n]
            parts.append(relu(total))
        found[name] = np.concatenate(parts)
    return found


def slow_steps(module, z, node, graph, path):
    """The probability of each step."""
    h, c = relu(linear(module.hidden, z)), relu(linear(module.cell, z))
    none = relu(linear(module.key, array(module.none)))
    probabilities = []
    for last, wanted in zip([None, *path], path, strict=False):
        u = array(module.start) if last is None else node[last]
        gates = linear(module.input, u) + linear(module.recurrent, h)
        i, f, g, o = np.split(gates, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        choices = graph.nodes if last is None else graph.neighbours(last)
        exps = {name: np.exp(h @ relu(linear(module.key, node[name]))) for name in choices}
        probabilities.append(exps[wanted] / (sum(exps.values()) + np.exp(h @ none)))
    return probabilities


def slow_heter_gsan(module, encoding):
    """The logits of relations, and the probabilities of steps, of each pair."""
    index, rows, steps = encoding.index, [], []
    graphs = [SlowGraph(index, doc) for doc in range(index.n_docs)]
    nodes = [slow_nodes(module, encoding, graph) for graph in graphs]
    distance = array(module.distance.weight)
    for h, t in pairs_of(index):
        doc = int(index.entity_doc[h])
        z = np.concatenate(
            [
                relu(linear(module.as_head, nodes[doc]["entity", h])),
                distance[slow_distance_bin(index, h, t)],
                relu(linear(module.as_tail, nodes[doc]["entity", t])),
                distance[slow_distance_bin(index, t, h)],
            ]
        )
        rows.append(linear(module.classifier, relu(linear(module.of_pair, z))))
        path = graphs[doc].path(h, t)
        steps.append(slow_steps(module.reconstructor, z, nodes[doc], graphs[doc], path))
    return np.array(rows).reshape(-1, 3), steps


@pytest.mark.parametrize("layers", [0, 2])
@pytest.mark.parametrize("entities", ENTITIES)
def test_head_equals_the_equations(entities, layers):
    encoding = random_encoding(1, entities, max_length=20)
    head = small_heter_gsan(layers=layers)
    relation, steps = slow_heter_gsan(head, encoding)
    output = head(encoding)
    np.testing.assert_allclose(array(output.aux["relation"]), relation, atol=1e-9)
    path = np.array([np.exp(np.mean(np.log(p)) * 0.4) for p in steps]).reshape(-1, 1)
    scores = sigmoid(relation) * path
    check_scores(output, np.log(scores / (1 - scores)), has_threshold=False)


def test_steps_of_longer_paths_equal_the_equations():
    encoding, head = far_encoding(2), small_heter_gsan()
    _, steps = slow_heter_gsan(head, encoding)
    output = head(encoding)
    assert {len(p) for p in steps} == {4, 6}
    found = array(torch.sigmoid(output.aux["path"]))
    for odds, expected, is_step in zip(found, steps, output.index["is_step"], strict=True):
        np.testing.assert_allclose(odds[is_step.numpy()], expected, atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_paths_are_the_first_of_the_first_meta_path_that_has_any(seed):
    index = far_encoding(seed).index
    graph = TypedGraph.from_index(index)
    paths = find_paths(index, graph)
    slow = [SlowGraph(index, doc) for doc in range(index.n_docs)]
    first = {doc: index.entity_doc.tolist().index(doc) for doc in (0, 1, 3)}
    rows = list(zip(pairs_of(index), paths.nodes.tolist(), paths.length.tolist(), strict=True))
    found = {}
    for (h, t), nodes, length in rows:
        doc = int(index.entity_doc[h])
        document = slow[doc]
        expected = document.path(h, t)
        walks = next(w for w in (document.walks(h, t, m) for m in META_PATHS) if w)
        assert expected in walks
        place = {"entity": 0, "mention": index.max_entities}
        place["sentence"] = index.max_entities + index.max_mentions
        start = {
            "entity": first[doc],
            "mention": document.mentions[0],
            "sentence": document.sentences[0],
        }
        assert nodes[:length] == [place[kind] + i - start[kind] for kind, i in expected]
        assert length == len(expected)
        found[h, t] = nodes[:length]
    assert all(found[t, h] == path[::-1] for (h, t), path in found.items())


def test_damped_is_the_logit_of_a_product():
    logit, factor = torch.linspace(-30, 30, 13).double(), -torch.linspace(0.01, 5, 13).double()
    expected = torch.logit(torch.sigmoid(logit) * factor.exp())
    np.testing.assert_allclose(damped(logit, factor), expected, rtol=1e-9)
    certain = torch.zeros(13, dtype=torch.float64, requires_grad=True)
    found = damped(logit, certain)
    np.testing.assert_allclose(found.detach(), logit, atol=1e-9)
    found.sum().backward()
    assert certain.grad.isfinite().all()


def test_loss_is_that_of_relations_and_of_steps():
    encoding, head = far_encoding(3), small_heter_gsan(reconstruction_weight=0.3)
    relation, steps = slow_heter_gsan(head, encoding)
    labels, mask = torch.rand(len(relation), 3) < 0.2, torch.rand(len(relation)) < 0.7
    of_pairs, of_steps = [], []
    for logits, path, gold, is_known in zip(relation, steps, labels, mask, strict=True):
        if is_known:
            p = np.where(gold, sigmoid(logits), 1 - sigmoid(logits))
            of_pairs.append(-np.log(p).sum())
            of_steps += [-np.log(q if gold.any() else 1 - q) for q in path]
    expected = np.mean(of_pairs) + 0.3 * np.mean(of_steps)
    loss = head.loss(head(encoding), Targets(labels, mask))
    np.testing.assert_allclose(loss.item(), expected, rtol=1e-9)


def test_without_indicator_scores_are_those_of_relations():
    encoding, head = far_encoding(4), small_heter_gsan(indicator_weight=0.0)
    output = head(encoding)
    assert torch.equal(output.logits, output.aux["relation"])


@JACOBIANS
def test_head_gradients(fast_mode):
    check_gradients(small_heter_gsan(), random_encoding(3, [2, 3, 0]), fast_mode)


def test_blocks_change_neither_scores_nor_gradients():
    encoding, head = far_encoding(5).detached(), small_heter_gsan()

    def run():
        output = head(encoding)
        output.logits.square().sum().backward()
        gradient, encoding.tokens.grad = encoding.tokens.grad, None
        return array(output.logits), gradient

    expected = run()
    with block_limit(900):
        for found, wanted in zip(run(), expected, strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_heads_must_divide_the_width():
    with pytest.raises(DocreError, match="D020"):
        small_heter_gsan(heads=3)
