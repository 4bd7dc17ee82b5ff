"""Slow, obvious implementations of layers that several heads share, in numpy."""

import numpy as np
import torch


def array(parameter):
    return parameter.detach().numpy()


def linear(layer, vector):
    bias = 0 if layer.bias is None else array(layer.bias)
    return array(layer.weight) @ vector + bias


def slow_logsumexp(encoding):
    """Equation 1 of ATLOP: the logsumexp of each entity's mentions."""
    index, mention = encoding.index, array(encoding.mention)
    return [
        np.log(np.exp(mention[(index.mention_entity == i).numpy()]).sum(axis=0))
        for i in range(index.n_entities)
    ]


def slow_grouped_bilinear(module, z_h, z_t):
    """Equation 5 of ATLOP, written out over blocks."""
    k = module.block
    weight = array(module.weight).reshape(len(module.bias), -1, k, k)
    logits = array(module.bias).copy()
    for r in range(len(logits)):
        for g in range(weight.shape[1]):
            logits[r] += z_h[g * k : (g + 1) * k] @ weight[r, g] @ z_t[g * k : (g + 1) * k]
    return logits


def pairs_of(index):
    return list(zip(index.pair_head.tolist(), index.pair_tail.tolist(), strict=True))


def slow_distance_bin(index, one, other, zero=False):
    """The sign, and the logarithm rounded up, of the distance from one entity to another; 20 for
    none, if that is a distance of its own."""
    starts = index.mention_start.tolist()
    first = [
        min(s for s, e in zip(starts, index.mention_entity.tolist(), strict=True) if e == i)
        for i in (one, other)
    ]
    distance = first[1] - first[0]
    if zero and distance == 0:
        return 20
    level = 0
    while 2**level < abs(distance) and level < 9:
        level += 1
    return level + 10 if distance < 0 else level


def slow_attention_matrix(context):
    """W of GLRE's equation 7, whatever its form."""
    if isinstance(context.query, torch.nn.Linear):
        w = array(context.query.weight)
        return array(context.key.weight).T @ w if isinstance(context.key, torch.nn.Linear) else w
    return np.diag(array(context.query.weight))


def slow_contexts(context, pairs, index, attended=None):
    """GLRE's equation 7: the average of the pairs of the document, or of those of them that are
    attended to, one pair at a time."""
    w = slow_attention_matrix(context)
    contexts = []
    for r in range(len(pairs)):
        others = [
            i
            for i in (range(len(pairs)) if attended is None else attended)
            if index.pair_doc[i] == index.pair_doc[r] and (context.include_self or i != r)
        ]
        exps = {i: np.exp(pairs[i] @ w @ pairs[r]) for i in others}
        theta = {i: exps[i] / sum(exps.values()) for i in others}
        contexts.append(sum((theta[i] * pairs[i] for i in others), np.zeros(len(w))))
    return contexts


def slow_attended(classifier, pairs, index):
    """Of each document, the pairs that are most likely related without a context."""

    def likelihood(pair):
        logits = linear(classifier.from_pair, pair)
        if classifier.output is not None:
            logits = linear(classifier.output, np.maximum(logits, 0))
        return max(logits[1:]) - logits[0] if classifier.has_threshold else max(logits)

    attended = []
    for doc in range(index.n_docs):
        of_doc = [i for i in range(len(pairs)) if index.pair_doc[i] == doc]
        of_doc.sort(key=lambda i: -likelihood(pairs[i]))
        attended.extend(of_doc[: classifier.max_attended])
    return sorted(attended)


def slow_classifier(classifier, pairs, index):
    """GLRE's equations 7 and 8 without the sigmoid: FFNN([o_r; o_c])."""
    contexts = [np.zeros(0)] * len(pairs)
    weight = array(classifier.from_pair.weight)
    if classifier.context is not None:
        attended = slow_attended(classifier, pairs, index)
        contexts = slow_contexts(classifier.context, pairs, index, attended)
        weight = np.hstack([weight, array(classifier.from_context.weight)])
    rows = []
    for pair, context in zip(pairs, contexts, strict=True):
        x = weight @ np.concatenate([pair, context]) + array(classifier.from_pair.bias)
        if classifier.output is not None:
            x = linear(classifier.output, np.maximum(x, 0))
        rows.append(x)
    return np.array(rows)


def slow_reduced_mentions(encoding, reduction, of):
    """Mentions reduced, or the means of their reduced words."""

    def reduce(vector):
        return vector if reduction is None else np.maximum(linear(reduction, vector), 0)

    if of == "mentions":
        return [reduce(vector) for vector in array(encoding.mention)]
    index, words = encoding.index, array(encoding.tokens.flatten(0, 1))
    return [
        np.mean([reduce(words[c]) for c in index.span_cell[index.span_mention == m]], axis=0)
        for m in range(index.n_mentions)
    ]


def slow_pair_context_weights(weight, layer):
    """The bilinear forms of [e; c], where a vector of the pair is joined to both entities."""
    subject, object_ = array(layer.subject), array(layer.object).transpose(0, 2, 1)
    context = array(layer.context.weight).reshape(len(weight), *[subject.shape[2]] * 2)
    blocks = zip(weight, subject, object_, context, strict=True)
    return [np.block([[w, s], [o, c]]) for w, s, o, c in blocks]


def slow_pooled_bilinear(module, encoding):
    """[e_s; D_so]' W_k [e_o; D_os] + b_k for each pair and output."""
    index = encoding.index
    mentions = slow_reduced_mentions(encoding, module.reduction, module.reduce)
    weight, bias = array(module.bilinear.weight), array(module.bilinear.bias)
    rows = []
    for s, o in pairs_of(index):
        own = [
            np.mean([m for m, e in zip(mentions, index.mention_entity, strict=True) if e == i], 0)
            for i in (s, o)
        ]
        if module.distance is not None:
            table = array(module.distance.embedding.weight)
            own[0] = np.concatenate([own[0], table[slow_distance_bin(index, s, o)]])
            own[1] = np.concatenate([own[1], table[slow_distance_bin(index, o, s)]])
        outputs = []
        for k in range(len(bias)):
            w = weight[k]
            if module.distance is not None:
                d = module.distance
                w = np.block([[w, array(d.of_head)[k]], [array(d.of_tail)[k], array(d.of_both)[k]]])
            outputs.append(own[0] @ w @ own[1] + bias[k])
        rows.append(outputs)
    return np.array(rows).reshape(-1, len(bias))


def slow_context(encoding, head, tail, evidence_threshold=None):
    """ATLOP's equations 9 to 11. With a threshold, from the evidence sentences only."""
    index = encoding.index
    doc = index.entity_doc[head].item()
    attention = encoding.attention.detach().numpy()
    by_entity = [
        attention[:, (index.mention_entity == entity).numpy()].mean(axis=1)
        for entity in (head, tail)
    ]
    shared = sum(by_entity[0][k] * by_entity[1][k] for k in range(len(attention)))
    shared = shared / (shared.sum() + 1e-5)
    if evidence_threshold is not None:
        sentence_of = index.column_sentence[doc].numpy()
        own = [s for s in range(index.n_sentences) if index.sentence_doc[s] == doc]
        share = {s: shared[sentence_of == s].sum() for s in own}
        for s in own:
            if share[s] <= evidence_threshold and share[s] < max(share.values()):
                shared = np.where(sentence_of == s, 0.0, shared)
        shared = shared / (shared.sum() + 1e-5)
    return encoding.tokens[doc].detach().numpy().T @ shared
