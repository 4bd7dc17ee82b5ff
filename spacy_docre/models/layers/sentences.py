"""The sentences of a document, and its columns by sentence."""

import torch
from torch import Tensor

from ..encoding import EncodingIndex


def sentence_positions(sentence_doc: Tensor, n_docs: int) -> tuple[Tensor, int]:
    """Number the sentences of each document.

    sentence_doc (Tensor): [S] int64. The document of each sentence.
    n_docs (int): The number of documents.
    RETURNS (tuple[Tensor, int]): [S] int64, the position of each sentence in its document from 0;
        and the largest number of sentences of a document.
    """
    counts = torch.bincount(sentence_doc, minlength=n_docs)
    starts = counts.cumsum(0) - counts
    number = torch.arange(len(sentence_doc), device=counts.device)
    return number - starts[sentence_doc], int(counts.max())


def entities_in_sentences(index: EncodingIndex) -> Tensor:
    """Which entities are mentioned in which sentences.

    index (EncodingIndex): The indices of a batch.
    RETURNS (Tensor): [B, n, s] bool. By the entity's slot and the sentence's position.
    """
    position, longest = sentence_positions(index.sentence_doc, index.n_docs)
    occurs = index.is_entity.new_zeros(index.n_docs, index.max_entities, longest)
    cell = (
        index.mention_doc,
        index.entity_slot[index.mention_entity],
        position[index.mention_sentence],
    )
    return occurs.index_put(cell, occurs.new_ones(()))


def column_positions(column_sentence: Tensor, sentence_doc: Tensor) -> tuple[Tensor, int]:
    """The position in its document of each column's sentence.

    column_sentence (Tensor): [B, L] int64. The sentence of each column, -1 for none.
    sentence_doc (Tensor): [S] int64. The document of each sentence.
    RETURNS (tuple[Tensor, int]): [B, L] int64, the position, and for columns without a sentence the
        largest number of sentences of a document; and that number.
    """
    position, n_positions = sentence_positions(sentence_doc, len(column_sentence))
    # What is outside of sentences is -1, and so looks up what stands at the end.
    none = position.new_tensor([n_positions])
    return torch.cat([position, none])[column_sentence], n_positions
