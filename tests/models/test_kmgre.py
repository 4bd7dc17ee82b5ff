"""The KMGRE head against its equations, one mention pair at a time in numpy float64."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spacy_docre.errors import DocreError
from spacy_docre.models.encoding import Encoding
from spacy_docre.models.heads.kmgre import TIE
from spacy_docre.models.layers import mention_context
from spacy_docre.models.layers.blocks import block_limit
from spacy_docre.models.layers.mention_pairs import MentionPairs

from ..reference.layers import slow_grouped_bilinear
from ..reference.networks import slow_linear
from ..util import JACOBIANS, random_batch, random_encoding
from .heads import ALPHA, GAMMA, random_targets, small_kmgre, twin_encoding

ENTITIES = [[3], [2, 5, 3], [1, 4], [0, 2, 0, 3], [1, 0], [12, 2]]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def without_some_pairs(encoding, share=0.5):
    """The encoding as `max_pairs` would leave it."""
    index = encoding.index
    keep = torch.rand(len(index.pair_head)) < share
    kept = {name: getattr(index, name)[keep] for name in ("pair_head", "pair_tail", "pair_doc")}
    second = encoding.second
    second = replace(second, index=replace(second.index, **kept))
    return replace(encoding, index=replace(index, **kept), second=second)


def numpy_of(tensor):
    return tensor.detach().numpy()


def slow_context(encoding, i, j, context):
    """Equation 4 of the paper, or the mean over the heads."""
    doc = encoding.index.mention_doc[i].item()
    a, b = numpy_of(encoding.attention[:, i]), numpy_of(encoding.attention[:, j])
    shared = sum(a[k] * b[k] / (a[k] @ b[k]) for k in range(len(a)))
    if context == "mean":
        shared = shared / len(a)
    return numpy_of(encoding.tokens[doc]).T @ shared


def slow_scores(layer, encoding, i, j):
    """Equations 5 to 8 of the paper, before the sigmoid, and the bilinear form if there is one."""
    mention = numpy_of(encoding.mention)
    x = np.concatenate([mention[i], mention[j], slow_context(encoding, i, j, layer.context)])
    scores = numpy_of(layer.weight) @ x + numpy_of(layer.bias)
    if layer.interaction is not None:
        z_i = np.tanh(slow_linear(layer.head_projection, mention[i]))
        z_j = np.tanh(slow_linear(layer.tail_projection, mention[j]))
        scores = scores + slow_grouped_bilinear(layer.interaction, z_i, z_j)
    return scores


def slow_key_pairs(scores, xi, tau):
    """Equations 12 to 14: the places of the key mention pairs of a pair of entities."""
    p = [sigmoid(score) for score in scores]
    threshold = min(sum(p) / len(p) + xi * (max(p) - min(p)), tau)
    return [n for n in range(len(p)) if p[n] >= threshold - TIE or p[n] == max(p)]


def slow_tau(head, base):
    """Section 4.3 of the paper."""
    return 0.5 * (1 - base ** int(head.step))


def slow_kmgre(head, encoding):
    """For each pair of entities: its mention pairs, theta's and omega's scores of them, which are
    key, and the logits of equation 16."""
    index = encoding.index
    other = encoding if encoding.second is None else encoding.second
    tau = slow_tau(head, 0.999)
    rows = []
    for h, t in zip(index.pair_head.tolist(), index.pair_tail.tolist(), strict=True):
        mentions = [np.flatnonzero(index.mention_entity.numpy() == e).tolist() for e in (h, t)]
        pairs = [(i, j) for i in mentions[0] for j in mentions[1]]
        relation = np.array([slow_scores(head.relation, encoding, i, j) for i, j in pairs])
        key, chosen = np.zeros(len(pairs)), list(range(len(pairs)))
        if head.key is not None:
            key = np.array([slow_scores(head.key, other, i, j)[0] for i, j in pairs])
        if head.key is not None and head.phase != "warmup":
            chosen = slow_key_pairs(key, head.xi, tau)
        logits = np.log(np.exp(relation[chosen]).sum(axis=0))
        if not head.fusion:
            # Equation 1, with the margin over the threshold class in place of the probability.
            logits = np.append(0, (relation[chosen, 1:] - relation[chosen, :1]).max(axis=0))
        rows.append((pairs, relation, key, chosen, logits))
    return rows


def slow_theta_loss(logits, labels):
    """Equations 17 to 19."""
    gold = [0, *(1 + np.flatnonzero(labels))]
    other = [0, *(1 + np.flatnonzero(~labels))]
    e = np.exp(logits)
    return -sum(np.log(e[c] / e[gold].sum()) for c in gold[1:]) - np.log(e[0] / e[other].sum())


def slow_mention_labels(relation, labels):
    """For each mention pair and type, whether equation 9 holds of that type."""
    p = sigmoid(relation[:, 1:])
    return np.array(
        [
            [bool(labels[c]) and p[n, c] >= p[:, c].mean() - TIE for c in range(len(labels))]
            for n in range(len(p))
        ]
    )


def slow_omega_losses(relation, key, labels):
    """Equations 9 to 11."""
    losses = []
    for n, z in enumerate(slow_mention_labels(relation, labels).any(axis=1)):
        p_hat = sigmoid(key[n]) if z else 1 - sigmoid(key[n])
        losses.append(-ALPHA * (1 - p_hat) ** GAMMA * np.log(p_hat))
    return losses


ENCODINGS = {
    "one encoder": lambda seed, entities: random_encoding(seed, entities),
    "two encoders": twin_encoding,
    "max_pairs": lambda seed, entities: without_some_pairs(twin_encoding(seed, entities)),
}


SETTINGS = [
    {},
    {"context": "mean", "fusion": False},
    {"bilinear": 4, "block": 2, "key_classifier": False},
]


@pytest.fixture(params=ENCODINGS)
def case(request):
    second_width = None if request.param == "one encoder" else 4
    return ENCODINGS[request.param], small_kmgre(second_width=second_width)


def settings_case(settings):
    return twin_encoding, small_kmgre(**settings)


@pytest.mark.parametrize("entities", ENTITIES)
def test_head_equals_the_equations(case, entities, monkeypatch):
    check_head(*case, entities, monkeypatch)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("entities", ENTITIES)
def test_head_equals_the_equations_with_any_settings(settings, entities, monkeypatch):
    check_head(*settings_case(settings), entities, monkeypatch)


def check_head(encode, head, entities, monkeypatch):
    # The guard against sums of zero is not in the paper.
    monkeypatch.setattr(mention_context, "EPSILON", 0.0)
    encoding = encode(1, entities)
    output = head(encoding)
    rows = slow_kmgre(head, encoding)
    ends = np.cumsum([len(pairs) for pairs, *_ in rows])
    is_key = numpy_of(output.index["is_key"])
    for p, (pairs, relation, key, chosen, logits) in enumerate(rows):
        span = slice(ends[p] - len(pairs), ends[p])
        own = [output.index[name][span].tolist() for name in ("first", "second")]
        assert list(zip(*own, strict=True)) == pairs
        assert set(output.index["pair"][span].tolist()) == {p}
        np.testing.assert_allclose(numpy_of(output.aux["relation"])[span], relation, atol=1e-9)
        if head.key is not None:
            np.testing.assert_allclose(numpy_of(output.aux["key"])[span], key, atol=1e-9)
        assert np.flatnonzero(is_key[span]).tolist() == chosen
        np.testing.assert_allclose(output.threshold[p].detach(), logits[0], atol=1e-9)
        np.testing.assert_allclose(output.logits[p].detach(), logits[1:], atol=1e-9)
    assert output.logits.shape == (len(rows), 3)
    assert len(is_key) == (ends[-1] if rows else 0)


def test_some_mention_pairs_are_key_and_some_are_not():
    is_key = small_kmgre()(twin_encoding(1, [2, 5, 3])).index["is_key"]
    assert 0 < is_key.sum() < len(is_key)


@pytest.mark.parametrize("entities", ENTITIES[:4])
@pytest.mark.parametrize("phase", ["both", "expectation", "maximization"])
def test_loss_equals_the_equations(case, entities, phase, monkeypatch):
    check_loss(*case, entities, phase, monkeypatch)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("entities", ENTITIES[:4])
def test_loss_equals_the_equations_with_any_settings(settings, entities, monkeypatch):
    phase = "both" if settings.get("key_classifier", True) else "maximization"
    check_loss(*settings_case(settings), entities, phase, monkeypatch)


def check_loss(encode, head, entities, phase, monkeypatch):
    head.phase = phase
    monkeypatch.setattr(mention_context, "EPSILON", 0.0)
    encoding = encode(2, entities)
    targets = random_targets(len(encoding.index.pair_head))
    theta, omega = [], []
    rows = slow_kmgre(head, encoding)
    for row, labels, known in zip(
        rows, *map(numpy_of, (targets.labels, targets.mask)), strict=True
    ):
        _, relation, key, chosen, logits = row
        if known and head.fusion:
            theta.append(slow_theta_loss(logits, labels))
        elif known:
            own = slow_mention_labels(relation, labels)
            theta += [slow_theta_loss(relation[n], own[n]) for n in chosen]
        if known:
            omega += slow_omega_losses(relation, key, labels)
    expected = {
        "expectation": np.mean(omega or [0]),
        "maximization": np.mean(theta or [0]),
    }
    expected["both"] = sum(expected.values())
    loss = head.loss(head(encoding), targets).item()
    assert loss == pytest.approx(expected[phase], abs=1e-9)


@JACOBIANS
@pytest.mark.parametrize("settings", SETTINGS)
def test_gradients(settings, fast_mode):
    encoding, head = twin_encoding(3, [2, 3]).detached(), small_kmgre(**settings)
    assert len(encoding.tensors) == 6
    index, second = encoding.index, encoding.second.index

    def run(*tensors):
        twin = Encoding(*tensors[:3], index, Encoding(*tensors[3:], second))
        output = head(twin)
        outputs = output.logits, output.threshold, *output.aux.values()
        # The projection wants a gradient of every output.
        return tuple(x for x in outputs if x.requires_grad or not fast_mode)

    assert torch.autograd.gradcheck(run, encoding.tensors, fast_mode=fast_mode)


@JACOBIANS
@pytest.mark.parametrize("settings", SETTINGS)
def test_gradients_of_the_loss(settings, fast_mode):
    encoding, head = twin_encoding(3, [2, 3]), small_kmgre(**settings)
    targets = random_targets(len(encoding.index.pair_head))
    parameters = dict(head.named_parameters())

    def run(*values):
        output = torch.func.functional_call(
            head, dict(zip(parameters, values, strict=True)), encoding
        )
        return head.loss(output, targets)

    assert torch.autograd.gradcheck(run, tuple(parameters.values()), fast_mode=fast_mode)


@pytest.mark.parametrize("entities", ENTITIES)
def test_blocks_change_nothing(entities, monkeypatch):
    encoding, head = twin_encoding(4, entities), small_kmgre()
    leaves = encoding.detached()
    expected = head(leaves)
    sum(tensor.sum() for tensor in expected.tensors).backward()
    monkeypatch.setattr(mention_context, "PRODUCT_ELEMENTS", 1)
    with torch.no_grad(), block_limit(1):
        np.testing.assert_allclose(head(encoding).scores(), expected.scores().detach(), atol=1e-12)
    again = encoding.detached()
    with block_limit(1):
        output = head(again)
    sum(tensor.sum() for tensor in output.tensors).backward()
    for a, b in zip(again.tensors, leaves.tensors, strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-10, rtol=1e-8)


def test_mentions_that_share_no_attention_have_no_context():
    encoding = random_encoding(5, [2])
    attention = torch.zeros_like(encoding.attention)
    is_first = encoding.index.mention_entity == 0
    attention[:, is_first, 0] = 1.0
    attention[:, ~is_first, 1] = 1.0
    leaves = replace(encoding, attention=attention).detached()
    pairs = MentionPairs.of(leaves.index)
    for n_rows in (1, 3):
        output = mention_context.project_contexts(leaves, torch.ones(n_rows, 6).double(), pairs)
        assert output.abs().max() == 0
        output.sum().backward()
        assert leaves.attention.grad.isfinite().all()


@pytest.mark.parametrize("entities", ENTITIES)
def test_evidence_equals_a_loop(entities):
    encoding, head = twin_encoding(10, entities), small_kmgre()
    output = head(encoding)
    clusters = random_batch(np.random.default_rng(10), entities)
    rows = slow_kmgre(head, encoding)
    wanted = [(p, label) for p in range(len(rows)) for label in range(3) if (p + label) % 2]
    expected = {}
    for p, label in wanted:
        pairs, relation, _, chosen, _ = rows[p]
        mentions = []
        for n in sorted(chosen, key=lambda n: -relation[n, label + 1]):
            mentions += pairs[n]
        spans = [(clusters.mention_start[m], clusters.mention_end[m]) for m in mentions]
        expected[p, label] = list(dict.fromkeys(spans))
    pairs, labels = np.array(wanted, dtype=np.int64).reshape(-1, 2).T
    assert head.evidence(output, clusters, pairs, labels) == expected


def test_what_a_head_says_of_its_mention_pairs():
    encoding, head = twin_encoding(1, [2, 3]), small_kmgre()
    output = head(encoding)
    pairs = head.key_pairs(output)
    assert torch.equal(pairs.is_key, output.index["is_key"])
    assert torch.equal(pairs.probability, torch.sigmoid(output.aux["key"]))
    assert (
        encoding.index.mention_entity[pairs.first] == encoding.index.pair_head[pairs.pair]
    ).all()
    assert small_kmgre(key_classifier=False).key_pairs(output) is None


def test_tau_base_must_be_a_share():
    for base in (0.0, 1.0, 1.5):
        with pytest.raises(DocreError, match="D020"):
            small_kmgre(tau_base=base)
