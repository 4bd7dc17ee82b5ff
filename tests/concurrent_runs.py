"""What `test_concurrency.py` runs in a process of its own: relations by worker processes that are
started in one way or the other, as JSON."""

import json
import multiprocessing
import sys

import spacy
import torch

from .util import birth_doc


def relations_of(docs):
    """The scores of each document's relations: their order depends on the last digits, which
    depend on the batch."""
    return [{" ".join(r.triple): r.score for r in doc._.relations} for doc in docs]


def main(path: str, start_method: str) -> None:
    multiprocessing.set_start_method(start_method)
    # More than one, so that PyTorch has a pool of threads that workers would inherit by forking.
    torch.set_num_threads(2)
    nlp = spacy.load(path)
    docs = [birth_doc(nlp.vocab, n) for n in range(8)]
    for doc in docs:
        doc.user_data.clear()
    alone = relations_of(nlp(doc.copy()) for doc in docs)
    piped = relations_of(nlp.pipe(docs, n_process=4, batch_size=2))
    print(json.dumps({"alone": alone, "piped": piped}))


if __name__ == "__main__":
    main(*sys.argv[1:])
