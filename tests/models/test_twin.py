"""The encoder made of two."""

import pytest
import spacy
import torch

from spacy_docre.models.batch import ClusterBatch

from ..methods import ENCODERS, HEADS
from ..util import birth_doc, birth_examples


def add_twin(nlp, head):
    model = {"@architectures": "spacy-docre.RelationModel.v1", "encoder": ENCODERS["twin"]}
    return nlp.add_pipe("doc_relation_extractor", config={"model": {**model, "head": HEADS[head]}})


@pytest.fixture
def extractor():
    nlp = spacy.blank("xx")
    extractor = add_twin(nlp, "atlop")
    examples = birth_examples(nlp.vocab, 2)
    nlp.initialize(lambda: examples)
    return extractor


def storage(encoder):
    """Where an encoder's parameters are in memory."""
    places = set()
    for node in encoder.walk():
        places |= {node.get_param(name).ctypes.data for name in node.param_names}
        places |= {p.data_ptr() for shim in node.shims for p in shim._model.parameters()}
    return places


def test_the_encoders_share_no_parameter(extractor):
    first, second = extractor.model.get_ref("encoder").layers
    assert storage(first)
    assert storage(first).isdisjoint(storage(second))
    assert {node.id for node in first.walk()}.isdisjoint(node.id for node in second.walk())


def test_encoding_is_that_of_the_first_with_that_of_the_second(extractor):
    twin = extractor.model.get_ref("encoder")
    docs = [birth_doc(extractor.vocab, n) for n in range(2)]
    inputs = (docs, ClusterBatch.from_docs(docs, entity_types=["GPE", "PERSON"]))
    encoding = twin.predict(inputs)
    expected = [encoder.predict(inputs) for encoder in twin.layers]
    for found, tensor in zip(
        encoding.tensors, expected[0].tensors + expected[1].tensors, strict=True
    ):
        assert torch.equal(found, tensor)
    assert not torch.equal(encoding.tokens, encoding.second.tokens)


def test_gradients_go_to_the_encoder_that_they_are_of(extractor):
    twin = extractor.model.get_ref("encoder")
    docs = [birth_doc(extractor.vocab, 0)]
    inputs = (docs, ClusterBatch.from_docs(docs))
    for wanted, other, part in ((0, 1, slice(0, 3)), (1, 0, slice(3, 6))):
        encoding, backprop = twin.begin_update(inputs)
        gradients = [None] * 6
        gradients[part] = map(torch.ones_like, encoding.tensors[part])
        backprop(tuple(gradients))
        assert has_gradients(twin.layers[wanted])
        if wanted == 0:
            assert not has_gradients(twin.layers[other])


def has_gradients(encoder):
    own = [node.has_grad(name) for node in encoder.walk() for name in node.param_names]
    shims = [shim._model for node in encoder.walk() for shim in node.shims]
    own += [p.grad is not None for module in shims for p in module.parameters()]
    assert all(own) or not any(own)
    return all(own)


def test_a_head_that_knows_one_encoder_uses_the_first(extractor):
    docs = [birth_doc(extractor.vocab, 0)]
    inputs = (docs, ClusterBatch.from_docs(docs))
    head, twin = extractor.model.get_ref("head"), extractor.model.get_ref("encoder")
    expected = head.predict(twin.layers[0].predict(inputs)).scores()
    assert torch.equal(extractor.model.predict(inputs).scores(), expected)
    extractor.update(birth_examples(extractor.vocab, 2))
    assert has_gradients(twin.layers[0])
    assert not has_gradients(twin.layers[1])
