"""Any text encoder of transformers works, or is refused by name with alternatives, at once."""

import shutil
from pathlib import Path

import pytest
import srsly
import torch
from spacy.vocab import Vocab

from spacy_docre.errors import DocreError
from spacy_docre.models import allow_encoders

from ..util import make_tiny_transformer

pytest.importorskip("spacy_transformers")
from huggingface_hub import constants
from transformers import AutoModel, BertTokenizerFast

from spacy_docre.models.encoders import pretrained
from spacy_docre.models.encoders.architecture import REFUSED, first_position, max_positions
from spacy_docre.models.encoders.marked_transformer import MarkedTransformer
from spacy_docre.models.encoders.trust import TEXT_ENCODERS

from .walk import (
    MODEL_TYPES,
    check_architecture,
    encode,
    long_doc,
    make_architecture,
    result,
    tiny_settings,
)

TABLE = Path(__file__).parents[2] / "docs" / "data" / "encoders.json"
# One for each peculiarity; `make test-all` takes all of them.
QUICK = ("bart", "bert", "canine", "mpnet", "squeezebert", "t5", "xlnet")


@pytest.fixture(scope="module")
def table():
    return srsly.read_json(TABLE)["encoders"]


def test_table_names_every_architecture(table):
    assert sorted(table) == MODEL_TYPES
    assert {name for name, entry in table.items() if entry["works"]} == TEXT_ENCODERS
    assert not TEXT_ENCODERS & REFUSED.keys()


@pytest.mark.parametrize("model_type", [t for t in MODEL_TYPES if t not in TEXT_ENCODERS])
def test_others_are_refused_by_name_with_alternatives(model_type, table, tmp_path):
    path = make_architecture(tmp_path / model_type, model_type)
    with pytest.raises(DocreError, match=rf"D160.*'{model_type}'.*[Tt]ake .*'\w+'") as error:
        MarkedTransformer(str(path)).initialize()
    assert len(str(error.value).splitlines()) == 1
    assert result(path) == table[model_type]["reason"]


@pytest.mark.parametrize("model_type", QUICK)
def test_text_encoders_work(model_type, tmp_path):
    check_architecture(make_architecture(tmp_path / model_type, model_type))


@pytest.mark.slow
@pytest.mark.parametrize("model_type", sorted(TEXT_ENCODERS.difference(QUICK)))
def test_all_text_encoders_work(model_type, tmp_path):
    check_architecture(make_architecture(tmp_path / model_type, model_type))


@pytest.mark.parametrize(
    ("model_type", "settings", "first", "length"),
    [
        ("bert", {}, 0, 64),
        ("roberta", {"pad_token_id": 1}, 2, 64),
        ("mpnet", {"max_position_embeddings": 66}, 2, 64),
        ("luke", {"max_position_embeddings": 66, "pad_token_id": 1}, 2, 64),
        ("ibert", {"max_position_embeddings": 66, "pad_token_id": 1}, 2, 64),
        ("bart", {}, 0, 66),
        ("t5", {}, 0, None),
        ("xlnet", {}, 0, None),
    ],
)
def test_positions(model_type, settings, first, length, tmp_path):
    if model_type in ("bart", "luke", "ibert", "t5", "xlnet"):
        settings = {**tiny_settings(model_type), **settings}
    path = make_tiny_transformer(tmp_path / model_type, model_type, **settings)
    encoder = MarkedTransformer(str(path))
    encoder.initialize()
    transformer = encoder.shims[0]._model
    assert first_position(transformer) == first
    assert max_positions(transformer) == length


@pytest.mark.parametrize(("model_type", "window"), [("t5", 512), ("bert", 64)])
def test_tokenizers_without_a_limit(model_type, window, tmp_path):
    """The encoder's limit holds, or one for encoders that have none."""
    path = make_architecture(tmp_path / model_type, model_type)
    if model_type == "bert":
        path = make_tiny_transformer(tmp_path / "again")
    BertTokenizerFast(vocab_file=str(path / "vocab.txt")).save_pretrained(path)
    encoder = MarkedTransformer(str(path))
    encoder.initialize()
    doc = long_doc(Vocab(), 300)
    sizes = []
    encoder.shims[0]._model.register_forward_hook(
        lambda module, args, kwargs, output: sizes.append(kwargs["input_ids"].shape[1]),
        with_kwargs=True,
    )
    encode(encoder, [doc])
    assert max(sizes) == window


def refuse(path, *words, **settings):
    with pytest.raises(DocreError, match="D163") as error:
        MarkedTransformer(str(path), **settings).initialize()
    for word in words:
        assert word in str(error.value)


def test_encoders_that_read_to_one_side(tmp_path):
    path = make_tiny_transformer(tmp_path / "decoder", is_decoder=True)
    refuse(path, "from left to right", "'bert'", "modernbert")


@pytest.mark.parametrize(
    ("model_type", "settings", "reason"),
    [
        ("longformer", {"attention_window": [4, 4]}, "attention has the form"),
        ("fnet", {}, "cannot read text"),
        ("yoso", {}, "attention has the form"),
    ],
)
def test_what_a_program_allows_is_tried_all_the_same(model_type, settings, reason, tmp_path):
    path = make_tiny_transformer(tmp_path / model_type, model_type, **settings)
    with allow_encoders(model_type):
        refuse(path, reason)


def test_a_program_may_allow_decoders(tmp_path):
    path = make_tiny_transformer(tmp_path / "gpt2", "gpt2", **tiny_settings("gpt2"), n_positions=64)
    with pytest.raises(DocreError, match=r"D160.*allow_encoders\('gpt2'\)"):
        MarkedTransformer(str(path)).initialize()
    with allow_encoders("gpt2"):
        encoder = MarkedTransformer(str(path))
        encoder.initialize()
        MarkedTransformer("x").from_bytes(encoder.to_bytes())


def test_settings_that_an_encoder_wants_are_named(tmp_path):
    settings = {**tiny_settings("xmod"), "default_language": None}
    path = make_tiny_transformer(tmp_path / "xmod", "xmod", **settings)
    refuse(path, "set_default_language", "transformer_config")
    encoder = MarkedTransformer(str(path), transformer_config={"default_language": "en_XX"})
    encoder.initialize()


def test_encoder_decoders_are_saved_without_their_decoder(tmp_path):
    path = make_architecture(tmp_path / "bart", "bart")
    encoder = MarkedTransformer(str(path))
    encoder.initialize()
    names = encoder.shims[0]._model.state_dict().keys()
    whole = AutoModel.from_pretrained(path).state_dict()
    assert {f"encoder.{name}" for name in names} == {n for n in whole if n.startswith("encoder.")}
    for name, tensor in encoder.shims[0]._model.state_dict().items():
        torch.testing.assert_close(tensor, whole[f"encoder.{name}"], atol=0, rtol=0)


@pytest.fixture
def no_hub(monkeypatch):
    """A hub that nobody can reach, and that counts who tries."""
    calls = []

    class Session:
        def head(self, url, **_):
            calls.append(url)
            raise ConnectionError

    monkeypatch.setattr(pretrained, "get_session", Session)
    return calls


@pytest.mark.parametrize("name", ["somebody/model", "bert-base-cased"])
def test_hub_out_of_reach(name, no_hub, tmp_path):
    settings = {"transformer_config": {"cache_dir": str(tmp_path)}}
    with pytest.raises(DocreError, match=f"D161.*{name}.*cannot be reached") as error:
        MarkedTransformer(name, **settings).initialize()
    assert error.value.__context__ is None or error.value.__suppress_context__
    assert no_hub == [constants.ENDPOINT]


def test_hub_s_cache_is_used_without_waiting(no_hub, tiny_bert, tmp_path):
    folder = tmp_path / "models--somebody--bert"
    shutil.copytree(tiny_bert, folder / "snapshots" / "abc")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    settings = {"transformer_config": {"cache_dir": str(tmp_path)}}
    encoder = MarkedTransformer("somebody/bert", **settings)
    encoder.initialize()
    assert encoder.shims[0]._model.config.model_type == "bert"
    assert len(no_hub) == 1


@pytest.mark.parametrize("name", ["/no/such/folder", "./nowhere", "C:\\models\\bert", "a/b/c", ""])
def test_paths_that_lead_nowhere(name, no_hub):
    with pytest.raises(DocreError, match=r"D161.*no such folder|D161.*config\.json"):
        MarkedTransformer(name).initialize()
    assert not no_hub


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer"])
def test_folders_that_lack_something(missing, no_hub, tiny_bert, tmp_path):
    path = tmp_path / "bert"
    shutil.copytree(tiny_bert, path)
    for file in list(path.iterdir()):
        is_tokenizer = file.name not in ("config.json", "model.safetensors")
        if file.name == missing or (is_tokenizer and missing == "tokenizer"):
            file.unlink()
    with pytest.raises(DocreError, match="D161") as error:
        MarkedTransformer(str(path)).initialize()
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 600
