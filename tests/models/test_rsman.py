"""The RSMAN head against its equations, one pair, type and mention at a time in numpy float64."""

import numpy as np
import pytest
import torch

from spacy_docre.models.encoding import Targets
from spacy_docre.models.heads.rsman import RSMANHead
from spacy_docre.models.torch_head import HeadSizes

from ..reference.layers import (
    array,
    linear,
    slow_context,
    slow_pair_context_weights,
    slow_reduced_mentions,
)
from ..util import JACOBIANS, random_batch, random_encoding
from .heads import check_gradients, check_scores

ENTITIES = [[3], [2, 5, 3], [1, 4], [0, 2, 0, 3], [1, 0]]
BCE, THRESHOLD = {"loss": "bce"}, {"loss": "adaptive_threshold", "document_context": True}
SETTINGS = [
    {**BCE, "similarity": "dot", "reduced_width": 4},
    {**BCE, "similarity": "mlp", "reduced_width": 0},
    {**THRESHOLD, "similarity": "dot", "reduced_width": 0},
    {**THRESHOLD, "similarity": "mlp", "reduced_width": 4},
    {**BCE, "similarity": "dot", "reduced_width": 4, "localized_context": True},
    {**THRESHOLD, "similarity": "dot", "reduced_width": 3, "localized_context": True},
    {**THRESHOLD, "similarity": "dot", "reduced_width": 4, "reduce": "words"},
]
DEFAULTS = {"prototype_width": 5}


def make_head(**settings):
    sizes = HeadSizes(width=6, n_heads=2, n_labels=3, n_types=3)
    torch.manual_seed(0)
    head = RSMANHead(sizes, **{**DEFAULTS, **SETTINGS[0], **settings}).double().eval()
    torch.nn.init.normal_(head.bilinear.bias)
    return head


def slow_weights(head):
    """The bilinear forms as one matrix for each type, and their biases."""
    weight, bias = array(head.bilinear.weight), array(head.bilinear.bias)
    if head.context_reduction is None:
        return weight, bias
    layer = head.context_bilinear
    return slow_pair_context_weights(weight, layer), bias + array(layer.context.bias)


def slow_rsman(head, encoding):
    """Equations 3 to 6, and each type's attention to each mention."""
    index = encoding.index

    def reduce(vector):
        return vector if head.reduction is None else np.maximum(linear(head.reduction, vector), 0)

    def similarity(r, mention):
        prototype = array(head.prototypes)[r]
        layer = head.similarity
        if hasattr(layer, "projection"):
            return prototype @ np.tanh(linear(layer.projection, mention))
        joined = linear(layer.from_prototype, prototype) + linear(layer.from_mention, mention)
        return linear(layer.output, np.tanh(joined)).item()

    mentions = slow_reduced_mentions(encoding, head.reduction, head.reduce)
    n_outputs = len(head.prototypes)
    weights = np.zeros((len(mentions), n_outputs))
    entities = []
    for i in range(index.n_entities):
        own = np.flatnonzero((index.mention_entity == i).numpy())
        doc = index.entity_doc[i].item()
        sentences = [
            np.mean([reduce(t) for t in array(encoding.tokens[doc, columns])], axis=0)
            for sentence in np.flatnonzero((index.sentence_doc == doc).numpy())
            if (columns := index.column_sentence[doc] == sentence).any()
        ]
        for_types = []
        for r in range(n_outputs):
            s = np.exp([similarity(r, mentions[j]) for j in own])
            weights[own, r] = s / s.sum()
            e = sum(weights[j, r] * mentions[j] for j in own)
            if head.document_context:
                e = np.concatenate([e, np.mean(sentences, axis=0)])
            for_types.append(e)
        entities.append(for_types)
    weight, bias = slow_weights(head)
    logits = []
    for h, t in zip(index.pair_head.tolist(), index.pair_tail.tolist(), strict=True):
        c = np.zeros(0)
        if head.context_reduction is not None:
            c = np.tanh(linear(head.context_reduction, slow_context(encoding, h, t)))
        logits += [
            np.concatenate([entities[h][r], c]) @ weight[r] @ np.concatenate([entities[t][r], c])
            + bias[r]
            for r in range(n_outputs)
        ]
    return np.array(logits).reshape(-1, n_outputs), weights


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("entities", ENTITIES)
def test_head_equals_the_equations(entities, settings):
    encoding, head = random_encoding(1, entities), make_head(**settings)
    output = head(encoding)
    logits, weights = slow_rsman(head, encoding)
    has_threshold = int(settings["loss"] == "adaptive_threshold")
    check_scores(output, logits, has_threshold)
    np.testing.assert_allclose(
        array(output.aux["attention"]), weights[:, has_threshold:], atol=1e-9
    )


@JACOBIANS
@pytest.mark.parametrize("settings", SETTINGS)
def test_head_gradients(settings, fast_mode):
    check_gradients(make_head(**settings), random_encoding(2, [2, 3], max_length=4), fast_mode)


def test_cross_entropy_is_the_mean_over_types_and_known_pairs():
    encoding, head = random_encoding(3, [3]), make_head()
    output = head(encoding)
    labels = torch.tensor([[True, False, False], [False, True, True]] * 3)
    mask = torch.tensor([True, False, True, True, False, True])
    p = 1 / (1 + np.exp(-array(output.logits)))
    losses = -np.where(labels, np.log(p), np.log(1 - p)).mean(axis=1)
    loss = head.loss(output, Targets(labels, mask))
    np.testing.assert_allclose(loss.item(), losses[mask.numpy()].mean(), atol=1e-9)


def test_evidence_is_the_mention_that_the_type_attends_to():
    clusters = random_batch(np.random.default_rng(4), [3, 4])
    encoding, head = random_encoding(4, [3, 4]), make_head()
    output = head(encoding)
    attention = array(output.aux["attention"])
    detached = output.with_tensors(tuple(tensor.detach() for tensor in output.tensors))
    pairs, labels = np.array([0, 7, 7]), np.array([2, 0, 1])
    evidence = head.evidence(detached, clusters, pairs, labels)
    assert list(evidence) == [(0, 2), (7, 0), (7, 1)]
    for (pair, label), found in evidence.items():
        best = []
        for entity in (clusters.pair_head[pair], clusters.pair_tail[pair]):
            own = np.flatnonzero(clusters.mention_entity == entity)
            best.append(max(own, key=lambda m: attention[m, label]))
        best.sort(key=lambda m: -attention[m, label])
        spans = [(clusters.mention_start[m], clusters.mention_end[m]) for m in best]
        assert spans == list(dict.fromkeys(spans)), "no two of these mentions are identical"
        assert found == spans


def test_document_vector_of_models_saved_by_0_1_0():
    """They were trained with the mean of all of a document's wordpieces."""
    encoding, head = random_encoding(1, ENTITIES[0]), make_head(**THRESHOLD)
    head.by_sentence = False
    lengths = encoding.index.lengths.tolist()
    expected = [
        torch.relu(head.reduction(encoding.tokens[doc, :n])).mean(dim=0)
        for doc, n in enumerate(lengths)
    ]
    torch.testing.assert_close(head._document(encoding), torch.stack(expected))
