"""The PAEE head against its equations, one pair and entity at a time in numpy float64."""

import numpy as np
import pytest
import torch

from spacy_docre.errors import DocreError
from spacy_docre.models.encoding import Encoding, Targets
from spacy_docre.models.layers.blocks import block_limit
from spacy_docre.models.layers.pair_aware import local_mean, pairs_bit
from spacy_docre.models.layers.pair_map import in_order_of_mention

from ..reference.layers import slow_context, slow_grouped_bilinear, slow_logsumexp
from ..reference.losses import slow_balanced_softmax_loss
from ..reference.networks import array, slow_linear, slow_pair_map, slow_transformer_layer, softmax
from ..util import JACOBIANS, random_encoding
from .heads import check_gradients, small_paee

ENTITIES = [[3], [2, 6, 3], [1, 4], [0, 2, 0, 3], [1, 0], [0]]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def slow_softmax_context(encoding, head, tail):
    """Equation 3, without W_1."""
    index = encoding.index
    doc = index.entity_doc[head].item()
    length = index.lengths[doc].item()
    attention = encoding.attention.detach().numpy()[:, :, :length]
    of_head, of_tail = (
        attention[:, (index.mention_entity == entity).numpy()].mean(axis=1)
        for entity in (head, tail)
    )
    weights = softmax(sum(of_head[k] * of_tail[k] for k in range(len(attention))))
    return encoding.tokens[doc, :length].detach().numpy().T @ weights


def slow_pairs(module, encoding):
    """Equations 3 to 5: Y and the potential of each ordered pair of entities, itself included."""
    index = in_order_of_mention(encoding.index)
    types = array(module.entity_type.weight)
    sentences = [
        set(index.mention_sentence[index.mention_entity == i].tolist())
        for i in range(index.n_entities)
    ]
    slow = slow_softmax_context if module.context == "softmax" else slow_context

    def features(s, o):
        position = float(bool(sentences[s] & sentences[o]))
        return np.concatenate(
            [[position], types[index.entity_type[s]], types[index.entity_type[o]]]
        )

    def reduced(s, o):
        related = array(module.relevance.weight) @ slow(encoding, s, o)
        return slow_linear(module.reduce, np.concatenate([related, features(s, o)]))

    result = {}
    for doc in range(index.n_docs):
        own = (index.entity_doc == doc).nonzero()[:, 0].tolist()
        own.sort(key=lambda i: index.entity_slot[i])
        if not own:
            continue
        y = slow_pair_map(module.pair_map, np.array([[reduced(s, o) for o in own] for s in own]))
        for i, s in enumerate(own):
            for j, o in enumerate(own):
                around = y[max(0, i - 1) : i + 2, max(0, j - 1) : j + 2].reshape(-1, y.shape[2])
                joined = np.concatenate([around.mean(axis=0), features(s, o)])
                potential = module.potential and slow_linear(module.potential, joined)[0]
                result[s, o] = y[i, j], potential
    return result


def slow_entities(module, encoding):
    """Equations 2 and 6."""
    index = encoding.index
    entity, tokens = slow_logsumexp(encoding), array(encoding.tokens)
    positions = array(module.position.weight) if module.transformer else np.zeros((1, 6))
    result = np.zeros((index.n_entities, encoding.mention.shape[1]))
    for doc in range(index.n_docs):
        own = (index.entity_doc == doc).nonzero()[:, 0].tolist()
        nodes = [entity[i] for i in own]
        sentences = (index.sentence_doc == doc).nonzero()[:, 0].tolist()
        for number, sentence in enumerate(sentences):
            words = tokens[doc][(index.column_sentence[doc] == sentence).numpy()]
            pooled = words.max(axis=0) if len(words) else np.zeros(tokens.shape[2])
            nodes.append(pooled + positions[min(number, len(positions) - 1)])
        if own:
            states = np.array(nodes)
            for layer in module.transformer.layers if module.transformer else []:
                states = slow_transformer_layer(layer, states)
            result[own] = states[: len(own)]
    return result


def slow_paee(module, encoding):
    """Logits with those of TH first, potentials, and logits of subjects and objects."""
    index = encoding.index
    pairs = slow_pairs(module.pairs, encoding) if module.pairs else None
    entity = slow_entities(module.entities or EntitiesAsTheyAre, encoding)
    roles = [slow_linear(module.roles, row) for row in entity] if module.entities else []
    n_labels = len(module.bilinear.bias) - 1
    logits, potentials = [], []
    for s, o in zip(index.pair_head.tolist(), index.pair_tail.tolist(), strict=True):
        y_pair, e_sub, e_obj = 0.0, entity[s], entity[o]
        if module.pairs:
            y_pair, potential = pairs[s, o]
        if module.pairs and module.pairs.potential:
            y_pair = np.append(y_pair, sigmoid(potential) > module.potential_threshold)
            potentials.append(potential)
        if module.entities:
            e_sub = np.concatenate([e_sub, sigmoid(roles[s][:n_labels])])
            e_obj = np.concatenate([e_obj, sigmoid(roles[o][n_labels:])])
        z_s = np.tanh(slow_linear(module.subject_projection, e_sub) + y_pair)
        z_o = np.tanh(slow_linear(module.object_projection, e_obj) + y_pair)
        logits.append(slow_grouped_bilinear(module.bilinear, z_s, z_o))
    shape = (-1, n_labels + 1)
    return np.array(logits).reshape(shape), np.array(potentials), np.array(roles)


class EntitiesAsTheyAre:
    """In place of the encoder that a head without Entity-Enhanced Representation does not have."""

    transformer = None


SETTINGS = [
    {},
    {"context": "softmax", "fill": "zero"},
    {"backbone": "unet", "layers": 2, "fill": "edge"},
    {"backbone": "conv", "size": 3, "norm": "post"},
    {"layers": 0, "potential_pairs": False},
    {"pair_aware": False},
    {"entity_enhanced": False},
    {"version": 1},
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("entities", ENTITIES)
def test_head_equals_the_equations(entities, settings):
    encoding, head = random_encoding(1, entities), small_paee(**settings)
    output = head(encoding)
    logits, potentials, roles = slow_paee(head, encoding)
    np.testing.assert_allclose(output.threshold.detach(), logits[:, 0], atol=1e-9)
    np.testing.assert_allclose(output.logits.detach(), logits[:, 1:], atol=1e-9)
    is_predicted = head.pairs is not None and head.pairs.potential is not None
    assert ("potential" in output.aux) == is_predicted
    assert ("subject" in output.aux) == (head.entities is not None)
    if is_predicted:
        np.testing.assert_allclose(output.aux["potential"].detach(), potentials, atol=1e-9)
    if head.entities is not None:
        result = torch.cat([output.aux["subject"], output.aux["object"]], dim=1).detach()
        np.testing.assert_allclose(result, roles.reshape(result.shape), atol=1e-9)


def slow_loss(module, output, targets):
    """Equations 9 to 12."""
    index, mask, labels = output.index, targets.mask.numpy(), targets.labels.numpy()
    logits, threshold = output.logits.detach().numpy(), output.threshold.detach().numpy()
    known = [p for p in range(len(mask)) if mask[p]]
    relation = np.mean(np.array(slow_balanced_softmax_loss(logits, threshold, labels))[known])

    def cross_entropy(logit, is_gold):
        return -np.log(sigmoid(logit) if is_gold else 1 - sigmoid(logit))

    loss = module.alpha * relation
    if "potential" in output.aux:
        loss += module.beta * np.mean(
            [cross_entropy(output.aux["potential"][p].item(), labels[p].any()) for p in known]
        )
    if "subject" not in output.aux:
        return loss
    roles = []
    for name, entity_of in (("subject", index["pair_head"]), ("object", index["pair_tail"])):
        losses = []
        for entity in sorted({entity_of[p].item() for p in known}):
            for c in range(labels.shape[1]):
                is_gold = any(labels[p, c] for p in known if entity_of[p] == entity)
                losses.append(cross_entropy(output.aux[name][entity, c].item(), is_gold))
        roles.append(np.mean(losses))
    return loss + module.gamma * (roles[0] + roles[1]) / 2


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (0.5, 2.0, 3.0), (0.0, 0.0, 1.0)])
def test_loss_equals_the_equations(weights):
    check_loss(**dict(zip(("alpha", "beta", "gamma"), weights, strict=True)))


@pytest.mark.parametrize("part", ["pair_aware", "entity_enhanced", "potential_pairs"])
def test_loss_without_a_part_equals_the_equations(part):
    check_loss(**{part: False})


def check_loss(**settings):
    encoding, head = random_encoding(2, [3, 2]), small_paee(**settings)
    output = head(encoding)
    labels = torch.rand(8, 3) < 0.3
    # The second document is not annotated; of the first, one subject is in no known pair.
    mask = torch.tensor([0, 0, 1, 1, 0, 1, 0, 0]).bool()
    targets = Targets(labels, mask)
    expected = slow_loss(head, output, targets)
    assert head.loss(output, targets).item() == pytest.approx(expected, abs=1e-9)


def test_loss_of_a_batch_without_known_pairs_is_zero():
    head = small_paee()
    for entities in ([2, 3], [1], [0]):
        output = head(random_encoding(3, entities))
        n_pairs = len(output.logits)
        nothing = Targets(torch.ones(n_pairs, 3).bool(), torch.zeros(n_pairs).bool())
        loss = head.loss(output, nothing)
        loss.backward()
        assert loss.item() == 0


@JACOBIANS
@pytest.mark.parametrize("settings", SETTINGS)
def test_head_gradients(settings, fast_mode):
    check_gradients(small_paee(**settings), random_encoding(2, [2, 3]), fast_mode)


def test_documents_without_a_token_give_no_nan():
    encoding, head = random_encoding(4, [3, 0]), small_paee(context="softmax").train()
    index = encoding.index
    # An empty document has no columns and no sentences.
    is_first = index.sentence_doc == 0
    column_sentence = index.column_sentence.clone()
    column_sentence[1] = -1
    empty = type(index)(
        **{
            **vars(index),
            "lengths": torch.tensor([index.lengths[0], 0]),
            "column_sentence": column_sentence,
            "sentence_doc": index.sentence_doc[is_first],
        }
    )
    tokens = encoding.tokens.clone()
    tokens[1] = 0
    output = head(Encoding(tokens, encoding.mention, encoding.attention, empty))
    labels = torch.zeros(6, 3).bool()
    head.loss(output, Targets(labels, torch.ones(6).bool())).backward()
    assert all(p.grad.isfinite().all() for p in head.parameters() if p.grad is not None)


@pytest.mark.parametrize("entities", ENTITIES)
def test_blocks_at_inference_change_nothing(entities):
    encoding, head = random_encoding(3, entities), small_paee()
    expected = head(encoding).scores().detach()
    with torch.no_grad(), block_limit(64):
        np.testing.assert_allclose(head(encoding).scores(), expected, atol=1e-12)


@pytest.mark.parametrize("entities", ENTITIES)
def test_unlikely_pairs_can_be_skipped(entities):
    encoding, head = random_encoding(3, entities), small_paee()
    every = head(encoding)
    head.potential_threshold = torch.sigmoid(every.aux["potential"]).median().nan_to_num().item()
    expected, head.skip_unlikely = head(encoding), True
    output = head(encoding)
    is_likely = torch.sigmoid(output.aux["potential"]) > head.potential_threshold
    torch.testing.assert_close(output.scores()[is_likely], expected.scores()[is_likely])
    assert (output.scores()[~is_likely] == 0).all()
    in_training = head.train()(encoding)
    torch.testing.assert_close(in_training.logits, expected.logits)


def test_the_bit_is_a_step_with_the_gradient_of_the_probability():
    potential = torch.tensor([-2.0, 0.5, -0.5], requires_grad=True)
    for is_training in (False, True):
        bit = pairs_bit(potential, 0.3, is_training)
        assert bit.tolist() == [0.0, 1.0, 1.0]
    bit.sum().backward()
    probability = torch.sigmoid(potential.detach())
    torch.testing.assert_close(potential.grad, probability * (1 - probability))


def test_local_mean_leaves_out_what_is_not_the_documents():
    matrix, counts = torch.randn(2, 4, 4), torch.tensor([4, 3])
    result = local_mean(matrix, counts)
    for doc, n in enumerate(counts.tolist()):
        for i in range(n):
            for j in range(n):
                around = matrix[doc, max(0, i - 1) : min(n, i + 2), max(0, j - 1) : min(n, j + 2)]
                assert result[doc, i, j] == pytest.approx(around.mean().item(), abs=1e-6)


def test_heads_must_divide_the_width():
    with pytest.raises(DocreError, match="D020"):
        small_paee(heads=4)
