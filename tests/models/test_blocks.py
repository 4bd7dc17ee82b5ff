"""Computations in blocks: every head gives the same whatever their size, and holds no more."""

import pytest
import spacy
import torch
from spacy.util import registry
from torch.utils._python_dispatch import TorchDispatchMode

from spacy_docre.errors import DocreError
from spacy_docre.models.encoding import Targets
from spacy_docre.models.layers import blocks, grouped_bilinear, mention_context, pair_context
from spacy_docre.models.layers.blocks import block_limit, block_rows, in_blocks

from ..methods import HEADS, add_extractor
from ..util import birth_examples, random_encoding


def make_head(name, encoding):
    """A head in the form that it has in training, without anything random."""
    torch.manual_seed(0)
    model = registry.resolve({"head": HEADS[name]})["head"]
    model.set_dim("nO", 5)
    model.set_dim("nT", 3)
    model.initialize(X=encoding)
    return model.shims[0].require_built().to(encoding.tokens.dtype).train()


def results(head, encoding):
    """What the head says, its loss, and the gradients of that for the encoder and the parameters.
    The backward pass comes after the limit is lifted, as in training."""
    head.zero_grad()
    leaves = encoding.detached()
    output = head(leaves)
    generator = torch.Generator().manual_seed(0)
    labels = torch.rand(output.logits.shape, generator=generator) < 0.2
    loss = head.loss(output, Targets(labels, torch.ones(len(labels), dtype=torch.bool)))
    tensors = [tensor.detach() for tensor in output.tensors]
    return (tensors, loss), leaves


def gradients(loss, leaves, head):
    loss.backward()
    return [tensor.grad for tensor in (*leaves.tensors, *head.parameters())]


def assert_same(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-7)


@pytest.mark.parametrize("entities", [[6], [2, 0, 5, 1, 4]])
@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize("name", HEADS)
def test_heads_give_the_same_in_blocks_of_any_size(name, rows, entities, monkeypatch):
    encoding = random_encoding(0, entities, width=32, n_heads=4)
    head = make_head(name, encoding)
    with block_limit(2**62):
        (whole, loss), leaves = results(head, encoding)
    expected = gradients(loss, leaves, head)
    for module in (blocks, grouped_bilinear, pair_context):
        monkeypatch.setattr(module, "block_rows", lambda items_per_row: rows)
    (output, loss), leaves = results(head, encoding)
    monkeypatch.undo()
    assert_same(output, whole)
    assert_same(gradients(loss, leaves, head), expected)


@pytest.mark.parametrize("limit", [1, 1000])
@pytest.mark.parametrize("name", HEADS)
def test_heads_give_the_same_under_any_limit(name, limit):
    encoding = random_encoding(1, [7, 3], width=32, n_heads=4)
    head = make_head(name, encoding)
    (whole, loss), leaves = results(head, encoding)
    expected = gradients(loss, leaves, head)
    with block_limit(limit):
        (output, loss), leaves = results(head, encoding)
    assert_same(output, whole)
    assert_same(gradients(loss, leaves, head), expected)


class LargestTensor(TorchDispatchMode):
    """Records the number of elements of the largest tensor that any operation gives."""

    size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        tensors = result if isinstance(result, (tuple, list)) else [result]
        # An expanded tensor takes no more memory than the one that it repeats.
        sizes = [x.untyped_storage().nbytes() // 8 for x in tensors if isinstance(x, torch.Tensor)]
        self.size = max([self.size, *sizes])
        return result


# DocuNet's and PAEE's networks run over the whole square of pairs, with all of their channels.
@pytest.mark.parametrize(
    ("name", "items_per_pair"),
    [("atlop", 100), ("rsman_context", 100), ("kmgre", 100), ("glre", 150), ("context_aware", 100)],
)
def test_no_tensor_exceeds_the_limit(name, items_per_pair, monkeypatch):
    encoding = random_encoding(2, [24], width=32, n_heads=4, max_length=80)
    head = make_head(name, encoding)
    n_pairs = len(encoding.index.pair_head)
    # The blocks within those of KMGRE are for the cache, and smaller than any sensible limit.
    monkeypatch.setattr(mention_context, "PRODUCT_ELEMENTS", 1)
    # What has a row for each pair or mention pair, as the results do, is not divided.
    limit = items_per_pair * n_pairs
    with block_limit(limit), LargestTensor() as largest:
        (_, loss), leaves = results(head, encoding)
        gradients(loss, leaves, head)
    assert largest.size <= limit
    with block_limit(2**62), LargestTensor() as largest:
        (_, loss), leaves = results(head, encoding)
        gradients(loss, leaves, head)
    assert largest.size > limit


@pytest.mark.parametrize("name", ["atlop", "kmgre"])
def test_the_model_has_the_limit_as_a_setting(name):
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, name, "cnn")
    examples = birth_examples(nlp.vocab)
    nlp.initialize(lambda: examples)
    docs = [eg.predicted for eg in examples]
    seen = []

    def record(items_per_row):
        seen.append(rows := block_rows(items_per_row))
        return rows

    expected = extractor.predict(docs)
    extractor.model.attrs["max_block_items"] = 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "block_rows", record)
        small = extractor.predict(docs)
    assert set(seen) == {1}
    for a, b in zip(small, expected, strict=True):
        torch.testing.assert_close(a.scores, b.scores, atol=1e-6, rtol=0)
    assert block_rows(1) == blocks.MAX_BLOCK_ITEMS, "the limit holds for that model only"
    loaded = spacy.util.load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())
    assert loaded.get_pipe(extractor.name).model.attrs["max_block_items"] == 1


def test_models_saved_before_there_was_the_setting_have_its_default():
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, "bilinear", "cnn")
    nlp.initialize(lambda: birth_examples(nlp.vocab))
    config = nlp.config.copy()
    del config["components"][extractor.name]["model"]["max_block_items"]
    del extractor.model.attrs["max_block_items"]
    loaded = spacy.util.load_model_from_config(config).from_bytes(nlp.to_bytes())
    attrs = loaded.get_pipe(extractor.name).model.attrs
    assert attrs["max_block_items"] == blocks.MAX_BLOCK_ITEMS


def test_a_limit_below_1_is_refused():
    model = {
        "@architectures": "spacy-docre.RelationModel.v1",
        "encoder": {
            "@architectures": "spacy.HashEmbedCNN.v2",
            "width": 8,
            "depth": 1,
            "embed_size": 10,
            "window_size": 1,
            "maxout_pieces": 2,
            "subword_features": True,
            "pretrained_vectors": None,
        },
        "head": HEADS["bilinear"],
        "max_block_items": 0,
    }
    with pytest.raises(DocreError, match=r"D020.*max_block_items"):
        registry.resolve({"model": model})


@pytest.mark.parametrize("n_rows", [0, 1, 2, 3, 10])
def test_rows_are_divided_along_any_dimension(n_rows):
    first = torch.rand(4, n_rows, 3, dtype=torch.float64, requires_grad=True)
    second = torch.rand(4, n_rows, 3, dtype=torch.float64, requires_grad=True)
    calls = []

    def multiply(a, b):
        calls.append(a.shape[1])
        return a * b

    with block_limit(25):
        product = in_blocks(multiply, first, second, items_per_row=12, dim=1)
        n_calls = len(calls)
    assert torch.equal(product, first * second)
    assert calls == [2] * (n_rows // 2) + [1] * (n_rows % 2) or (n_rows == 0 and calls == [0])
    product.sum().backward()
    assert torch.equal(first.grad, second.detach())
    # A few blocks are kept for the backward pass, more are computed again.
    assert len(calls) == n_calls * (2 if n_calls > blocks.KEPT_BLOCKS else 1)


def test_an_empty_row_needs_no_division():
    with block_limit(3):
        assert block_rows(0) == 3
        assert block_rows(2) == 1
        assert block_rows(4) == 1
