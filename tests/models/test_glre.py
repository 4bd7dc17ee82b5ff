"""The GLRE head against its equations, one node, mention and pair at a time in numpy float64."""

from collections import defaultdict

import numpy as np
import pytest
import torch
from spacy.vocab import Vocab
from torch.utils._python_dispatch import TorchDispatchMode

from spacy_docre.errors import DocreError
from spacy_docre.models.batch import ClusterBatch
from spacy_docre.models.encoding import Encoding, EncodingIndex
from spacy_docre.models.heads.glre import GLREHead
from spacy_docre.models.layers import pair_context
from spacy_docre.models.layers.distance import distance_bins
from spacy_docre.models.torch_head import HeadSizes

from ..reference.layers import array, linear, pairs_of, slow_classifier, slow_distance_bin
from ..util import JACOBIANS, make_doc, random_encoding
from .heads import check_gradients, check_scores

ENTITIES = [[3], [2, 5, 3], [1, 4], [0, 2, 0, 3], [1, 0]]
SETTINGS = [
    {"layers": 2, "heads": 2, "hidden": 5, "normalisation": "type", "context": "full"},
    {"layers": 1, "heads": 1, "hidden": 0, "normalisation": "degree", "context": "low_rank"},
    {"layers": 3, "heads": 4, "hidden": 3, "normalisation": "degree", "context": "diagonal"},
    {"global_representation": False, "zero_distance": True},
    {"local_representation": False, "loss": "adaptive_threshold"},
    {"context": "none"},
    {"lstm_width": 6},
    {"max_attended": 4},
]


def make_head(**settings):
    sizes = HeadSizes(width=6, n_heads=2, n_labels=3, n_types=3)
    torch.manual_seed(0)
    widths = {"width": 4, "type_width": 2, "distance_width": 3, "rank": 2, "dropout": 0.3}
    head = GLREHead(sizes, **{**widths, **SETTINGS[0], **settings}).double().eval()
    for name, parameter in head.named_parameters():
        # Scores of equal size would make any weights look right.
        if "context.query" in name or "context.key" in name or "norm" in name:
            torch.nn.init.normal_(parameter)
    return head


def slow_nodes(head, encoding):
    """Section 3.2: the nodes by (kind, number), before the graph."""
    index = encoding.index
    tokens = encoding.tokens
    if head.lstm is not None:
        tokens = tokens.new_zeros(*tokens.shape[:2], 6)
        for doc, length in enumerate(index.lengths.tolist()):
            tokens[doc, :length] = head.lstm.lstm(encoding.tokens[doc, :length])[0]
    flat = array(tokens.flatten(0, 1))
    words = defaultdict(list)
    for cell, mention in zip(index.span_cell, index.span_mention, strict=True):
        words["mention", mention.item()].append(linear(head.projection, flat[cell]))
    for cell, sentence in enumerate(index.column_sentence.flatten().tolist()):
        if sentence >= 0:
            words["sentence", sentence].append(linear(head.projection, flat[cell]))
    vectors = {node: np.mean(members, axis=0) for node, members in words.items()}
    for i in range(index.n_entities):
        own = np.flatnonzero((index.mention_entity == i).numpy())
        vectors["entity", i] = np.mean([vectors["mention", m] for m in own], axis=0)
    types = dict(zip(("mention", "entity", "sentence"), array(head.node_type), strict=True))
    return {node: np.concatenate([v, types[node[0]]]) for node, v in vectors.items()}


def slow_edge(index, a, b):
    """The type of the edge between two nodes, or None."""
    if a == b:
        return None
    (kind_a, i), (kind_b, j) = sorted([a, b])
    in_sentence, of_entity = index.mention_sentence.tolist(), index.mention_entity.tolist()
    joined = {
        ("mention", "mention"): lambda: in_sentence[i] == in_sentence[j],
        ("entity", "mention"): lambda: of_entity[j] == i,
        ("mention", "sentence"): lambda: in_sentence[i] == j,
        ("entity", "sentence"): lambda: (i, j) in zip(of_entity, in_sentence, strict=True),
        ("sentence", "sentence"): lambda: index.sentence_doc[i] == index.sentence_doc[j],
        ("entity", "entity"): lambda: False,
    }
    names = {("entity", "mention"): "mention_entity"}
    kinds = (kind_a, kind_b)
    return names.get(kinds, "_".join(kinds)) if joined[kinds]() else None


def slow_rgcn(head, nodes, index):
    """Equation 2, for all kinds of nodes in all layers but the last."""
    for layer in [*head.rgcn.layers, head.rgcn.last]:
        after = {}
        for node, vector in nodes.items():
            if layer is head.rgcn.last and node[0] != "entity":
                continue
            neighbours = defaultdict(list)
            for other, other_vector in nodes.items():
                edge = slow_edge(index, node, other)
                if edge is not None:
                    neighbours[edge].append(linear(layer.edges[edge], other_vector))
            total = linear(layer.own, vector)
            for members in neighbours.values():
                total = total + sum(members) / (1 if layer.by_degree else len(members))
            if layer.by_degree:
                total = total / (1 + sum(len(members) for members in neighbours.values()))
            after[node] = np.maximum(total, 0)
        nodes = after
    return nodes


def slow_local(attention, query, keys, values):
    """Equations 3 to 5 for one entity, asked by one other."""
    heads = []
    width = len(attention.query.weight) // attention.n_heads
    for z in range(attention.n_heads):
        rows = slice(z * width, (z + 1) * width)
        q = array(attention.query.weight)[rows] @ query
        scores = [q @ (array(attention.key.weight)[rows] @ k) / np.sqrt(width) for k in keys]
        weights = np.exp(scores) / np.exp(scores).sum()
        mixed = [
            w * (array(attention.value.weight)[rows] @ v)
            for w, v in zip(weights, values, strict=True)
        ]
        heads.append(sum(mixed))
    x = linear(attention.output, np.concatenate(heads))
    norm = attention.norm
    x = (x - x.mean()) / np.sqrt(x.var() + norm.eps)
    return x * array(norm.weight) + array(norm.bias)


def slow_glre(head, encoding):
    """Equations 2 to 8, as logits."""
    index = encoding.index
    nodes = slow_nodes(head, encoding)
    entities = nodes if head.rgcn is None else slow_rgcn(head, nodes, index)
    pairs = []
    for a, b in pairs_of(index):
        parts = []
        for one, other, attention in (a, b, head.head_attention), (b, a, head.tail_attention):
            own = np.flatnonzero((index.mention_entity == one).numpy())
            keys = [nodes["sentence", index.mention_sentence[m].item()] for m in own]
            values = [nodes["mention", m] for m in own]
            if head.rgcn is not None:
                parts.append(entities["entity", one])
            if attention is not None:
                parts.append(slow_local(attention, entities["entity", other], keys, values))
            bin_ = slow_distance_bin(index, one, other, head.distance.zero)
            parts.append(array(head.distance.weight)[bin_])
        pairs.append(np.concatenate(parts))
    return slow_classifier(head.classifier, pairs, index)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("entities", ENTITIES)
def test_head_equals_the_equations(entities, settings):
    encoding, head = random_encoding(1, entities, max_length=15), make_head(**settings)
    expected = slow_glre(head, encoding).reshape(-1, head.n_outputs)
    check_scores(head(encoding), expected, head.has_threshold)


@JACOBIANS
@pytest.mark.parametrize("settings", SETTINGS)
def test_head_gradients(settings, fast_mode):
    check_gradients(make_head(**settings), random_encoding(2, [2, 3], max_length=15), fast_mode)


def test_blocks_at_inference_change_nothing(monkeypatch):
    encoding, head = random_encoding(3, [2, 0, 5, 3]), make_head()
    expected = head(encoding).logits.detach()
    monkeypatch.setattr(pair_context, "BLOCK_ROWS", 3)
    with torch.no_grad():
        np.testing.assert_allclose(head(encoding).logits, expected, atol=1e-12)


class LargestTensor(TorchDispatchMode):
    """Records the number of elements of the largest tensor that any operation gives."""

    size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        tensors = result if isinstance(result, (tuple, list)) else [result]
        sizes = [tensor.numel() for tensor in tensors if isinstance(tensor, torch.Tensor)]
        self.size = max([self.size, *sizes])
        return result


def test_no_matrix_of_pairs_by_pairs_is_made(monkeypatch):
    monkeypatch.setattr(pair_context, "BLOCK_ROWS", 64)
    encoding, head = random_encoding(8, [40]), make_head()
    with LargestTensor() as largest:
        head(encoding).logits.sum().backward()
    n_pairs = 40 * 39
    assert largest.size == 64 * n_pairs


def test_dropout_is_for_training_only():
    encoding = random_encoding(4, [4])
    for hidden in (0, 5):
        head = make_head(hidden=hidden, graph_dropout=0.0)
        expected = head(encoding).logits
        assert torch.equal(head(encoding).logits, expected)
        head.train()
        assert not torch.equal(head(encoding).logits, expected)
        head.classifier.dropout.p = 0.0
        assert torch.equal(head(encoding).logits, expected)
        head.rgcn.dropout.p = 0.2
        assert not torch.equal(head(encoding).logits, expected)


def test_a_mention_without_words_is_not_lost():
    encoding, head = random_encoding(5, [3, 2]), make_head()
    index = encoding.index
    has_words = index.span_mention != 0
    spans = {name: getattr(index, name)[has_words] for name in ("span_cell", "span_mention")}
    fields = {**vars(index), **spans}
    output = head(Encoding(*encoding.tensors, type(index)(**fields)))
    assert output.logits.isfinite().all()
    assert len(output.logits) == 8


def test_empty_documents_and_documents_without_pairs_change_nothing():
    vocab = Vocab()
    pair = make_doc(vocab, ["a", "b", "c"], [[(0, 1), (2, 3)], [(1, 2)]])
    odd = [make_doc(vocab, [], []), make_doc(vocab, ["a"], []), make_doc(vocab, ["a"], [[(0, 1)]])]
    head = make_head()

    def logits(docs):
        clusters = ClusterBatch.from_docs(docs)
        lengths, columns = clusters.doc_length, np.arange(3)
        column_token = np.where(columns < lengths[:, None], columns, -1)
        index = EncodingIndex.from_clusters(clusters, lengths, column_token, torch.device("cpu"))
        tokens = torch.arange(18, dtype=torch.float64).sin().view(1, 3, 6).repeat(len(docs), 1, 1)
        mention = tokens.new_zeros(index.n_mentions, 6)
        return head(Encoding(tokens, mention, tokens.new_zeros(2, len(mention), 3), index)).logits

    np.testing.assert_allclose(
        array(logits([odd[0], pair, *odd[1:]])), array(logits([pair])), atol=1e-12
    )
    for docs in ([odd[0]], odd):
        assert logits(docs).shape == (0, 3)
        logits(docs).sum().backward()


def test_bins_of_distances_equal_their_definition():
    index = random_encoding(6, [40, 2, 0], width=1, max_length=2000).index
    index.mention_start[1:3] = index.mention_start[0]
    for zero in (False, True):
        forth, back = distance_bins(index, zero=zero)
        for pair, (h, t) in enumerate(pairs_of(index)):
            assert forth[pair] == slow_distance_bin(index, h, t, zero)
            assert back[pair] == slow_distance_bin(index, t, h, zero)
        assert set(forth.tolist()) >= {*range(4, 10), *range(14, 20)}
    assert 20 in forth


@pytest.mark.parametrize(("distance", "expected"), [(0, 0), (1, 0), (2, 1), (8, 3), (9, 4)])
@pytest.mark.parametrize("sign", [1, -1])
def test_bins_at_powers_of_two(distance, expected, sign):
    index = random_encoding(7, [2], max_length=30).index
    index.mention_start[:] = 100 + sign * distance * index.mention_entity
    forth, back = distance_bins(index)
    negative = 10 if distance else 0
    both = [expected, expected + negative][::sign]
    assert [forth[0], back[0]] == both
    assert [back[1], forth[1]] == both


@pytest.mark.parametrize(
    ("name", "value"), [("heads", 3), ("heads", 0), ("layers", 0), ("lstm_width", 5)]
)
def test_settings_that_cannot_be_are_told(name, value):
    with pytest.raises(DocreError, match=f"D020.*{name}"):
        make_head(**{name: value})


def test_a_pair_needs_some_representation_of_its_entities():
    with pytest.raises(DocreError, match=r"D020.*local_representation"):
        make_head(global_representation=False, local_representation=False)


def test_embeddings_start_smaller_than_words():
    """Projected words have a standard deviation of about 0.17."""
    sizes = HeadSizes(width=384, n_heads=2, n_labels=3, n_types=3)
    head = GLREHead(sizes, distance_width=100, type_width=100)
    for embedding in (head.distance.weight, head.node_type):
        assert embedding.std().item() == pytest.approx(0.1, rel=0.15)
