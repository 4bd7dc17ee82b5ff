"""The marked transformer against the plain Hugging Face model, run window by window."""

import random

import numpy as np
import pytest
import safetensors.torch
import srsly
import torch
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_docre.errors import DocreError
from spacy_docre.models.batch import ClusterBatch
from spacy_docre.models.compat import HFShim

from ..util import birth_doc, make_doc, make_tiny_transformer, random_doc

pytest.importorskip("spacy_transformers")
from spacy_docre.models.encoders import transformer as transformer_module
from spacy_docre.models.encoders.attention import find_projections
from spacy_docre.models.encoders.marked_transformer import MarkedTransformer
from spacy_docre.models.encoders.windows import cut_windows

WITH_PROJECTIONS = ["bert", "roberta", "electra", "distilbert", "albert"]
WITHOUT_PROJECTIONS = ["mpnet", "deberta-v2", "modernbert"]


def make_encoder(path, **settings):
    encoder = MarkedTransformer(str(path), **settings)
    encoder.initialize()
    encoder.shims[0]._model.eval()
    return encoder


def encode(encoder, docs):
    clusters = ClusterBatch.from_docs(docs)
    return encoder.predict((docs, clusters)), clusters


def slow_encode(encoder, doc, window, stride):
    """tokens [L, d], mention [M, d] and attention [K, M, L] of one document, from the eager model
    on one window at a time, summed up column by column."""
    clusters = ClusterBatch.from_docs([doc])
    transformer = encoder.shims[0]._model.eval()
    marker = encoder.attrs["marker"]
    marked = marker([doc], clusters)
    windows = cut_windows(marked.lengths, window - len(marker.specials), stride)
    length = len(marked.ids) + 2
    states, counts = 0, np.zeros(length)
    attention = 0
    for start, end in zip(windows.start, windows.end, strict=True):
        ids = [*marker.specials.prefix, *marked.ids[start:end], *marker.specials.suffix]
        transformer.config._attn_implementation = "eager"
        with torch.no_grad():
            out = transformer(input_ids=torch.tensor([ids]), output_attentions=True)
        columns = [c if 0 < j < len(ids) - 1 else None for j, c in enumerate(range(start, end + 2))]
        if start == 0:
            columns[0] = 0
        if end == len(marked.ids):
            columns[-1] = length - 1
        window_states = np.zeros((length, out.last_hidden_state.shape[2]))
        rows = np.zeros((out.attentions[-1].shape[1], len(marked.mention_position), length))
        for j, column in enumerate(columns):
            if column is not None:
                window_states[column] = out.last_hidden_state[0, j].numpy()
                counts[column] += 1
                for m, position in enumerate(marked.mention_position):
                    if start <= position < end:
                        rows[:, m, column] = out.attentions[-1][0, :, position - start + 1, j]
        states = states + window_states
        attention = attention + rows
    states = states / counts[:, None]
    mention = states[marked.mention_position + 1]
    return states, mention, attention / attention.sum(axis=2, keepdims=True)


def assert_same(encoding, i, clusters, expected, atol=1e-5):
    tokens, mention, attention = expected
    length = int(encoding.index.lengths[i])
    own = clusters.mention_doc == i
    assert length == len(tokens)
    np.testing.assert_allclose(encoding.tokens[i, :length], tokens, atol=atol)
    assert encoding.tokens[i, length:].abs().sum() == 0
    np.testing.assert_allclose(encoding.mention[own], mention, atol=atol)
    np.testing.assert_allclose(encoding.attention[:, own, :length], attention, atol=atol)
    assert encoding.attention[:, own, length:].abs().sum() == 0


@pytest.mark.parametrize("model_type", WITH_PROJECTIONS + WITHOUT_PROJECTIONS)
def test_equals_the_eager_model(model_type, tmp_path):
    encoder = make_encoder(make_tiny_transformer(tmp_path / model_type, model_type))
    has_projections = find_projections(encoder.shims[0]._model) is not None
    assert has_projections == (model_type in WITH_PROJECTIONS)
    words = ["ada", "was", "born", "in", "oslo", ".", "later", "ada", "died", "in", "riga", "."]
    clusters = [[(0, 1), (7, 8)], [(4, 5)]]
    docs = [make_doc(Vocab(), words, clusters), make_doc(Vocab(), words[:9], clusters)]
    encoding, clusters = encode(encoder, docs)
    for i, doc in enumerate(docs):
        assert_same(encoding, i, clusters, slow_encode(encoder, doc, 64, 0))


def test_relative_positions_fall_back_to_eager_attention(tmp_path):
    path = make_tiny_transformer(tmp_path / "relative", position_embedding_type="relative_key")
    encoder = make_encoder(path)
    assert find_projections(encoder.shims[0]._model) is None
    docs = [make_doc(Vocab(), ["ada", "was", "born"], [[(0, 1)], [(2, 3)]])]
    encoding, clusters = encode(encoder, docs)
    assert_same(encoding, 0, clusters, slow_encode(encoder, docs[0], 64, 0))


@pytest.mark.parametrize("seed", range(4))
def test_windows_equal_one_window_at_a_time(tiny_bert, seed):
    encoder = make_encoder(tiny_bert, window=20, stride=7, max_batch_items=50)
    rng, vocab = random.Random(seed), Vocab()
    docs = [random_doc(vocab, rng, n, k) for n, k in ((40, 5), (3, 2), (0, 0), (17, 9), (90, 4))]
    encoding, clusters = encode(encoder, docs)
    for i, doc in enumerate(docs):
        if len(doc):
            assert_same(encoding, i, clusters, slow_encode(encoder, doc, 20, 7))


def test_batch_of_empty_documents(tiny_bert):
    encoder = make_encoder(tiny_bert)
    docs = [Doc(Vocab()), make_doc(Vocab(), [], [])]
    encoding, _ = encode(encoder, docs)
    assert encoding.tokens.shape == (2, 2, 32)
    assert encoding.mention.shape == (0, 32)
    assert encoding.attention.shape == (4, 0, 2)


def gradients(encoder, docs, seed=0):
    """The gradients of the transformer's parameters for random gradients of vectors and
    attention, without dropout."""
    clusters = ClusterBatch.from_docs(docs)
    transformer = encoder.shims[0]._model
    transformer.zero_grad()
    encoding, backprop = encoder.begin_update((docs, clusters))
    generator = torch.Generator().manual_seed(seed)
    backprop(tuple(torch.randn(t.shape, generator=generator) for t in encoding.tensors))
    return {name: p.grad for name, p in transformer.named_parameters() if p.grad is not None}


NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def test_gradients_flow_through_vectors_and_attention(tiny_bert):
    """A small step against the gradient of each output lowers a random function of it by the
    gradient's squared norm, to first order."""
    encoder = make_encoder(tiny_bert, window=16, stride=4, transformer_config=NO_DROPOUT)
    transformer = encoder.shims[0]._model.double()
    docs = [random_doc(Vocab(), random.Random(5), 12, 3), birth_doc(Vocab(), 2)]
    clusters = ClusterBatch.from_docs(docs)
    for output in range(3):
        transformer.zero_grad()
        encoding, backprop = encoder.begin_update((docs, clusters))
        tensor = encoding.tensors[output]
        direction = torch.randn(tensor.shape, dtype=tensor.dtype)
        backprop(tuple(direction if i == output else None for i in range(3)))
        square = sum(
            float(p.grad.double().square().sum())
            for p in transformer.parameters()
            if p.grad is not None
        )
        assert square > 0
        step = 1e-4 / square**0.5
        before = float((encoder.predict((docs, clusters)).tensors[output] * direction).sum())
        with torch.no_grad():
            for p in transformer.parameters():
                if p.grad is not None:
                    p -= step * p.grad
        after = float((encoder.predict((docs, clusters)).tensors[output] * direction).sum())
        assert (before - after) / step == pytest.approx(square, rel=0.05)


def test_every_parameter_gets_a_gradient(tiny_bert):
    encoder = make_encoder(tiny_bert)
    found = gradients(encoder, [birth_doc(Vocab(), 0)])
    transformer = encoder.shims[0]._model
    missing = {name for name, _ in transformer.named_parameters()} - set(found)
    assert missing == {"pooler.dense.weight", "pooler.dense.bias"}, "the pooler is not used"


def test_gradient_checkpointing_changes_no_gradient(tiny_bert):
    docs = [random_doc(Vocab(), random.Random(5), 30, 3), birth_doc(Vocab(), 2)]
    settings = {"window": 20, "stride": 5, "transformer_config": NO_DROPOUT}
    plain = gradients(make_encoder(tiny_bert, **settings), docs)
    encoder = make_encoder(tiny_bert, gradient_checkpointing=True, **settings)
    checkpointed = gradients(encoder, docs)
    assert encoder.shims[0]._model.is_gradient_checkpointing
    assert plain.keys() == checkpointed.keys()
    for name in plain:
        torch.testing.assert_close(plain[name], checkpointed[name])


@pytest.mark.parametrize("checkpointing", [False, True])
def test_windows_read_in_parts_have_the_same_gradients(tiny_bert, checkpointing, monkeypatch):
    docs = [random_doc(Vocab(), random.Random(5), 30, 3), birth_doc(Vocab(), 2)]
    settings = {"window": 20, "stride": 5, "transformer_config": NO_DROPOUT}
    at_once = gradients(make_encoder(tiny_bert, **settings), docs)
    monkeypatch.setattr(transformer_module, "CPU_BATCH_ITEMS", 20)
    monkeypatch.setattr(transformer_module, "CPU_BATCH_NUMBERS", 0)
    encoder = make_encoder(tiny_bert, gradient_checkpointing=checkpointing, **settings)
    in_parts = gradients(encoder, docs)
    assert at_once.keys() == in_parts.keys()
    for name in at_once:
        torch.testing.assert_close(at_once[name], in_parts[name], atol=1e-4, rtol=1e-4)


def test_new_markers_are_added_to_the_vocabulary(tiny_bert):
    encoder = make_encoder(tiny_bert, start_marker="<e>", end_marker="</e>")
    doc = make_doc(Vocab(), ["born", "in"], [[(0, 1)]])
    encode(encoder, [doc])
    tokenizer = encoder.shims[0]._hfmodel.tokenizer
    ids = encoder.attrs["marker"]([doc], ClusterBatch.from_docs([doc])).ids
    assert tokenizer.convert_ids_to_tokens(ids) == ["<e>", "born", "</e>", "in"]
    assert encoder.shims[0]._model.config.vocab_size == len(tokenizer)


def test_saved_and_loaded_encoder_is_the_same(tiny_bert):
    encoder = make_encoder(tiny_bert, start_marker="<e>", end_marker="</e>", window=20, stride=4)
    docs = [birth_doc(Vocab(), 0), random_doc(Vocab(), random.Random(1), 30, 4)]
    expected, _ = encode(encoder, docs)
    loaded = MarkedTransformer("no such model").from_bytes(encoder.to_bytes())
    result, _ = encode(loaded, docs)
    for a, b in zip(expected.tensors, result.tensors, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=0)


def test_weights_are_saved_as_safetensors(tiny_bert):
    encoder = make_encoder(tiny_bert)
    saved = srsly.msgpack_loads(encoder.shims[0].to_bytes())["state"]
    state = encoder.shims[0]._model.state_dict()
    weights = safetensors.torch.load(saved)
    assert weights.keys() == state.keys()
    assert all((weights[name] == state[name]).all() for name in state)


def test_weights_in_the_format_of_spacy_transformers_are_read(tiny_bert):
    encoder, docs = make_encoder(tiny_bert), [birth_doc(Vocab(), 0)]
    loaded = MarkedTransformer(str(tiny_bert))
    loaded.shims[0].from_bytes(HFShim.to_bytes(encoder.shims[0]))
    for a, b in zip(encode(encoder, docs)[0].tensors, encode(loaded, docs)[0].tensors, strict=True):
        torch.testing.assert_close(a, b, atol=0, rtol=0)


@pytest.mark.parametrize("window", [3, 65])
def test_window_must_fit_the_model(tiny_bert, window):
    encoder = make_encoder(tiny_bert, window=window)
    with pytest.raises(DocreError, match="D010"):
        encode(encoder, [birth_doc(Vocab(), 0)])


def test_uninitialised_encoder_says_so():
    docs = [birth_doc(Vocab(), 0)]
    with pytest.raises(DocreError, match="D012"):
        MarkedTransformer("x").predict((docs, ClusterBatch.from_docs(docs)))
