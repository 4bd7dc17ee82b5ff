"""The sentences of a document, by their numbers."""

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


def sentence_ends(doc: Doc) -> list[int]:
    """Where the sentences of a document end.

    doc (Doc): The document. Without marked sentences it is one.
    RETURNS (list[int]): The ends, in characters.
    """
    sentence = sentence_of_token(doc)
    lasts = (doc[int(i)] for i in np.flatnonzero(np.diff(sentence, append=-1)))
    return [token.idx + len(token) for token in lasts]
