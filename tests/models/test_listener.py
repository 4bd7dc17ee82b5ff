"""A recogniser and a relation extractor that share one transformer."""

import pytest
import spacy
from spacy.training import Example

from ..methods import with_shared_transformer
from ..util import birth_examples, make_doc

pytest.importorskip("spacy_transformers")


def make_examples(vocab):
    """Birth stories, and documents that leave little to read."""
    odd = [
        make_doc(vocab, [], [], relations=[]),
        make_doc(vocab, ["in", "to"], [[(0, 1)], [(1, 2)]], relations=[]),
    ]
    return [*birth_examples(vocab), *(Example(doc.copy(), doc) for doc in odd)]


def transformer_weights(nlp):
    transformer = nlp.get_pipe("transformer").model.transformer
    return {name: p.detach().clone() for name, p in transformer.named_parameters()}


def test_one_transformer_is_trained_by_both(tiny_bert):
    nlp = with_shared_transformer(tiny_bert)
    examples = make_examples(nlp.vocab)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 3e-3
    before = transformer_weights(nlp)
    for _ in range(80):
        nlp.update(examples, sgd=optimizer)
    after = transformer_weights(nlp)
    unchanged = {name for name in before if (before[name] == after[name]).all()}
    assert all("pooler" in name for name in unchanged), "only the pooler is not used"
    assert nlp.evaluate(examples)["rel_f"] == 1.0


@pytest.mark.parametrize("grad_factor", [1.0, 0.0])
def test_gradients_of_the_extractor_reach_the_transformer(tiny_bert, grad_factor):
    nlp = with_shared_transformer(tiny_bert, grad_factor)
    examples = birth_examples(nlp.vocab)
    nlp.initialize(lambda: examples)
    with nlp.select_pipes(disable="ner"):
        nlp.update(examples, sgd=False)
    parameters = nlp.get_pipe("transformer").model.transformer.parameters()
    gradients = [p.grad for p in parameters if p.grad is not None]
    assert any(gradient.any() for gradient in gradients) == bool(grad_factor)


def test_a_batch_without_pairs_loses_no_gradient_of_the_recogniser(tiny_bert):
    nlp = with_shared_transformer(tiny_bert)
    examples = birth_examples(nlp.vocab)
    nlp.initialize(lambda: examples)
    docs = [eg.reference.copy() for eg in examples[:2]]
    for doc in docs:
        doc.set_ents([span for group in doc.spans.values() for span in group])
        doc.spans.clear()
        doc._.relations = []
    losses = nlp.update([Example(nlp.make_doc(doc.text), doc) for doc in docs], sgd=False)
    assert losses["doc_relation_extractor"] == 0
    assert losses["ner"] > 0
    parameters = nlp.get_pipe("transformer").model.transformer.parameters()
    assert any(p.grad is not None and p.grad.any() for p in parameters)


def test_saved_and_loaded_pipeline_is_the_same(tiny_bert, tmp_path):
    nlp = with_shared_transformer(tiny_bert)
    examples = make_examples(nlp.vocab)
    nlp.initialize(lambda: examples)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    docs = [eg.reference.copy() for eg in examples]
    scores = []
    for pipeline in (nlp, loaded):
        extractor = pipeline.get_pipe("doc_relation_extractor")
        read = [pipeline.get_pipe("transformer")(doc.copy()) for doc in docs]
        scores.append(extractor.predict(read))
    for one, other in zip(*scores, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-6)
