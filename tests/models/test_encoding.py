"""The indices between encoders and heads against loops."""

import random

import numpy as np
import pytest
import torch
from spacy.vocab import Vocab

from spacy_docre.models.batch import ClusterBatch
from spacy_docre.models.encoding import EncodingIndex

from ..util import random_doc


@pytest.mark.parametrize("seed", range(5))
def test_words_of_columns_and_mentions_equal_a_loop(seed):
    vocab, rng = Vocab(), random.Random(seed)
    docs = [random_doc(vocab, rng, n, k) for n, k in ((7, 3), (0, 0), (1, 2), (12, 4))]
    clusters = ClusterBatch.from_docs(docs)
    rows = []
    for doc in docs:
        # A special token, then each token as none to two columns, some of them behind a marker.
        row = [-1]
        for token in doc:
            row += [-1] * rng.randint(0, 1) + [token.i] * rng.randint(0, 2)
        rows.append(row)
    width = max(map(len, rows))
    column_token = np.array([row + [-1] * (width - len(row)) for row in rows])
    lengths = np.array([len(row) for row in rows])
    index = EncodingIndex.from_clusters(clusters, lengths, column_token, torch.device("cpu"))
    first_sentence = 0
    for d, doc in enumerate(docs):
        sentence = {t.i: n for n, s in enumerate(doc.sents, start=first_sentence) for t in s}
        first_sentence += len(list(doc.sents))
        expected = [sentence.get(token, -1) for token in column_token[d]]
        assert index.column_sentence[d].tolist() == expected
    cells, owners = [], []
    for m, d in enumerate(clusters.mention_doc):
        span = range(clusters.mention_start[m], clusters.mention_end[m])
        own = [d * width + c for c, token in enumerate(column_token[d]) if token in span]
        cells += own
        owners += [m] * len(own)
    assert index.span_cell.tolist() == cells
    assert index.span_mention.tolist() == owners
    assert (index.n_docs, index.n_mentions) == (4, len(clusters.mention_entity))
    assert index.n_sentences == first_sentence
