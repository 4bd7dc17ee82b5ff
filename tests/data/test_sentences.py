"""The sentences of many documents at once are those of each."""

import random

import numpy as np
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_docre.data.sentences import sentence_of_token, sentences_of_tokens


def test_sentences_of_many_documents_are_those_of_each():
    rng, vocab = random.Random(0), Vocab()
    for _ in range(50):
        docs, n_tokens = [], []
        for _ in range(rng.randint(0, 5)):
            n = rng.randint(0, 6)
            starts = [rng.choice((True, False, None)) for _ in range(n)]
            docs.append(Doc(vocab, words=["a"] * n, sent_starts=starts))
            n_tokens.append(rng.randint(0, n))
        token_sentence, sentence_doc = [], []
        for number, (doc, n) in enumerate(zip(docs, n_tokens, strict=True)):
            own = sentence_of_token(doc)[:n].tolist()
            token_sentence += [len(sentence_doc) + i for i in own]
            sentence_doc += [number] * len(set(own))
        found = sentences_of_tokens(docs, np.array(n_tokens, dtype=np.int64))
        assert [part.tolist() for part in found] == [token_sentence, sentence_doc]
        assert all(part.dtype == np.int64 for part in found)
