"""What every head must do on every encoder."""

import copy
import random

import numpy as np
import pytest
import spacy
import torch
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_docre.data.clusters import get_clusters, set_clusters
from spacy_docre.models.encoding import Encoding, Targets
from spacy_docre.training.optimizer import create_adamw

from .methods import ENCODERS, HEADS, READS_SECOND, WITHOUT_ATTENTION, add_extractor, initialised
from .util import JACOBIANS, birth_doc, birth_examples, make_doc, random_doc, random_encoding

COMBINATIONS = [
    (head, encoder)
    for head in HEADS
    for encoder in ENCODERS
    if encoder != "twin" or head in READS_SECOND
]
# Every head on one encoder, and every encoder under one head or those that read all of it.
FIRST = {
    (head, encoder)
    for head, encoder in COMBINATIONS
    if head == "atlop" or encoder in ("cnn", "twin")
}
PIPELINES = [
    pytest.param(
        (head, encoder),
        id=f"{head}-{encoder}",
        marks=[] if (head, encoder) in FIRST else pytest.mark.slow,
    )
    for head, encoder in COMBINATIONS
]


@pytest.fixture(params=PIPELINES)
def pipeline(request, tiny_bert):
    return initialised(*request.param, tiny_bert)


def extractor_of(nlp):
    return nlp.get_pipe("doc_relation_extractor")


def scores_of(nlp, docs):
    return extractor_of(nlp).predict(docs)


def odd_docs(vocab: Vocab):
    """Documents that are not bad input, however odd."""
    rng = random.Random(7)
    words = ["I", "👩‍🚀", "met", "Zoe\u0308", "in", "نیویورک", "\u200b", "?", "\n\n"]
    identical = make_doc(vocab, ["a", "b", "c"], [[(0, 2)], [(0, 2)], [(1, 2), (0, 3)]])
    empty_cluster = make_doc(vocab, ["a", "b", "c"], [[(0, 1)], [(2, 3)], [(1, 2)]])
    empty_cluster.spans["entity_clusters_2"] = []
    return {
        "empty": make_doc(vocab, [], []),
        "no cluster": make_doc(vocab, ["a"], []),
        "one cluster": make_doc(vocab, ["a", "b"], [[(0, 1), (1, 2)]]),
        "thirty clusters": random_doc(vocab, rng, 60, 30),
        "600 words": random_doc(vocab, rng, 600, 5),
        "long mention": make_doc(vocab, ["word"] * 120, [[(0, 100)], [(90, 120)], [(3, 4)]]),
        "odd characters": make_doc(vocab, words, [[(0, 1), (1, 2)], [(3, 4)], [(5, 6)], [(6, 7)]]),
        "identical and nested mentions": identical,
        "empty cluster": empty_cluster,
    }


def large_docs(vocab: Vocab):
    rng = random.Random(7)
    return {
        "hundred clusters": random_doc(vocab, rng, 150, 100),
        "3000 words": random_doc(vocab, rng, 3000, 5),
    }


@pytest.mark.parametrize("make", [odd_docs, pytest.param(large_docs, marks=pytest.mark.slow)])
def test_odd_documents_get_their_relations_and_change_no_others(pipeline, make):
    ordinary = [birth_doc(pipeline.vocab, n) for n in range(3)]
    alone = scores_of(pipeline, ordinary)
    odd = make(pipeline.vocab)
    mixed = [ordinary[0], *odd.values(), *ordinary[1:]]
    scores = scores_of(pipeline, mixed)
    extractor_of(pipeline).set_annotations(mixed, scores)
    for expected, i in zip(alone, (0, -2, -1), strict=True):
        np.testing.assert_allclose(scores[i].scores, expected.scores, atol=1e-5)
    for name, doc_scores in zip(odd, scores[1:-2], strict=True):
        n = sum(bool(cluster.mentions) for cluster in get_clusters(odd[name]))
        assert doc_scores.scores.shape == (n * (n - 1), 2), name
        assert np.isfinite(doc_scores.scores).all(), name
        assert len({r.triple for r in odd[name]._.relations}) == len(odd[name]._.relations)


def test_a_batch_of_only_odd_documents(pipeline):
    docs = [doc for name, doc in odd_docs(pipeline.vocab).items() if "c" in name[:3]]
    docs = [*docs, make_doc(pipeline.vocab, [], []), make_doc(pipeline.vocab, ["a"], [])]
    assert [doc._.relations for doc in pipeline.pipe(docs[-2:])] == [(), ()]
    assert scores_of(pipeline, []) == []


def test_batched_equals_one_by_one(pipeline):
    rng = random.Random(1)
    docs = [random_doc(pipeline.vocab, rng, n, k) for n, k in ((9, 2), (60, 7), (30, 4), (90, 3))]
    for doc, scores in zip(docs, scores_of(pipeline, docs), strict=True):
        (alone,) = scores_of(pipeline, [doc])
        np.testing.assert_allclose(scores.scores, alone.scores, atol=1e-5)
        assert scores.keys == alone.keys


def test_order_of_entities_permutes_the_scores(pipeline):
    doc = random_doc(pipeline.vocab, random.Random(2), 40, 5)
    (before,) = scores_of(pipeline, [doc])
    order = [3, 0, 4, 2, 1]
    mentions = [cluster.mentions for cluster in get_clusters(doc)]
    set_clusters(doc, [mentions[i] for i in order])
    (after,) = scores_of(pipeline, [doc])

    def as_dict(scores, names):
        pairs = zip(scores.pair_head, scores.pair_tail, strict=True)
        return {(names[h], names[t]): s for (h, t), s in zip(pairs, scores.scores, strict=True)}

    expected = as_dict(before, range(5))
    for pair, scores in as_dict(after, order).items():
        np.testing.assert_allclose(scores, expected[pair], atol=1e-5)


def test_save_and_load_gives_the_same_scores(pipeline, tmp_path):
    docs = [birth_doc(pipeline.vocab, 0), random_doc(pipeline.vocab, random.Random(3), 50, 4)]
    expected = scores_of(pipeline, docs)
    pipeline.to_disk(tmp_path / "model")
    from_disk = spacy.load(tmp_path / "model")
    from_bytes = spacy.util.load_model_from_config(pipeline.config).from_bytes(pipeline.to_bytes())
    for loaded in (from_disk, from_bytes):
        assert extractor_of(loaded).labels == ("born", "died")
        for a, b in zip(scores_of(loaded, docs), expected, strict=True):
            np.testing.assert_allclose(a.scores, b.scores, atol=1e-6)


def test_every_parameter_gets_a_gradient(pipeline, request):
    extractor = extractor_of(pipeline)
    extractor.update(birth_examples(pipeline.vocab))
    silent = []
    for node in extractor.model.walk():
        silent += [(node.name, n) for n in node.param_names if not node.has_grad(n)]
        for shim in node.shims:
            silent += [
                (node.name, name)
                for name, p in shim._model.named_parameters()
                if p.grad is None or not p.grad.abs().sum() > 0
            ]
            shim._model.zero_grad()
    # Not part of the computation: BERT's pooler, and attention that the head does not look at.
    unused = {"pooler"}
    if request.node.callspec.params["pipeline"][0] in WITHOUT_ATTENTION:
        unused |= {"query", "key", "distance_bias"}
    # No pair of these documents has two paths that GAIN could choose between.
    unused |= {"ask_head", "ask_tail"}
    assert [(node, n) for node, n in silent if unused.isdisjoint(n.split("."))] == []


@pytest.mark.slow
@pytest.mark.parametrize(("head", "encoder"), COMBINATIONS)
def test_overfits_eight_documents(head, encoder, tiny_bert, tmp_path):
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("xx")
    add_extractor(nlp, head, encoder, tiny_bert)
    examples = birth_examples(nlp.vocab)
    nlp.initialize(lambda: examples)
    optimizer = create_adamw(3e-3)
    for step in range(400):
        losses: dict[str, float] = {}
        nlp.update(examples, sgd=optimizer, losses=losses, drop=0.0)
        if step % 20 == 19 and nlp.evaluate(examples)["rel_f"] == 1.0:
            break
    scores = nlp.evaluate(examples)
    assert scores["rel_f"] == 1.0, losses
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path).evaluate(birth_examples(nlp.vocab))["rel_f"] == 1.0


@JACOBIANS
@pytest.mark.parametrize("head", HEADS)
def test_gradcheck_of_the_loss(head, fast_mode):
    nlp = initialised(head, "cnn", None)
    encoding = random_encoding(0, [2, 3], width=32, n_heads=4)
    module = extractor_of(nlp).model.get_ref("head").shims[0].require_built()
    # In training, a straight-through step has by design a gradient that is no derivative.
    # Dropout and counting the steps would change the function.
    module = copy.deepcopy(module).double().eval()
    labels = torch.rand(len(encoding.index.pair_head), 2) < 0.3
    mask = torch.rand(len(labels)) < 0.8
    mention = encoding.mention.clone().requires_grad_()
    attention = encoding.attention.clone().requires_grad_()

    def loss(mention, attention):
        output = module(Encoding(encoding.tokens, mention, attention, encoding.index))
        return module.loss(output, Targets(labels, mask))

    assert torch.autograd.gradcheck(loss, (mention, attention), fast_mode=fast_mode)


def test_masked_pairs_change_nothing(pipeline):
    extractor = extractor_of(pipeline)
    examples = birth_examples(pipeline.vocab, 2)
    unannotated = make_doc(pipeline.vocab, ["a", "b"], [[(0, 1)], [(1, 2)]])
    module = extractor.model.get_ref("head").shims[0].require_built()
    state = copy.deepcopy(module.state_dict())
    alone = extractor.update(examples)
    # A head may count its steps (KMGRE's largest threshold rises with them).
    module.load_state_dict(state)
    mixed = extractor.update([*examples, Example(unannotated.copy(), unannotated)])
    assert mixed[extractor.name] == pytest.approx(alone[extractor.name], rel=1e-5)
