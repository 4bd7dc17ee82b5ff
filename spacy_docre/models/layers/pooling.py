"""Sentences and mentions by their words alone, whatever the encoder puts around them."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..encoding import Encoding
from .segments import segment_max, segment_mean

Reduction = Callable[[Tensor, Tensor, int], Tensor]


def sentence_means(encoding: Encoding) -> Tensor:
    """The mean over the words of each sentence, without special tokens and markers.

    encoding (Encoding): The batch.
    RETURNS (Tensor): [S, d] The means; zero for a sentence without any column.
    """
    return _of_sentences(segment_mean, encoding)


def sentence_maxima(encoding: Encoding) -> Tensor:
    """The maximum over the words of each sentence, without special tokens and markers.

    encoding (Encoding): The batch.
    RETURNS (Tensor): [S, d] The maxima; zero for a sentence without any column.
    """
    return _of_sentences(segment_max, encoding)


def mention_means(encoding: Encoding) -> Tensor:
    """The mean over the words of each mention, without markers.

    encoding (Encoding): The batch.
    RETURNS (Tensor): [M, d] The means; zero for a mention without any column.
    """
    return _of_mentions(segment_mean, encoding)


def mention_maxima(encoding: Encoding) -> Tensor:
    """The maximum over the words of each mention, without markers.

    encoding (Encoding): The batch.
    RETURNS (Tensor): [M, d] The maxima; zero for a mention without any column.
    """
    return _of_mentions(segment_max, encoding)


def document_means(encoding: Encoding) -> Tensor:
    """The mean over the sentences of each document of the means over their words.

    encoding (Encoding): The batch.
    RETURNS (Tensor): [B, d] The means; zero for a document without sentences.
    """
    index = encoding.index
    return segment_mean(sentence_means(encoding), index.sentence_doc, index.n_docs)


def _of_mentions(reduce: Reduction, encoding: Encoding) -> Tensor:
    index = encoding.index
    words = encoding.tokens.flatten(0, 1).index_select(0, index.span_cell)
    return reduce(words, index.span_mention, index.n_mentions)


def _of_sentences(reduce: Reduction, encoding: Encoding) -> Tensor:
    index = encoding.index
    sentence = index.column_sentence.flatten()
    # Columns outside all words go to one more segment behind the last.
    segment = torch.where(sentence < 0, index.n_sentences, sentence)
    return reduce(encoding.tokens.flatten(0, 1), segment, index.n_sentences + 1)[:-1]
