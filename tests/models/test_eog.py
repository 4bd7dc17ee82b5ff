"""The EoG head against its equations, one walk at a time in numpy float64."""

import numpy as np
import pytest
import torch

from spacy_docre import DocreError
from spacy_docre.models.heads.eog import EoGHead
from spacy_docre.models.torch_head import HeadSizes

from ..reference.layers import array, linear, pairs_of
from ..util import JACOBIANS, random_encoding
from .heads import check_gradients, check_scores

ENTITIES = [[3], [2, 6, 3], [0, 2, 0, 3], [1, 0], [0]]
BETA = 0.7


def small_eog(**settings):
    torch.manual_seed(0)
    sizes = HeadSizes(width=6, n_heads=2, n_labels=3, n_types=3)
    settings = {"edge_width": 5, "type_width": 3, "distance_width": 2, "dropout": 0.0} | settings
    return EoGHead(sizes, **{"beta": BETA, **settings}).double()


def level(distance):
    return 0 if distance == 0 else min(int(np.ceil(np.log2(distance))), 9)


def words_of(encoding, mention):
    index = encoding.index
    cells = index.span_cell[index.span_mention == mention].tolist()
    return [divmod(cell, encoding.tokens.shape[1])[1] for cell in cells]


def mean(vectors):
    return np.mean(vectors, axis=0) if len(vectors) else np.zeros(6)


class SlowGraph:
    """Nodes and edges of one document, each found by itself."""

    def __init__(self, module, encoding, doc):
        self.edges, index, tokens = module.edges, encoding.index, array(encoding.tokens)[doc]
        self.index, columns = index, index.column_sentence[doc].tolist()
        self.nodes, self.info = [], []
        mentions = (index.mention_doc == doc).nonzero()[:, 0].tolist()
        means = {m: mean(tokens[words_of(encoding, m)]) for m in mentions}
        for e in (index.entity_doc == doc).nonzero()[:, 0].tolist():
            own = [m for m in mentions if index.mention_entity[m] == e]
            self.add("entity", e, mean([means[m] for m in own]), own)
        for m in mentions:
            near = [c for c, s in enumerate(columns) if s == index.mention_sentence[m]]
            near = [c for c in near if c not in words_of(encoding, m)]
            weights = np.exp([means[m] @ tokens[c] for c in near])
            context = sum((w * tokens[c] for w, c in zip(weights, near, strict=True)), np.zeros(6))
            self.add("mention", m, means[m], context / weights.sum() if near else np.zeros(6))
        for s in (index.sentence_doc == doc).nonzero()[:, 0].tolist():
            own = [tokens[c] for c, found in enumerate(columns) if found == s]
            self.add("sentence", s, mean(own), None)

    def add(self, kind, number, vector, more):
        number_of_kind = ["mention", "entity", "sentence"].index(kind)
        vector = np.concatenate([vector, array(self.edges.node_type)[number_of_kind]])
        self.nodes.append(vector)
        self.info.append((kind, number, more))

    def edge(self, i, j):
        """Its vector, or None."""
        (one, a, left), (other, b, right) = self.info[i], self.info[j]
        sentence = self.index.mention_sentence
        if i == j or one == other == "entity":
            return None
        kind = "_".join(sorted((one, other), key=["mention", "entity", "sentence"].index))
        if kind == "mention_mention" and sentence[a] != sentence[b]:
            return None
        if kind == "mention_entity" and (a not in right if one == "mention" else b not in left):
            return None
        if kind == "mention_sentence" and (
            sentence[a] != b if one == "mention" else sentence[b] != a
        ):
            return None
        if kind == "entity_sentence":
            own, s = (left, b) if one == "entity" else (right, a)
            if s not in sentence[own].tolist():
                return None
        vector = linear(self.edges.ends[kind], np.concatenate([self.nodes[i], self.nodes[j]]))
        if kind in self.edges.far:
            apart = abs(a - b) if kind == "sentence_sentence" else self.words_between(a, b)
            vector = vector + linear(self.edges.far[kind], array(self.edges.distance)[level(apart)])
        if kind == "mention_mention" and self.edges.context is not None:
            vector = vector + linear(self.edges.context, (left + right) / 2)
        return vector

    def words_between(self, a, b):
        (start, last), (other_start, other_last) = (
            (int(self.index.mention_start[m]), int(self.index.mention_end[m]) - 1) for m in (a, b)
        )
        if last < other_start:
            return other_start - last
        if other_last < start:
            return start - other_last
        return abs(last - other_last)


def slow_walks(module, edges, n):
    """edges: those that there are, by their nodes."""
    step = array(module.walks.step.weight)
    for _ in range(module.walks.iterations):
        longer = dict(edges)
        for i in range(n):
            for j in range(n):
                over = [k for k in range(n) if (i, k) in edges and (k, j) in edges]
                if i == j or not over:
                    continue
                walks = sum(1 / (1 + np.exp(-edges[i, k] * (step @ edges[k, j]))) for k in over)
                longer[i, j] = BETA * edges.get((i, j), 0) + (1 - BETA) * walks
        edges = longer
    return edges


def slow_eog(module, encoding):
    index, found = encoding.index, {}
    for doc in range(index.n_docs):
        graph = SlowGraph(module, encoding, doc)
        n = len(graph.nodes)
        every = {(i, j): graph.edge(i, j) for i in range(n) for j in range(n)}
        edges = {pair: edge for pair, edge in every.items() if edge is not None}
        for (i, j), edge in slow_walks(module, edges, n).items():
            found[graph.info[i][:2], graph.info[j][:2]] = edge
    rows = [
        linear(module.classifier, found.get((("entity", h), ("entity", t)), np.zeros(5)))
        for h, t in pairs_of(index)
    ]
    return np.array(rows).reshape(-1, 4)


@pytest.mark.parametrize("settings", [{}, {"context": False}, {"iterations": 1}])
@pytest.mark.parametrize("entities", ENTITIES)
def test_head_equals_the_equations(entities, settings):
    encoding, head = random_encoding(1, entities), small_eog(**settings)
    check_scores(head(encoding), slow_eog(head, encoding), has_threshold=True)


@JACOBIANS
def test_head_gradients(fast_mode):
    check_gradients(small_eog(), random_encoding(3, [2, 3, 0]), fast_mode)


def test_gradients_of_the_weights():
    encoding, head = random_encoding(3, [2, 3]), small_eog(iterations=2)
    step = head.walks.step.weight.detach().requires_grad_()

    def run(step):
        return torch.func.functional_call(head, {"walks.step.weight": step}, (encoding,)).logits

    assert torch.autograd.gradcheck(run, step)


@pytest.mark.parametrize("settings", [{"iterations": 0}, {"beta": 1.5}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(DocreError, match="D020"):
        small_eog(**settings)
