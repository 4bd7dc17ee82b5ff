"""SSAN's encoder against an eager implementation that runs one window at a time, pair by pair."""

import random

import numpy as np
import pytest
import torch
from spacy.vocab import Vocab

from spacy_docre.errors import DocreError
from spacy_docre.models.batch import ClusterBatch
from spacy_docre.training.optimizer import create_adamw

from ..reference.structure import dense
from ..util import birth_doc, make_doc, make_tiny_transformer, random_doc

pytest.importorskip("spacy_transformers")
from spacy_docre.models.encoders import transformer as transformer_module
from spacy_docre.models.encoders.entity_structure import EntityStructureTransformer
from spacy_docre.models.encoders.marked_transformer import MarkedTransformer
from spacy_docre.models.encoders.structure import Structure, WindowStructure
from spacy_docre.models.encoders.structured_attention import StructureMasks
from spacy_docre.models.encoders.transformer import window_layout

FAMILY = ["bert", "roberta", "xlm-roberta", "camembert", "electra", "data2vec-text"]
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def make_encoder(path, *, seed=0, **settings):
    """An encoder whose biases are large enough to matter."""
    settings = {"transformer_config": NO_DROPOUT, **settings}
    encoder = EntityStructureTransformer(str(path), **settings)
    encoder.initialize()
    torch.manual_seed(seed)
    for name, parameter in encoder.shims[0]._model.named_parameters():
        if ".bias.weights." in name or ".bias.constant" in name:
            torch.nn.init.normal_(parameter, std=2.0)
    encoder.shims[0]._model.eval()
    return encoder


def encode(encoder, docs):
    clusters = ClusterBatch.from_docs(docs)
    return encoder.predict((docs, clusters)), clusters


def slow_bias(bias, query, key, structure):
    """[K, l, l] The bias of each pair of wordpieces, from its formula."""
    n_heads, length, _ = query.shape
    result = torch.zeros(n_heads, length, length)
    weights, constant = dict(bias.weights), bias.constant
    for i in range(length):
        for j in range(length):
            s = structure[i, j] - 1
            if s < 0:
                continue
            q, c = query[:, i], key[:, j]
            if "bilinear" in weights:
                score = torch.einsum("kd,kde,ke->k", q, weights["bilinear"][s], c)
            else:
                score = (q * weights["query"][s] + c * weights["key"][s]).sum(1)
            result[:, i, j] = score + constant[s, :, 0, 0]
    return result


def slow_window(transformer, ids, structure):
    """Hidden states [l, d] and the last layer's attention [K, l, l] of one window."""
    hidden = transformer.embeddings(input_ids=torch.tensor([ids]))
    hidden = getattr(transformer, "embeddings_project", torch.nn.Identity())(hidden)
    for layer in transformer.encoder.layer:
        attention = layer.attention.self
        query, key, value = (
            p(hidden)[0].unflatten(1, (attention.num_attention_heads, -1)).transpose(0, 1)
            for p in (attention.query, attention.key, attention.value)
        )
        scores = query @ key.transpose(1, 2) + slow_bias(attention.bias, query, key, structure)
        probabilities = torch.softmax(scores / query.shape[2] ** 0.5, dim=2)
        context = (probabilities @ value).transpose(0, 1).flatten(1)[None]
        attended = layer.attention.output(context, hidden)
        hidden = layer.output(layer.intermediate(attended), attended)
    return hidden[0], probabilities


@torch.no_grad()
def slow_encode(encoder, doc):
    """tokens [L, d], mention [M, d] and attention [K, M, L] of one document."""
    layout = window_layout(encoder, [doc], ClusterBatch.from_docs([doc]))
    marked, transformer = layout.marked, encoder.shims[0]._model
    length = len(marked.ids) + 2
    states, counts, rows = 0, torch.zeros(length), 0
    mentions = [
        range(start, start + 1 if marked.has_markers else end)
        for start, end in zip(marked.mention_position, marked.mention_end, strict=True)
    ]
    for w, (start, end) in enumerate(zip(layout.windows.start, layout.windows.end, strict=True)):
        ids = [*layout.specials.prefix, *marked.ids[start:end], *layout.specials.suffix]
        structure = dense(WindowStructure.of(layout, np.array([w])), 0)
        hidden, attention = slow_window(transformer, ids, structure)
        columns = {j: start + j for j in range(1, len(ids) - 1)}
        columns |= {0: 0} if start == 0 else {}
        columns |= {len(ids) - 1: length - 1} if end == len(marked.ids) else {}
        window_states = torch.zeros(length, hidden.shape[1])
        window_rows = torch.zeros(len(attention), len(mentions), length)
        for j, column in columns.items():
            window_states[column] = hidden[j]
            counts[column] += 1
            for m, positions in enumerate(mentions):
                for position in positions:
                    if start <= position < end:
                        window_rows[:, m, column] += attention[:, position - start + 1, j]
        states, rows = states + window_states, rows + window_rows
    states = states / counts[:, None]
    mention = [torch.stack([states[p + 1] for p in positions]).mean(0) for positions in mentions]
    return states, torch.stack(mention), rows / rows.sum(dim=2, keepdim=True)


def assert_same(encoding, i, clusters, expected):
    tokens, mention, attention = expected
    length, own = int(encoding.index.lengths[i]), clusters.mention_doc == i
    close = {"atol": 1e-5, "rtol": 1e-5}
    torch.testing.assert_close(encoding.tokens[i, :length], tokens, **close)
    torch.testing.assert_close(encoding.mention[own], mention, **close)
    torch.testing.assert_close(encoding.attention[:, own, :length], attention, **close)
    assert encoding.tokens[i, length:].abs().sum() == 0
    assert encoding.attention[:, own, length:].abs().sum() == 0


def odd_docs():
    rng, vocab = random.Random(4), Vocab()
    docs = [random_doc(vocab, rng, n, k) for n, k in ((14, 5), (3, 2), (1, 1), (9, 6))]
    return [
        *docs,
        make_doc(vocab, ["in", "\u200b", "was"], [[(1, 2)], [(2, 3)]]),
        birth_doc(vocab, 1),
    ]


@pytest.mark.parametrize(
    ("bias", "markers"),
    [
        ("biaffine", False),
        ("decomposed", False),
        ("biaffine", True),
        pytest.param("decomposed", True, marks=pytest.mark.slow),
    ],
)
def test_equals_an_eager_implementation(tiny_bert, bias, markers):
    encoder = make_encoder(tiny_bert, bias=bias, markers=markers)
    docs = odd_docs()
    encoding, clusters = encode(encoder, docs)
    for i, doc in enumerate(docs):
        assert_same(encoding, i, clusters, slow_encode(encoder, doc))


@pytest.mark.parametrize("model_type", FAMILY)
def test_every_architecture_of_the_family(model_type, tmp_path):
    encoder = make_encoder(make_tiny_transformer(tmp_path / model_type, model_type))
    docs = [birth_doc(Vocab(), 0), make_doc(Vocab(), ["in", "to"], [[(0, 1)], [(1, 2)]])]
    encoding, clusters = encode(encoder, docs)
    for i, doc in enumerate(docs):
        assert_same(encoding, i, clusters, slow_encode(encoder, doc))


def test_windows_equal_one_window_at_a_time(tiny_bert):
    encoder = make_encoder(tiny_bert, window=14, stride=5, max_batch_items=50)
    docs = odd_docs()
    encoding, clusters = encode(encoder, docs)
    for i, doc in enumerate(docs):
        assert_same(encoding, i, clusters, slow_encode(encoder, doc))


@pytest.mark.parametrize("bias", ["biaffine", "decomposed"])
def test_without_bias_it_is_the_marked_transformer(tiny_bert, bias):
    encoder = make_encoder(tiny_bert, bias=bias, markers=True, window=20, stride=4)
    for name, parameter in encoder.shims[0]._model.named_parameters():
        if ".bias.weights." in name or ".bias.constant" in name:
            torch.nn.init.zeros_(parameter)
    plain = MarkedTransformer(str(tiny_bert), window=20, stride=4)
    plain.initialize()
    plain.shims[0]._model.eval()
    docs = odd_docs()
    for a, b in zip(encode(encoder, docs)[0].tensors, encode(plain, docs)[0].tensors, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_documents_without_mentions(tiny_bert):
    encoder = make_encoder(tiny_bert)
    vocab = Vocab()
    docs = [make_doc(vocab, [], []), make_doc(vocab, ["in", "to"], [])]
    encoding, _ = encode(encoder, docs)
    assert encoding.mention.shape == (0, 32)
    assert encoding.attention.shape == (4, 0, 4)
    assert torch.isfinite(encoding.tokens).all()
    encoding, backprop = encoder.begin_update((docs, ClusterBatch.from_docs(docs)))
    backprop(tuple(torch.ones_like(tensor) for tensor in encoding.tensors))


def gradients(encoder, docs):
    encoding, backprop = encoder.begin_update((docs, ClusterBatch.from_docs(docs)))
    generator = torch.Generator().manual_seed(0)
    # Something else may run between the two passes.
    encoder.predict(([birth_doc(Vocab(), 3)], ClusterBatch.from_docs([birth_doc(Vocab(), 3)])))
    backprop(tuple(torch.randn(t.shape, generator=generator) for t in encoding.tensors))
    return dict(encoder.shims[0]._model.named_parameters())


@pytest.mark.parametrize("bias", ["biaffine", "decomposed"])
def test_all_new_parameters_get_gradients_and_updates(tiny_bert, bias):
    encoder = make_encoder(tiny_bert, bias=bias)
    new = {
        name: (parameter, parameter.detach().clone())
        for name, parameter in gradients(encoder, [birth_doc(Vocab(), 0)]).items()
        if ".bias.weights." in name or ".bias.constant" in name
    }
    assert len(new) == 2 * (2 if bias == "biaffine" else 3)
    for parameter, _ in new.values():
        per_structure = parameter.grad.abs().flatten(1).sum(dim=1)
        assert (per_structure > 0).all(), "every structure of every layer is trained"
        assert len(per_structure) == len(Structure) - 1
    encoder.finish_update(create_adamw(1e-2))
    assert all((parameter != before).any() for parameter, before in new.values())


@pytest.mark.parametrize("bias", ["biaffine", "decomposed"])
def test_gradcheck_of_a_layer(tiny_bert, bias):
    encoder = make_encoder(tiny_bert, bias=bias, window=20, stride=4)
    transformer = encoder.shims[0]._model.double()
    docs = [birth_doc(Vocab(), 2)]
    layout = window_layout(encoder, docs, ClusterBatch.from_docs(docs))
    structure = WindowStructure.of(layout, np.arange(2))
    masks = StructureMasks.of(structure, torch.device("cpu"))
    attention = transformer.encoder.layer[0].attention.self
    hidden = torch.randn(2, structure.order.shape[1], 32, dtype=torch.float64, requires_grad=True)
    padding = torch.zeros(2, 1, 1, structure.order.shape[1], dtype=torch.float64)
    padding[1, ..., -3:] = torch.finfo(torch.float32).min
    parameters = [hidden, *attention.bias.parameters()]

    def layer(*_):
        with transformer.entity_structure.use(masks):
            return attention(hidden, padding)[0], attention.bias(
                *(hidden.unflatten(2, (4, 8)).transpose(1, 2) for _ in range(2))
            ).rows

    assert torch.autograd.gradcheck(layer, parameters, fast_mode=True)


def test_gradient_checkpointing_changes_no_gradient(tiny_bert):
    docs = [random_doc(Vocab(), random.Random(5), 30, 3), birth_doc(Vocab(), 2)]
    plain = gradients(make_encoder(tiny_bert, window=20, stride=5), docs)
    encoder = make_encoder(tiny_bert, window=20, stride=5, gradient_checkpointing=True)
    checkpointed = gradients(encoder, docs)
    assert encoder.shims[0]._model.is_gradient_checkpointing
    for name in plain:
        torch.testing.assert_close(plain[name].grad, checkpointed[name].grad)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_windows_read_in_parts_have_the_same_gradients(tiny_bert, checkpointing, monkeypatch):
    docs = [random_doc(Vocab(), random.Random(5), 30, 3), birth_doc(Vocab(), 2)]
    at_once = gradients(make_encoder(tiny_bert, window=20, stride=5), docs)
    monkeypatch.setattr(transformer_module, "CPU_BATCH_ITEMS", 20)
    monkeypatch.setattr(transformer_module, "CPU_BATCH_NUMBERS", 0)
    encoder = make_encoder(tiny_bert, window=20, stride=5, gradient_checkpointing=checkpointing)
    in_parts = gradients(encoder, docs)
    for name in at_once:
        torch.testing.assert_close(at_once[name].grad, in_parts[name].grad, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("bias", ["biaffine", "decomposed"])
def test_saved_and_loaded_encoder_is_the_same(tiny_bert, tmp_path, bias):
    encoder = make_encoder(tiny_bert, bias=bias, markers=True, start_marker="<e>")
    docs = odd_docs()
    expected, _ = encode(encoder, docs)
    encoder.to_disk(tmp_path / "model")
    for loaded in (
        EntityStructureTransformer("none", markers=True).from_bytes(encoder.to_bytes()),
        EntityStructureTransformer("none", markers=True).from_disk(tmp_path / "model"),
        encoder.copy(),
    ):
        loaded.shims[0]._model.eval()
        for a, b in zip(expected.tensors, encode(loaded, docs)[0].tensors, strict=True):
            torch.testing.assert_close(a, b, atol=1e-6, rtol=0)


@pytest.mark.parametrize("model_type", ["distilbert", "albert", "mpnet", "deberta-v2"])
def test_other_architectures_are_refused(model_type, tmp_path):
    path = make_tiny_transformer(tmp_path / model_type, model_type)
    with pytest.raises(DocreError, match="D030"):
        EntityStructureTransformer(str(path)).initialize()


def test_relative_positions_are_refused(tmp_path):
    path = make_tiny_transformer(tmp_path / "relative", position_embedding_type="relative_key")
    with pytest.raises(DocreError, match="D030"):
        EntityStructureTransformer(str(path)).initialize()


def test_unknown_bias_is_refused():
    with pytest.raises(DocreError, match="D020"):
        EntityStructureTransformer("x", bias="linear")
