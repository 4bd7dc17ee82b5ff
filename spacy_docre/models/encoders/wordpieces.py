"""From documents to sequences of wordpieces, with or without markers around the mentions."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
from spacy.attrs import ORTH, SPACY
from spacy.tokens import Doc

from ...errors import DocreError, Errors
from ..batch import ClusterBatch
from ..encoding import ranges
from .saved_tokenizer import panics_as_errors

# The letters that a tokenizer in Python gets at a time: more than any word has.
MAX_LETTERS = 1000


@dataclass(frozen=True)
class Specials:
    """The special tokens that an encoder expects around its input, [CLS] and [SEP] for BERT.

    prefix (list[int]): The ids before it.
    suffix (list[int]): The ids after it.
    pad (int): The id that fills a batch of windows.
    """

    prefix: list[int]
    suffix: list[int]
    pad: int

    def __len__(self) -> int:
        return len(self.prefix) + len(self.suffix)

    @classmethod
    def of(cls, tokenizer: Any) -> "Specials":
        """Read the special tokens off what a tokenizer puts around a text."""
        with panics_as_errors():
            bare = tokenizer("a", add_special_tokens=False)["input_ids"]
            full = tokenizer("a", add_special_tokens=True)["input_ids"]
        places = (i for i in range(len(full)) if full[i : i + len(bare)] == bare)
        place = next(places, None)
        if place is None:
            raise DocreError(Errors.D164.format(tokenizer=type(tokenizer).__name__))
        return cls(full[:place], full[place + len(bare) :], tokenizer.pad_token_id or 0)


@dataclass(frozen=True)
class MarkedWordpieces:
    """A batch of documents as wordpieces, one after the other, without special tokens.

    ids (np.ndarray): [T] int64. The wordpieces and markers of all documents.
    lengths (np.ndarray): [B] int64. How many of them each document has.
    token (np.ndarray): [T] int64. The token of its document that each wordpiece is a part of, -1
        for markers.
    sentence (np.ndarray): [T] int64. The sentence that each wordpiece or marker stands in.
    mention_position (np.ndarray): [M] int64. Where the start marker of each mention stands, or its
        first wordpiece if there are no markers, counted within its document.
    mention_end (np.ndarray): [M] int64. The position after its last wordpiece.
    has_markers (bool): Whether there are markers.
    """

    ids: np.ndarray
    lengths: np.ndarray
    token: np.ndarray
    sentence: np.ndarray
    mention_position: np.ndarray
    mention_end: np.ndarray
    has_markers: bool

    @property
    def mention_pieces(self) -> tuple[np.ndarray, np.ndarray]:
        """All wordpieces between the start and the end of mentions, start markers included: the
        mention and the position of each, two of [I] int64. Those of a mention stand together."""
        counts = self.mention_end - self.mention_position
        return np.repeat(np.arange(len(counts)), counts), ranges(self.mention_position, counts)

    @property
    def anchors(self) -> tuple[np.ndarray, np.ndarray]:
        """The positions whose vectors and attention are the mentions': the start markers, or all
        wordpieces if there are no markers. In the form of `mention_pieces`."""
        if self.has_markers:
            return np.arange(len(self.mention_position)), self.mention_position
        return self.mention_pieces


class WordpieceMarker:
    """Cuts documents into wordpieces, token by token, so that mentions always begin and end
    between wordpieces, and puts a marker before and after every mention. Without markers, a
    mention that the tokenizer has no wordpiece for, such as a lone zero-width character, becomes
    one unknown wordpiece, so that every mention has a place.

    tokenizer (PreTrainedTokenizerBase): The encoder's tokenizer, fast or slow.
    start (Optional[int]): The id of the marker before a mention; None for no markers.
    end (Optional[int]): The id of the marker after it.
    """

    # Enough for the vocabulary of a large corpus; the cache starts anew when it is full.
    CACHE_SIZE = 500_000

    def __init__(self, tokenizer: Any, start: int | None, end: int | None) -> None:
        self.tokenizer = tokenizer
        self.start = start
        self.end = end
        self.specials = Specials.of(tokenizer)
        # By a word's hash in the string store, and whether a space stands before it.
        self._cache: dict[tuple[int, int], list[int]] = {}

    def __call__(self, docs: Sequence[Doc], clusters: ClusterBatch) -> MarkedWordpieces:
        """docs (Sequence[Doc]): The documents.
        clusters (ClusterBatch): Their entity clusters.
        RETURNS (MarkedWordpieces): The marked wordpieces.
        """
        doc_lengths = clusters.doc_length
        pieces = self._tokenize(docs, doc_lengths.tolist())
        doc_offset = np.cumsum(doc_lengths) - doc_lengths
        first = doc_offset[clusters.mention_doc] + clusters.mention_start
        last = doc_offset[clusters.mention_doc] + clusters.mention_end - 1
        has_markers = self.start is not None
        if not has_markers:
            self._fill_empty_mentions(pieces, first, last)
        counts = np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces))
        opening = np.bincount(first, minlength=len(counts)) * has_markers
        closing = np.bincount(last, minlength=len(counts)) * has_markers
        # Each token's block is: start markers, wordpieces, end markers.
        block = opening + counts + closing
        block_start = np.cumsum(block) - block
        words_start = block_start + opening
        ids = np.full(int(block.sum()), self.end or 0, dtype=np.int64)
        ids[ranges(block_start, opening)] = self.start or 0
        words = ranges(words_start, counts)
        ids[words] = list(chain.from_iterable(pieces))
        token_of = np.full(len(ids), -1, dtype=np.int64)
        token_of[words] = np.repeat(ranges(np.zeros_like(doc_lengths), doc_lengths), counts)
        lengths = np.zeros(len(docs), dtype=np.int64)
        np.add.at(lengths, np.repeat(np.arange(len(docs)), doc_lengths), block)
        position = block_start[first] + _rank_among_equals(first, last) * has_markers
        sequence_offset = (np.cumsum(lengths) - lengths)[clusters.mention_doc]
        return MarkedWordpieces(
            ids=ids,
            lengths=lengths,
            token=token_of,
            sentence=np.repeat(clusters.token_sentence, block),
            mention_position=position - sequence_offset,
            mention_end=words_start[last] + counts[last] - sequence_offset,
            has_markers=has_markers,
        )

    def count(self, doc: Doc, n_tokens: int) -> np.ndarray:
        """Count the wordpieces of tokens, without markers.

        doc (Doc): The document.
        n_tokens (int): How many of its tokens, at most as many as it has.
        RETURNS (np.ndarray): [n_tokens] int64.
        """
        pieces = self._tokenize([doc], [n_tokens])
        return np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces))

    def _fill_empty_mentions(
        self, pieces: list[list[int]], first: np.ndarray, last: np.ndarray
    ) -> None:
        has_pieces = np.fromiter(map(bool, pieces), dtype=np.int64, count=len(pieces))
        before = np.concatenate([[0], np.cumsum(has_pieces)])
        for token in first[before[last + 1] == before[first]]:
            # Tokenizers of bytes and of characters know no unknown wordpiece.
            unknown = self.tokenizer.unk_token_id
            pieces[token] = [self.specials.pad if unknown is None else unknown]

    def _tokenize(self, docs: Sequence[Doc], n_tokens: Sequence[int]) -> list[list[int]]:
        """The wordpieces of the first tokens, which some tokenizers cut differently after a
        space."""
        # Another thread may start the cache anew meanwhile, but will not empty this one.
        cache = self._cache
        if len(cache) > self.CACHE_SIZE:
            cache = self._cache = {}
        keys: list[tuple[int, int]] = []
        new: dict[tuple[int, int], str] = {}
        for doc, n in zip(docs, n_tokens, strict=True):
            # Tokens as Python objects would take most of the time that all of this does.
            columns: Any = doc.to_array([ORTH, SPACY]).reshape(-1, 2)[:n].T
            words, spaces = columns.tolist()
            of_doc = list(zip(words, [0, *spaces[:-1]], strict=False))
            for key in set(of_doc):
                if key not in cache:
                    new[key] = " " * key[1] + doc.vocab.strings[key[0]]
            keys += of_doc
        if new:
            cache.update(zip(new, self._encode(list(new.values())), strict=True))
        return [cache[key] for key in keys]

    def _encode(self, words: list[str]) -> list[list[int]]:
        # Tokenizers in Python try all pairs of pieces again after each that they join.
        longest = sys.maxsize if self.tokenizer.is_fast else MAX_LETTERS
        parts = [[w[i : i + longest] for i in range(0, max(len(w), 1), longest)] for w in words]
        with panics_as_errors():
            encoded = self.tokenizer(
                list(chain.from_iterable(parts)),
                add_special_tokens=False,
                return_attention_mask=False,
                return_token_type_ids=False,
                verbose=False,
            )
        ids = iter(encoded["input_ids"])
        return [list(chain.from_iterable(islice(ids, len(own)))) for own in parts]


def _rank_among_equals(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The place of each mention among those that start at the same token: longer ones are outside,
    identical ones keep their order."""
    order = np.lexsort((np.arange(len(first)), -last, first))
    is_new = np.diff(first[order], prepend=-1) != 0
    group_start = np.maximum.accumulate(np.where(is_new, np.arange(len(order)), 0))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - group_start
    return rank
