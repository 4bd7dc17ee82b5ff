"""The sentences of a document, by their numbers."""

from collections.abc import Sequence

import numpy as np
from spacy.attrs import SENT_START
from spacy.tokens import Doc


def sentence_of_token(doc: Doc) -> np.ndarray:
    """Number the sentences of a document.

    doc (Doc): The document. Without marked sentences it is one.
    RETURNS (np.ndarray): [T] int64. The sentence of each token, from 0.
    """
    numbers: np.ndarray = (doc.to_array(SENT_START) == 1).cumsum() - 1
    return numbers.clip(0)


def sentences_of_tokens(docs: Sequence[Doc], n_tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the sentences of the first tokens of documents through, see `sentence_of_token`.

    docs (Sequence[Doc]): The documents.
    n_tokens (np.ndarray): [B] int64. How many tokens of each.
    RETURNS (tuple[np.ndarray, np.ndarray]): [T] int64, the sentence of each token, document by
        document; [S] int64, the document of each sentence. One without tokens has none.
    """
    marks = [doc.to_array(SENT_START)[:n] for doc, n in zip(docs, n_tokens.tolist(), strict=True)]
    n_begun = np.cumsum(np.concatenate([np.zeros(1, np.uint64), *marks]) == 1)
    last = np.cumsum(n_tokens)
    n_before = n_begun[last - n_tokens]
    within = (n_begun[1:] - np.repeat(n_before, n_tokens) - 1).clip(0)
    counts = (n_begun[last] - n_before).clip(n_tokens > 0)
    first = np.cumsum(counts) - counts
    return within + np.repeat(first, n_tokens), np.repeat(np.arange(len(docs)), counts)


def sentence_ends(doc: Doc) -> list[int]:
    """Where the sentences of a document end.

    doc (Doc): The document. Without marked sentences it is one.
    RETURNS (list[int]): The ends, in characters.
    """
    sentence = sentence_of_token(doc)
    lasts = (doc[int(i)] for i in np.flatnonzero(np.diff(sentence, append=-1)))
    return [token.idx + len(token) for token in lasts]
