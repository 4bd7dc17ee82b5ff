"""The GAIN head against its equations, one node and one path at a time in numpy float64."""

import numpy as np
import pytest
import torch

from spacy_docre.models.heads.gain import GAINHead
from spacy_docre.models.layers.blocks import block_limit
from spacy_docre.models.torch_head import HeadSizes

from ..reference.layers import array, linear, pairs_of
from ..util import JACOBIANS, random_encoding
from .heads import check_gradients, check_scores

ENTITIES = [[3], [2, 6, 3], [0, 2, 0, 3], [1, 0], [0]]


def small_gain(**settings):
    torch.manual_seed(0)
    sizes = HeadSizes(width=6, n_heads=2, n_labels=3, n_types=3)
    settings = {"type_width": 2, "number_width": 3, "max_entities": 3} | settings
    return GAINHead(sizes, **settings, hidden=7, dropout=0.0).double()


def mean(vectors, width):
    return np.mean(vectors, axis=0) if len(vectors) else np.zeros(width)


def relu(vector):
    return np.maximum(vector, 0)


def slow_nodes(module, encoding):
    """The vectors of mentions and documents, of all layers."""
    index, tokens = encoding.index, array(encoding.tokens)
    mentions, documents = [], []
    for m in range(index.n_mentions):
        cells = index.span_cell[index.span_mention == m].tolist()
        words = mean(tokens.reshape(-1, 6)[cells], 6)
        e = int(index.mention_entity[m])
        firsts = {}
        for o in (index.mention_doc == index.mention_doc[m]).nonzero()[:, 0].tolist():
            firsts.setdefault(int(index.mention_entity[o]), []).append(int(index.mention_start[o]))
        number = min(sum(min(starts) < min(firsts[e]) for starts in firsts.values()), 3)
        types = array(module.entity_type.weight)[index.entity_type[e]]
        mentions.append(np.concatenate([words, types, array(module.number.weight)[number]]))
    for doc in range(index.n_docs):
        sentences = (index.sentence_doc == doc).nonzero()[:, 0].tolist()
        columns = index.column_sentence[doc].numpy()
        means = [mean(tokens[doc][columns == s], 6) for s in sentences]
        documents.append(np.concatenate([mean(means, 6), np.zeros(5)]))
    levels = [(mentions, documents)]
    owner, sentence, of_doc = (
        x.tolist() for x in (index.mention_entity, index.mention_sentence, index.mention_doc)
    )
    every = range(index.n_mentions)
    for layer in module.layers:
        mentions, documents = levels[-1]
        new_mentions = []
        for m in every:
            intra = [mentions[o] for o in every if o != m and owner[o] == owner[m]]
            inter = [
                mentions[o] for o in every if owner[o] != owner[m] and sentence[o] == sentence[m]
            ]
            near = {"intra": intra, "inter": inter, "document": [documents[of_doc[m]]]}
            total = linear(layer.own, mentions[m])
            for edge, vectors in near.items():
                total = total + linear(layer.edges[edge], mean(vectors, 11))
            new_mentions.append(relu(total))
        new_documents = []
        for doc, document in enumerate(documents):
            own = mean([mentions[m] for m in every if of_doc[m] == doc], 11)
            total = linear(layer.own, document) + linear(layer.edges["document"], own)
            new_documents.append(relu(total))
        levels.append((new_mentions, new_documents))
    return levels


def slow_paths(module, index, nodes, entities, h, t):
    paths, sentences = module.paths, {}
    for m in range(index.n_mentions):
        sentences.setdefault(int(index.mention_entity[m]), set()).add(
            int(index.mention_sentence[m])
        )

    def edge(i, j):
        return relu(linear(paths.start, nodes[i]) + linear(paths.end, nodes[j]))

    found = []
    for o in range(index.n_entities):
        if o not in (h, t) and sentences[o] & sentences[h] and sentences[o] & sentences[t]:
            found.append(np.concatenate([edge(h, o), edge(o, t), edge(t, o), edge(o, h)]))
    total = np.zeros(4 * 11)
    if found:
        query = linear(paths.ask_head, entities[h]) + linear(paths.ask_tail, entities[t])
        weights = np.exp([query @ path for path in found])
        total = (weights / weights.sum()) @ np.array(found)
    return relu(linear(paths.mapping, total))


def slow_gain(module, encoding):
    index, levels = encoding.index, slow_nodes(module, encoding)
    entities, nodes = [], []
    for e in range(index.n_entities):
        own = (index.mention_entity == e).nonzero()[:, 0].tolist()
        means = [np.mean([mentions[m] for m in own], axis=0) for mentions, _ in levels]
        entities.append(np.concatenate(means))
        nodes.append(means[-1])
    rows = []
    for h, t in pairs_of(index):
        doc = int(index.entity_doc[h])
        one, other = entities[h], entities[t]
        whole = np.concatenate([documents[doc] for _, documents in levels])
        hidden = linear(module.of_entity[0], one) + linear(module.of_entity[1], other)
        hidden += linear(module.of_both, np.concatenate([abs(one - other), one * other]))
        hidden += linear(module.of_document, whole)
        hidden += linear(module.of_paths, slow_paths(module, index, nodes, entities, h, t))
        rows.append(linear(module.classifier, relu(hidden)))
    return np.array(rows).reshape(-1, 3)


@pytest.mark.parametrize("layers", [0, 2])
@pytest.mark.parametrize("entities", ENTITIES)
def test_head_equals_the_equations(entities, layers):
    encoding, head = random_encoding(1, entities), small_gain(layers=layers)
    check_scores(head(encoding), slow_gain(head, encoding), has_threshold=False)


@JACOBIANS
def test_head_gradients(fast_mode):
    check_gradients(small_gain(), random_encoding(3, [2, 3, 0]), fast_mode)


@pytest.mark.parametrize("entities", ENTITIES)
def test_blocks_at_inference_change_nothing(entities):
    encoding, head = random_encoding(4, entities), small_gain()
    expected = head(encoding).scores().detach()
    with torch.no_grad(), block_limit(64):
        np.testing.assert_allclose(head(encoding).scores(), expected, atol=1e-12)
