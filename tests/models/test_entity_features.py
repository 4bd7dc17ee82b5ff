"""The features of SSAN's encoder that tell a word which entity it is in."""

import random

import numpy as np
import pytest
import torch
from spacy.vocab import Vocab

from spacy_docre.models.batch import ClusterBatch

from ..util import birth_doc, make_doc, random_doc

pytest.importorskip("spacy_transformers")
from spacy_docre.models.encoders.entity_features import ROWS, entity_features
from spacy_docre.models.encoders.entity_structure import EntityStructureTransformer
from spacy_docre.models.encoders.transformer import window_layout

NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def slow_features(clusters):
    """The type and the number of each token's and each mention's entity, one after the other."""
    firsts = {}
    columns = (clusters.mention_entity, clusters.mention_start, clusters.mention_end)
    mentions = list(zip(*columns, strict=True))
    for entity, start, _ in mentions:
        firsts[entity] = min(start, firsts.get(entity, start))
    feature = {}
    for entity, first in firsts.items():
        doc = clusters.entity_doc[entity]
        earlier = [e for e in firsts if clusters.entity_doc[e] == doc and firsts[e] < first]
        feature[entity] = (clusters.entity_type[entity] + 1, len(earlier) + 1)
    rows = []
    for doc, length in enumerate(clusters.doc_length):
        for token in range(length):
            around = [
                (end - start, *feature[entity])
                for entity, start, end in mentions
                if clusters.entity_doc[entity] == doc and start <= token < end
            ]
            shortest = min((length for length, *_ in around), default=0)
            own = [(n, t) for length, t, n in around if length == shortest]
            rows.append(max(own)[::-1] if own else (0, 0))
    return rows, [feature[entity] for entity, *_ in mentions]


@pytest.mark.parametrize("seed", range(4))
def test_features_equal_their_definition(seed):
    rng, vocab = random.Random(seed), Vocab()
    docs = [random_doc(vocab, rng, n, k) for n, k in ((12, 6), (0, 0), (30, 9), (5, 1), (4, 0))]
    clusters = ClusterBatch.from_docs(docs, entity_types=["OTHER", "THING"])
    of_token, of_mention = entity_features(clusters)
    slow_token, slow_mention = slow_features(clusters)
    np.testing.assert_array_equal(of_token, np.reshape(slow_token, (-1, 2)))
    np.testing.assert_array_equal(of_mention, np.reshape(slow_mention, (-1, 2)))


def make_encoder(path, **settings):
    encoder = EntityStructureTransformer(str(path), transformer_config=NO_DROPOUT, **settings)
    encoder.initialize()
    return encoder


@pytest.mark.parametrize("widths", [(3, 5), (0, 5), (3, 0)])
def test_features_are_joined_to_words_and_mentions(tiny_bert, widths):
    vocab = Vocab()
    docs = [
        birth_doc(vocab, 1),
        make_doc(vocab, [], []),
        random_doc(vocab, random.Random(2), 90, 4),
    ]
    clusters = ClusterBatch.from_docs(docs, entity_types=["GPE", "PERSON"])
    encoder = make_encoder(tiny_bert, type_width=widths[0], number_width=widths[1])
    plain = make_encoder(tiny_bert)
    biases = plain.shims[0]._model.state_dict()
    encoder.shims[0]._model.load_state_dict(biases, strict=False)
    assert encoder.get_dim("nO") == 32 + sum(widths)
    joined, expected = (e.predict((docs, clusters)) for e in (encoder, plain))
    torch.testing.assert_close(joined.tokens[..., :32], expected.tokens)
    torch.testing.assert_close(joined.mention[:, :32], expected.mention)
    torch.testing.assert_close(joined.attention, expected.attention)

    tables = encoder.shims[0]._model.entity_features.tables

    def embed(feature):
        rows = dict(zip(("types", "numbers"), feature, strict=True))
        return torch.cat([table[int(rows[name])] for name, table in tables.items()])

    of_token, of_mention = entity_features(clusters)
    for mention, feature in zip(joined.mention, of_mention, strict=True):
        assert torch.equal(mention[32:], embed(feature))
    layout = window_layout(encoder, docs, clusters)
    start = np.cumsum(clusters.doc_length) - clusters.doc_length
    for doc, columns in enumerate(layout.column_token):
        for column, token in enumerate(columns):
            vector = joined.tokens[doc, column, 32:]
            if column >= layout.lengths[doc]:
                assert not vector.any()
            else:
                own = of_token[start[doc] + token] if token >= 0 else (0, 0)
                assert torch.equal(vector, embed(own))


def test_more_entities_than_rows_share_them(tiny_bert):
    n = ROWS + 3
    doc = make_doc(Vocab(), ["a"] * n, [[(i, i + 1)] for i in range(n)])
    clusters = ClusterBatch.from_docs([doc])
    encoding = make_encoder(tiny_bert, number_width=2).predict(([doc], clusters))
    assert torch.equal(encoding.mention[0, 32:], encoding.mention[ROWS - 1, 32:])
    assert not torch.equal(encoding.mention[0, 32:], encoding.mention[1, 32:])


def test_features_are_saved_with_the_encoder(tiny_bert):
    docs = [birth_doc(Vocab(), 0)]
    clusters = ClusterBatch.from_docs(docs)
    encoder = make_encoder(tiny_bert, type_width=3, number_width=5)
    loaded = EntityStructureTransformer(str(tiny_bert), type_width=3, number_width=5)
    loaded.from_bytes(encoder.to_bytes())
    expected, found = (e.predict((docs, clusters)).tokens for e in (encoder, loaded))
    torch.testing.assert_close(found, expected)
