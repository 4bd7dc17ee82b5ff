"""The entity structure of windows against a loop over all pairs of wordpieces."""

import random

import numpy as np
import pytest
from spacy.vocab import Vocab

from spacy_docre.models.batch import ClusterBatch

from ..reference.structure import dense
from ..util import make_doc, random_doc

pytest.importorskip("spacy_transformers")
from transformers import AutoTokenizer

from spacy_docre.models.encoders.layout import WindowLayout
from spacy_docre.models.encoders.structure import Structure, WindowStructure
from spacy_docre.models.encoders.windows import cut_windows
from spacy_docre.models.encoders.wordpieces import WordpieceMarker

START, END = 5, 8


@pytest.fixture(scope="module")
def tokenizer(tiny_bert):
    return AutoTokenizer.from_pretrained(tiny_bert)


def make_layout(tokenizer, docs, *, markers, capacity=20, stride=5):
    marker = WordpieceMarker(tokenizer, *((START, END) if markers else (None, None)))
    clusters = ClusterBatch.from_docs(docs)
    marked = marker(docs, clusters)
    return WindowLayout(
        marked, cut_windows(marked.lengths, capacity, stride), marker.specials, clusters
    )


def slow_pieces(layout, docs, doc_index):
    """The entities and the sentence of each wordpiece and marker of a document, read off its spans
    and the ids."""
    clusters, marked = layout.clusters, layout.marked
    offset = marked.lengths[:doc_index].sum()
    tokens = marked.token[offset : offset + marked.lengths[doc_index]]
    ids = marked.ids[offset : offset + marked.lengths[doc_index]]
    sentence_of = [0 for _ in docs[doc_index]]
    for number, sentence in enumerate(docs[doc_index].sents if len(docs[doc_index]) else []):
        for token in sentence:
            sentence_of[token.i] = number
    entities = [set() for _ in tokens]
    for m in np.flatnonzero(clusters.mention_doc == doc_index):
        inside = range(clusters.mention_start[m], clusters.mention_end[m])
        places = [i for i, token in enumerate(tokens) if token in inside]
        if marked.has_markers:
            assert ids[marked.mention_position[m]] == START
            places.append(marked.mention_position[m])
        for i in range(min(places), max(places) + 1):
            entities[i].add(clusters.mention_entity[m])
    sentences = []
    for i, token in enumerate(tokens):
        if token < 0:
            # A marker stands in the sentence of the word that it opens or closes.
            step = 1 if ids[i] == START else -1
            while tokens[i] < 0:
                i += step
            token = tokens[i]
        sentences.append(sentence_of[token])
    return entities, sentences


def slow_structure(entities_i, sentence_i, entities_j, sentence_j):
    intra = sentence_i == sentence_j
    if entities_i and entities_j:
        if entities_i & entities_j:
            return Structure.INTRA_COREF if intra else Structure.INTER_COREF
        return Structure.INTRA_RELATE if intra else Structure.INTER_RELATE
    return Structure.INTRA_NE if intra and (entities_i or entities_j) else Structure.NONE


@pytest.mark.parametrize("markers", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_equals_a_loop_over_pairs_of_wordpieces(tokenizer, seed, markers):
    rng, vocab = random.Random(seed), Vocab()
    docs = [random_doc(vocab, rng, n, k) for n, k in ((25, 4), (0, 0), (1, 1), (5, 0), (60, 9))]
    layout = make_layout(tokenizer, docs, markers=markers)
    chunk = np.arange(len(layout.window_lengths))
    structure = WindowStructure.of(layout, chunk)
    pieces = [slow_pieces(layout, docs, i) for i in range(len(docs))]
    seen = set()
    for w in chunk:
        start, end = layout.windows.start[w], layout.windows.end[w]
        entities, sentences = pieces[layout.windows.doc[w]]
        expected = np.zeros(structure.rows.shape[2:] * 2, dtype=int)
        for i in range(start, end):
            for j in range(start, end):
                expected[i - start + 1, j - start + 1] = slow_structure(
                    entities[i], sentences[i], entities[j], sentences[j]
                )
        np.testing.assert_array_equal(dense(structure, w), expected)
        seen |= set(expected.ravel().tolist())
        assert sorted(structure.order[w]) == list(range(structure.order.shape[1]))
    assert structure.rows.dtype == np.uint8
    assert seen == set(Structure)


def test_coreference_comes_before_other_relations(tokenizer):
    """The second token is in mentions of both entities."""
    doc = make_doc(Vocab(), ["in", "to", "was"], [[(0, 2)], [(1, 3)]])
    layout = make_layout(tokenizer, [doc], markers=False)
    full = dense(WindowStructure.of(layout, np.array([0])), 0)[1:4, 1:4]
    coref, relate = Structure.INTRA_COREF, Structure.INTRA_RELATE
    assert full.tolist() == [[coref, coref, relate], [coref, coref, coref], [relate, coref, coref]]


def test_no_mention_no_rows(tokenizer):
    docs = [make_doc(Vocab(), ["in"], []), make_doc(Vocab(), [], [])]
    layout = make_layout(tokenizer, docs, markers=False)
    structure = WindowStructure.of(layout, np.arange(2))
    assert structure.rows.shape == (2, 0, 3)
    assert structure.order.tolist() == [[0, 1, 2], [0, 1, 2]]


def test_mention_without_wordpieces_becomes_an_unknown_one(tokenizer):
    doc = make_doc(Vocab(), ["in", "\u200b", "\u200b", "in"], [[(1, 2)], [(2, 4)]])
    marked = make_layout(tokenizer, [doc], markers=False).marked
    piece = tokenizer.convert_tokens_to_ids("in")
    assert marked.ids.tolist() == [piece, tokenizer.unk_token_id, piece]
    assert marked.mention_position.tolist() == [1, 2]
    assert marked.mention_end.tolist() == [2, 3]
