"""Markers and wordpieces against an implementation with one list operation a wordpiece."""

import random

import pytest
from spacy.vocab import Vocab

from spacy_docre.models.batch import ClusterBatch

from ..util import make_doc, random_doc

pytest.importorskip("spacy_transformers")
from transformers import AutoTokenizer

from spacy_docre.models.encoders import wordpieces
from spacy_docre.models.encoders.wordpieces import Specials, WordpieceMarker

START, END = 5, 8


@pytest.fixture(scope="module")
def tokenizer(tiny_bert):
    return AutoTokenizer.from_pretrained(tiny_bert)


def slow_marked(tokenizer, doc, mentions):
    """All ids of a document, the token of each, and the positions of the mentions' start markers.
    Longer mentions are outside of shorter ones that start with them; of identical ones the first is
    outside."""
    ids, tokens, positions = [], [], {}
    for token in doc:
        opening = [m for m in range(len(mentions)) if mentions[m][0] == token.i]
        for m in sorted(opening, key=lambda m: (-mentions[m][1], m)):
            positions[m] = len(ids)
            ids.append(START)
            tokens.append(-1)
        text = (doc[token.i - 1].whitespace_ if token.i else "") + token.text
        pieces = tokenizer(text, add_special_tokens=False)["input_ids"]
        n_closing = sum(mention[1] == token.i + 1 for mention in mentions)
        ids += pieces + [END] * n_closing
        tokens += [token.i] * len(pieces) + [-1] * n_closing
    return ids, tokens, [positions[m] for m in range(len(mentions))]


def test_tokenizers_in_python_get_long_words_in_parts(tiny_bert, monkeypatch):
    """Their work would grow with the square of the letters."""
    monkeypatch.setattr(wordpieces, "MAX_LETTERS", 3)
    slow = AutoTokenizer.from_pretrained(tiny_bert, use_fast=False)
    found = WordpieceMarker(slow, START, END)._tokenize(
        [make_doc(Vocab(), ["a", "aaaaa"], [])], [2]
    )
    parts = slow([" aa", "aaa"], add_special_tokens=False)["input_ids"]
    assert found == [slow.encode("a", add_special_tokens=False), parts[0] + parts[1]]


@pytest.mark.parametrize("seed", range(5))
def test_equals_a_loop(tokenizer, seed):
    vocab, rng = Vocab(), random.Random(seed)
    docs = [random_doc(vocab, rng, n, 4) for n in (12, 0, 1, 25)]
    clusters = ClusterBatch.from_docs(docs)
    marked = WordpieceMarker(tokenizer, START, END)(docs, clusters)
    offset = 0
    for i, doc in enumerate(docs):
        own = clusters.mention_doc == i
        mentions = list(zip(clusters.mention_start[own], clusters.mention_end[own], strict=True))
        ids, tokens, positions = slow_marked(tokenizer, doc, mentions)
        assert marked.lengths[i] == len(ids)
        assert marked.ids[offset : offset + len(ids)].tolist() == ids
        assert marked.token[offset : offset + len(ids)].tolist() == tokens
        assert marked.mention_position[own].tolist() == positions
        offset += len(ids)


def test_tokens_without_wordpieces_keep_their_markers(tokenizer):
    vocab = Vocab()
    doc = make_doc(vocab, ["in", "\u200b", "in"], [[(1, 2)], [(2, 3)]])
    clusters = ClusterBatch.from_docs([doc])
    marked = WordpieceMarker(tokenizer, START, END)([doc], clusters)
    start = tokenizer.convert_tokens_to_ids("in")
    assert marked.ids.tolist() == [start, START, END, START, start, END]


def test_special_tokens_are_read_off_the_tokenizer(tokenizer):
    assert Specials.of(tokenizer) == Specials([2], [3], 0)


def test_cache_that_is_full_starts_anew(tokenizer, monkeypatch):
    vocab = Vocab()
    docs = [make_doc(vocab, ["was", "born", "in", "was"], [[(0, 1)]])]
    marker = WordpieceMarker(tokenizer, START, END)
    clusters = ClusterBatch.from_docs(docs)
    first = marker(docs, clusters).ids.tolist()
    monkeypatch.setattr(WordpieceMarker, "CACHE_SIZE", 0)
    assert marker(docs, clusters).ids.tolist() == first
