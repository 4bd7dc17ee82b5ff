"""Every head and encoder on a GPU gives what it gives on the CPU: `pytest --gpu`."""

import numpy as np
import pytest
import spacy

from .methods import ENCODERS, HEADS, add_extractor
from .util import birth_doc, birth_examples

COMBINATIONS = [(head, "transformer") for head in HEADS]
COMBINATIONS += [("atlop", encoder) for encoder in ENCODERS if encoder != "transformer"]


@pytest.fixture
def on_gpu():
    """Switches to the GPU when it is called, and back to the CPU at the end."""
    yield spacy.require_gpu
    spacy.require_cpu()


@pytest.mark.gpu
@pytest.mark.parametrize(("head", "encoder"), COMBINATIONS)
def test_scores_and_losses_are_those_of_the_cpu(head, encoder, tiny_bert, on_gpu):
    nlp = spacy.blank("en")
    add_extractor(nlp, head, encoder, tiny_bert)
    examples = birth_examples(nlp.vocab, 4)
    nlp.initialize(lambda: examples)
    docs = [birth_doc(nlp.vocab, n) for n in range(3)]
    expected = nlp.get_pipe("doc_relation_extractor").predict(docs)
    saved = nlp.to_bytes()
    loss = nlp.update(examples)["doc_relation_extractor"]
    on_gpu()
    loaded = spacy.util.load_model_from_config(nlp.config).from_bytes(saved)
    extractor = loaded.get_pipe("doc_relation_extractor")
    for a, b in zip(extractor.predict(docs), expected, strict=True):
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-3)
    assert loaded.update(examples)["doc_relation_extractor"] == pytest.approx(loss, abs=1e-3)
