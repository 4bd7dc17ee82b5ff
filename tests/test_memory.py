"""Nothing is kept from one step to the next."""

import gc
from pathlib import Path

import numpy as np
import pytest
import spacy

from .methods import add_extractor
from .util import birth_doc, birth_examples

STATM = Path("/proc/self/statm")


def growth(step, n_steps, *, warm_up=200, every=20):
    """Bytes by which the process grows with each step, after some that fill caches."""
    pages = []
    for number in range(n_steps):
        step()
        if number >= warm_up and number % every == 0:
            gc.collect()
            pages.append(int(STATM.read_text().split()[1]))
    slope, _ = np.polyfit(np.arange(len(pages)) * every, pages, 1)
    return slope * 4096


@pytest.fixture
def pipeline(tiny_bert):
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, "atlop", "transformer", tiny_bert)
    examples = birth_examples(nlp.vocab, 2)
    optimizer = nlp.initialize(lambda: examples)
    return nlp, extractor, examples, optimizer


# The least that a leak would take is one array of a batch; what Python's own memory grows by now
# and then is far below.
@pytest.mark.slow
@pytest.mark.skipif(not STATM.exists(), reason="reads the process's memory from Linux's /proc")
def test_updates_do_not_leak(pipeline):
    _, extractor, examples, optimizer = pipeline
    assert growth(lambda: extractor.update(examples, sgd=optimizer), 1000) < 2048


@pytest.mark.slow
@pytest.mark.skipif(not STATM.exists(), reason="reads the process's memory from Linux's /proc")
def test_predictions_do_not_leak(pipeline):
    nlp, extractor, _, _ = pipeline

    def step():
        docs = [birth_doc(nlp.vocab, n) for n in range(2)]
        extractor.set_annotations(docs, extractor.predict(docs))

    assert growth(step, 2000) < 2048
