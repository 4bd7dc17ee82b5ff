import random

import numpy as np
import pytest
import torch
from spacy.ml.models import build_hash_embed_cnn_tok2vec
from spacy.vocab import Vocab
from thinc.api import Model

from spacy_docre.models.batch import ClusterBatch
from spacy_docre.models.encoders.tok2vec import FARTHEST, Tok2VecEncoder

from ..util import birth_doc, random_doc


def make_tok2vec(width=8) -> Model:
    return build_hash_embed_cnn_tok2vec(
        width=width,
        depth=1,
        embed_size=50,
        window_size=1,
        maxout_pieces=2,
        subword_features=True,
        pretrained_vectors=None,
    )


def make_encoder(docs, **settings):
    encoder = Tok2VecEncoder(make_tok2vec(), n_heads=2, head_width=3, **settings)
    encoder.set_dim("nT", 3)
    encoder.initialize(X=(docs, ClusterBatch.from_docs(docs)))
    return encoder


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def distance_bucket(position, start, end):
    """Plain steps of the bias: 0 within the mention, then 1, 2-3, 4-7, ... tokens away."""
    if start <= position < end:
        return 0
    away = start - position if position < start else position - end + 1
    steps = 1
    while 2**steps - 1 < away:
        steps += 1
    return min(steps, FARTHEST) * (-1 if position < start else 1)


@pytest.mark.parametrize("use_distance", [True, False])
@pytest.mark.parametrize("use_entity_types", [True, False])
def test_equals_one_mention_at_a_time(use_entity_types, use_distance):
    vocab, rng = Vocab(), random.Random(3)
    docs = [random_doc(vocab, rng, n, k) for n, k in ((10, 3), (0, 0), (1, 1), (600, 6))]
    encoder = make_encoder(docs, use_entity_types=use_entity_types, use_distance=use_distance)
    clusters = ClusterBatch.from_docs(docs, entity_types=["OTHER", "THING"])
    encoding = encoder.predict((docs, clusters))
    vectors = encoder.get_ref("tok2vec").predict(docs)
    module = encoder.shims[0].require_built()
    spans = list(zip(clusters.mention_start, clusters.mention_end, strict=True))
    if use_entity_types:
        for (start, end), doc in zip(spans, clusters.mention_doc, strict=True):
            vectors[doc][start:end] += module.type_embedding.weight[2].detach().numpy()
    for m, ((start, end), doc) in enumerate(zip(spans, clusters.mention_doc, strict=True)):
        tokens = vectors[doc]
        mention = tokens[start:end].mean(axis=0)
        np.testing.assert_allclose(encoding.mention[m], mention, atol=1e-5)
        np.testing.assert_allclose(encoding.tokens[doc, : len(tokens)], tokens, atol=1e-5)
        query = module.query(torch.from_numpy(mention)).detach().numpy().reshape(2, 3)
        key = module.key(torch.from_numpy(tokens)).detach().numpy().reshape(-1, 2, 3)
        for k in range(2):
            scores = key[:, k] @ query[k] / np.sqrt(3)
            if use_distance:
                bias = module.distance_bias.weight[:, k].detach().numpy()
                places = [distance_bucket(i, start, end) for i in range(len(tokens))]
                scores = scores + bias[np.array(places) + FARTHEST]
            expected = softmax(scores)
            np.testing.assert_allclose(encoding.attention[k, m, : len(tokens)], expected, atol=1e-5)
        assert encoding.attention[:, m, len(tokens) :].abs().sum() == 0


def test_gradients_reach_the_tok2vec_and_the_projections():
    docs = [birth_doc(Vocab(), 0), birth_doc(Vocab(), 1)]
    encoder = make_encoder(docs)
    clusters = ClusterBatch.from_docs(docs)
    encoding, backprop = encoder.begin_update((docs, clusters))
    backprop(tuple(torch.randn(t.shape) for t in encoding.tensors))
    module = encoder.shims[0].require_built()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
    tok2vec = encoder.get_ref("tok2vec")
    touched = [node for node in tok2vec.walk() if node.param_names]
    assert all(node.has_grad(name) for node in touched for name in node.param_names)


def test_saved_and_loaded_encoder_is_the_same():
    docs = [birth_doc(Vocab(), 0)]
    encoder = make_encoder(docs)
    clusters = ClusterBatch.from_docs(docs)
    expected = encoder.predict((docs, clusters))
    loaded = Tok2VecEncoder(make_tok2vec(), n_heads=2, head_width=3).from_bytes(encoder.to_bytes())
    for a, b in zip(expected.tensors, loaded.predict((docs, clusters)).tensors, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=0)
