"""A small file cannot ask for much memory or time: an encoder is no larger than its weights."""

from contextlib import contextmanager

import pytest
import srsly
import torch
from torch import nn
from torch.nn.modules.module import register_module_module_registration_hook

from spacy_docre.models.weights import FormatError

from ..util import make_tiny_transformer

pytest.importorskip("spacy_transformers")
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from spacy_docre.models.encoders.marked_transformer import MarkedTransformer
from spacy_docre.models.encoders.sizes import MAX_BUFFERS, build_without_memory, within
from spacy_docre.models.encoders.trust import TEXT_ENCODERS

from .walk import tiny_settings

MANY = 10**6
# Architectures whose number of layers goes by a name of its own, or is the length of a list.
LAYERS = {
    "albert": {"num_hidden_groups": MANY},
    "bart": {"encoder_layers": MANY},
    "bert": {"num_hidden_layers": MANY},
    "distilbert": {"n_layers": MANY},
    "funnel": {"block_sizes": [MANY]},
    "prophetnet": {"num_encoder_layers": MANY},
    "switch_transformers": {"num_experts": MANY},
    "t5": {"num_layers": MANY},
    "xlm": {"n_layers": MANY},
    "xlnet": {"n_layer": MANY},
}
# Tables that are computed, not saved.
TABLES = {
    "distilbert": {"sinusoidal_pos_embds": True, "max_position_embeddings": MANY, "dim": 1024},
    "m2m_100": {"max_position_embeddings": MANY, "d_model": 1024},
    "roformer": {"max_position_embeddings": MANY, "embedding_size": 1024, "hidden_size": 1024},
    "xlm": {"sinusoidal_embeddings": True, "max_position_embeddings": MANY, "emb_dim": 1024},
}


@pytest.fixture(scope="module")
def message(tiny_bert):
    encoder = MarkedTransformer(str(tiny_bert))
    encoder.initialize()
    return srsly.msgpack_loads(encoder.shims[0].to_bytes())


@contextmanager
def counted_modules(made):
    """Keep the names of the modules that are made."""
    hook = register_module_module_registration_hook(lambda *args: made.append(args[1]))
    try:
        yield
    finally:
        hook.remove()


def refuse_soon(message, model_type, changes):
    """The weights are of another architecture: it must not be built before that is found."""
    settings = {**tiny_settings(model_type), **changes}
    settings = {name: value for name, value in settings.items() if value is not None}
    data = srsly.msgpack_dumps({**message, "config": {"model_type": model_type, **settings}})
    made = []
    with counted_modules(made), pytest.raises(FormatError):
        MarkedTransformer("x").shims[0].from_bytes(data)
    # Minutes or hours if each were made.
    assert len(made) < MANY / 10


@pytest.mark.parametrize("model_type", LAYERS)
def test_layers(model_type, message):
    refuse_soon(message, model_type, LAYERS[model_type])


@pytest.mark.parametrize("model_type", TABLES)
def test_tables(model_type, message):
    refuse_soon(message, model_type, TABLES[model_type])


@pytest.mark.parametrize("model_type", sorted(TEXT_ENCODERS))
def test_every_number_of_every_architecture(model_type, message, monkeypatch):
    """Whatever a number counts, an enormous one is refused before anything is built."""
    monkeypatch.setattr(nn.Module, "__init__", lambda *_, **__: pytest.fail("was built"))
    config = CONFIG_MAPPING[model_type]().to_dict()
    for name, value in config.items():
        if isinstance(value, int) and not isinstance(value, bool):
            changed = {**message, "config": {**config, name: 10**9}}
            with pytest.raises(FormatError, match=name):
                MarkedTransformer("x").shims[0].from_bytes(srsly.msgpack_dumps(changed))


def test_names_of_labels(message):
    changed = {**message, "config": {**message["config"], "num_labels": 10**6}}
    with pytest.raises(FormatError, match="num_labels"):
        MarkedTransformer("x").shims[0].from_bytes(srsly.msgpack_dumps(changed))


class Layers(nn.Module):
    def __init__(self, n_layers, n_masked):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(n_layers))
        self.register_buffer("mask", torch.ones(n_masked, n_masked), persistent=False)


def test_what_is_built_is_counted():
    weights = Layers(3, 8).state_dict()
    expected = build_without_memory(lambda: Layers(3, 8), weights)
    assert {name: t.shape for name, t in expected.items()} == {
        name: t.shape for name, t in weights.items()
    }
    assert all(tensor.is_meta for tensor in expected.values())
    with pytest.raises(FormatError, match="tensors"):
        build_without_memory(lambda: Layers(10**9, 8), weights)
    with pytest.raises(FormatError, match="buffers"):
        build_without_memory(lambda: Layers(3, MAX_BUFFERS), weights)
    with pytest.raises(FormatError, match="parameters"):
        build_without_memory(lambda: nn.Linear(2**20, 2**20), weights)
    with pytest.raises(FormatError, match="modules"), within(weights):
        nn.ModuleList(nn.Identity() for _ in range(10**9))
    # Nothing is counted afterwards.
    assert len(Layers(1000, 8).layers) == 1000


def test_a_model_that_is_trained_has_room(tmp_path):
    path = make_tiny_transformer(tmp_path / "bert", num_hidden_layers=40)
    encoder = MarkedTransformer(str(path))
    encoder.initialize()
    loaded = MarkedTransformer("x").from_bytes(encoder.to_bytes())
    assert loaded.shims[0]._model.config.num_hidden_layers == 40
