import random

import numpy as np
import pytest
from spacy.ml.models import MultiHashEmbed
from spacy.vocab import Vocab

from spacy_docre.data.clusters import get_clusters, set_clusters
from spacy_docre.models.encoders.entity_embed import EntityEmbed, entity_features

from ..util import birth_doc, make_doc, random_doc


def make_embed(**settings):
    words = MultiHashEmbed(12, ["NORM", "SHAPE"], [50, 20], include_static_vectors=False)
    return EntityEmbed(words, 12, **settings)


def slow_features(doc):
    """The label and number of each token: the smallest mention around it, of the entity that comes
    first if several are as small."""
    clusters = sorted(
        (sorted((span.start, span.end) for span in cluster.group), cluster.label)
        for cluster in get_clusters(doc)
        if len(cluster.group)
    )
    rows = []
    for i in range(len(doc)):
        around = [
            (end - start, number, label)
            for number, (spans, label) in enumerate(clusters, start=1)
            for start, end in spans
            if start <= i < end
        ]
        _, number, label = min(around, default=(0, 0, ""))
        rows.append((doc.vocab.strings[label], number))
    return np.array(rows, dtype="uint64").reshape(-1, 2)


@pytest.mark.parametrize("seed", range(4))
def test_features_equal_a_search_for_each_token(seed):
    rng, vocab = random.Random(seed), Vocab()
    for n_words, n_clusters in ((0, 0), (1, 1), (9, 0), (12, 5), (40, 9)):
        doc = random_doc(vocab, rng, n_words, n_clusters)
        np.testing.assert_array_equal(entity_features(doc), slow_features(doc))


def test_inner_mentions_keep_their_tokens():
    clusters = [[(3, 4)], [(0, 3), (4, 5)]]
    doc = make_doc(Vocab(), ["University", "of", "Oslo", ",", "UiO"], [*clusters, [(2, 3)]])
    assert entity_features(doc)[:, 1].tolist() == [1, 1, 2, 3, 1]


def test_order_of_the_clusters_does_not_matter():
    doc = random_doc(Vocab(), random.Random(5), 30, 6)
    before = entity_features(doc)
    set_clusters(doc, [cluster.mentions for cluster in get_clusters(doc)][::-1])
    np.testing.assert_array_equal(entity_features(doc), before)


def test_features_change_the_vectors_of_their_tokens():
    vocab = Vocab()
    with_entities = birth_doc(vocab, 0)
    without = make_doc(vocab, [token.text for token in with_entities], [])
    embed = make_embed()
    embed.initialize(X=[with_entities])
    a, b = embed.predict([with_entities, without])
    assert a.shape == (len(with_entities), 12)
    differs = np.abs(a - b).max(axis=1) > 1e-6
    assert differs.tolist() == (entity_features(with_entities)[:, 1] > 0).tolist()


def test_every_parameter_gets_a_gradient():
    docs = [birth_doc(Vocab(), 0), make_doc(Vocab(), [], []), birth_doc(Vocab(), 1)]
    embed = make_embed(type_width=3, id_width=4)
    embed.initialize(X=docs)
    vectors, backprop = embed.begin_update(docs)
    backprop([np.random.default_rng(0).normal(size=v.shape).astype("f") for v in vectors])
    nodes = [node for node in embed.walk() if node.param_names]
    assert all(np.abs(node.get_grad(n)).sum() > 0 for node in nodes for n in node.param_names)


def test_prefix():
    doc = make_doc(Vocab(), ["a", "b"], [[(1, 2)]], prefix="mine")
    assert entity_features(doc, "mine")[:, 1].tolist() == [0, 1]
    assert entity_features(doc)[:, 1].tolist() == [0, 0]
