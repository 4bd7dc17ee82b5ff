"""Nothing that an encoder's saved settings say runs code, reads a file outside or asks the hub."""

import json
import shutil
import threading
from pathlib import Path
from pkgutil import resolve_name

import pytest
import spacy
import srsly

from spacy_docre.errors import DocreError
from spacy_docre.models import allow_encoders
from spacy_docre.models.weights import FormatError

from ..methods import ENCODERS, HEADS
from ..util import birth_doc, birth_examples, make_tiny_transformer

pytest.importorskip("spacy_transformers")
import huggingface_hub
import transformers
from huggingface_hub.utils import reset_sessions
from transformers import AutoConfig, AutoTokenizer
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.utils.hub import cached_file

from spacy_docre.models.encoders.marked_transformer import MarkedTransformer
from spacy_docre.models.encoders.saved_tokenizer import MAX_ADDED, SETTINGS_FILES
from spacy_docre.models.encoders.sealed import WAYS_OUT, sealed
from spacy_docre.models.encoders.trust import TEXT_ENCODERS, check_config, is_allowed
from spacy_docre.models.encoders.wordpieces import WordpieceMarker

MODEL_TYPES = sorted(CONFIG_MAPPING.keys())
NAME = "doc_relation_extractor"

CODE = {
    "backbone": "somebody/model",
    "backbone_config": {"model_type": "bert"},
    "backbone_kwargs": {"revision": "main"},
    "use_timm_backbone": True,
    "use_pretrained_backbone": True,
    "timm_backbone": "resnet",
    "auto_map": {"AutoModel": "own.Own"},
    "trust_remote_code": True,
    "custom_pipelines": {"x": {"impl": "own.Own"}},
    "custom_generate": "somebody/model",
    "code_revision": "main",
    "quantization_config": {"quant_method": "own"},
    "adapter_config": {"peft_type": "LORA"},
}
PLACES = {
    "vocab_file": "vocab.txt",
    "sp_model_file": "model",
    "merges_files": ["a"],
    "weights_path": "weights",
    "data_dir": "data",
    "cache_directory": "cache",
    "model_url": "host",
    "base_url": "host",
    "repo": "model",
    "repo_id": "model",
    "base_model_name_or_path": "model",
    "encoder_pretrained_model_name_or_path": "model",
    "checkpoint": "model",
    "anything": "https://host/model",
    "else": "/etc/passwd",
    "as_well": "../model",
    "on_windows": "C:model",
    "on_a_share": "\\\\host\\model",
    "at_home": "~",
    "of_the_hub": "somebody/model",
    "_attn_implementation": "somebody/kernel",
    "listed": ["a", ["/etc/passwd"]],
    "torch_dtype": "load",
}
DEPTHS = {
    "at the top": lambda settings: settings,
    "in a part": lambda settings: {"text_config": settings},
    "in a list": lambda settings: {"parts": [1, [{"inner": settings}]]},
    "in what a task needs": lambda settings: {"task_specific_params": {"x": {"y": settings}}},
}


def saved_message(path):
    """What the shim of an encoder saves."""
    encoder = MarkedTransformer(str(path))
    encoder.initialize()
    return srsly.msgpack_loads(encoder.shims[0].to_bytes())


@pytest.fixture(scope="module")
def message(tiny_bert):
    return saved_message(tiny_bert)


def load(message, **changes):
    shim = MarkedTransformer("x").shims[0]
    return shim.from_bytes(srsly.msgpack_dumps({**message, **changes}))


def load_with_config(message, **changes):
    return load(message, config={**message["config"], **changes})


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_every_architecture_is_allowed_or_refused_before_it_is_built(
    model_type, message, monkeypatch
):
    default = CONFIG_MAPPING[model_type]
    if model_type in TEXT_ENCODERS:
        config = default().to_dict()
        check_config(config)
        for settings in (CODE, PLACES):
            for name, value in settings.items():
                for nest in DEPTHS.values():
                    with pytest.raises(FormatError, match=name):
                        check_config({**config, **nest({name: value})})
    else:
        monkeypatch.setattr(default, "__init__", lambda *_, **__: pytest.fail("was built"))
        with pytest.raises(FormatError, match="allow_encoders"):
            load(message, config={"model_type": model_type})


@pytest.mark.parametrize("model_type", [None, 3, ["bert"], {}, "no such type", "", "BERT"])
def test_what_is_no_architecture(model_type, message):
    with pytest.raises(FormatError, match="type"):
        load_with_config(message, model_type=model_type)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("name", "value"), [*CODE.items(), *list(PLACES.items())[:11]])
def test_settings_of_an_encoder(name, value, depth, message):
    with pytest.raises(FormatError, match=name):
        load_with_config(message, **DEPTHS[depth]({name: value}))


def test_settings_that_say_nothing(message):
    shim = load_with_config(
        message,
        auto_map=None,
        trust_remote_code=False,
        backbone=None,
        custom_pipelines={},
        id2label={0: "N/A", 1: "https://host"},
        label2id={"N/A": 0, "file": 1, "backbone": 2},
        _name_or_path="/home/somebody/bert",
    )
    assert shim._model.config.model_type == "bert"


def test_nesting_has_an_end(message):
    nested = {}
    for _ in range(200):
        nested = {"x": nested}
    with pytest.raises(FormatError, match="deeply"):
        load_with_config(message, x=nested)


@pytest.mark.parametrize("part", ["_init_tokenizer_config", "_init_transformer_config"])
def test_settings_of_a_model_that_was_not_trained(part, message):
    """They would go to transformers when it is initialised."""
    empty = {**message, "config": {}, "state": b"", "tokenizer": {}}
    load(empty, **{part: {"use_fast": True}})
    with pytest.raises(FormatError, match="trust_remote_code"):
        load(empty, **{part: {"trust_remote_code": True}})


def evil_model(path, trace):
    """A folder that is a model with code of its own, which leaves a trace."""
    path.mkdir(parents=True)
    settings = {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModel": "own.Own"}}
    (path / "config.json").write_text(json.dumps(settings))
    (path / "own.py").write_text(
        f"from pathlib import Path\nPath({str(trace)!r}).touch()\n"
        "from transformers import PretrainedConfig\n"
        "class Own(PretrainedConfig):\n    model_type = 'own'\n"
    )
    return path


def backbone(folder):
    return {
        "model_type": "detr",
        "use_timm_backbone": False,
        "use_pretrained_backbone": False,
        "backbone": str(folder),
        "backbone_kwargs": {"trust_remote_code": True},
    }


@pytest.mark.parametrize("position", ["alone", "first", "second"])
def test_backbones_run_nothing_wherever_the_encoder_stands(position, tiny_bert, tmp_path):
    bert = {**ENCODERS["transformer"], "name": str(tiny_bert)}
    twin = {"@architectures": "spacy-docre.TwinEncoder.v1", "first": bert, "second": bert}
    model = {
        "@architectures": "spacy-docre.RelationModel.v1",
        "encoder": bert if position == "alone" else twin,
        "head": HEADS["atlop"],
    }
    nlp = spacy.blank("xx")
    nlp.add_pipe(NAME, config={"model": model})
    nlp.initialize(lambda: birth_examples(nlp.vocab, 2))
    nlp.to_disk(tmp_path / "model")
    trace, file = tmp_path / "trace", tmp_path / "model" / NAME / "model"
    message = srsly.msgpack_loads(file.read_bytes())
    shims = [shims for shims in message["shims"] if shims and b"_init_tokenizer" in shims[0]]
    chosen = shims[-1 if position == "second" else 0]
    shim = srsly.msgpack_loads(chosen[0])
    shim["config"] = backbone(evil_model(tmp_path / "evil", trace))
    chosen[0] = srsly.msgpack_dumps(shim)
    file.write_bytes(srsly.msgpack_dumps(message))
    with pytest.raises(DocreError, match=r"D102.*'detr'"):
        spacy.load(tmp_path / "model")
    assert not trace.exists()


@pytest.fixture
def online(monkeypatch):
    """As without HF_HUB_OFFLINE, with which another error comes first."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    reset_sessions()
    yield
    reset_sessions()


@pytest.mark.usefixtures("online")
def test_nothing_gets_out_even_of_an_architecture_that_is_allowed(tmp_path):
    """The second line of defence, should a setting be missing among those that are refused."""
    trace = tmp_path / "trace"
    folder = evil_model(tmp_path / "evil", trace)
    with sealed():
        with pytest.raises(FormatError, match="get_cached_module_file"):
            AutoConfig.from_pretrained(folder, trust_remote_code=True)
        with pytest.raises(FormatError, match="hf_hub_download"):
            cached_file("somebody/model", "config.json")
        with pytest.raises(FormatError, match="snapshot_download"):
            transformers.utils.hub.snapshot_download("somebody/model")
        with pytest.raises(FormatError, match="send"):
            huggingface_hub.HfApi().model_info("somebody/model")
    assert not trace.exists()


def test_only_the_thread_that_loads_is_sealed_and_only_as_long(monkeypatch):
    """Another may be getting a model from the hub."""
    original = [getattr(resolve_name(place), name) for place, name in WAYS_OUT]
    calls = []
    monkeypatch.setattr("transformers.utils.hub.hf_hub_download", lambda *a, **_: calls.append(a))
    patched = transformers.utils.hub.hf_hub_download
    with sealed(), sealed():
        thread = threading.Thread(target=lambda: transformers.utils.hub.hf_hub_download("x"))
        thread.start()
        thread.join()
        assert calls == [("x",)]
    assert transformers.utils.hub.hf_hub_download is patched
    monkeypatch.undo()
    assert [getattr(resolve_name(place), name) for place, name in WAYS_OUT] == original


def edited_tokenizer(message, file, change):
    files = dict(message["tokenizer"])
    files[file] = json.dumps({**json.loads(files.get(file, b"{}")), **change}).encode()
    return files


TOKENIZER_SETTINGS = {
    **CODE,
    **PLACES,
    "vocab_file": "/etc/hostname",
    "tokenizer_file": "/etc/hostname",
    "sentencepiece_model_file": "x",
    "fast_tokenizer_files": ["tokenizer./../../etc/hostname.json"],
    "sp_model_kwargs": {"model_file": "/etc/hostname"},
    "mecab_kwargs": {"mecab_option": "-d dictionary"},
    "init_inputs": ["/etc/hostname"],
    "source_spm": "source",
    "extra_ids": 10**9,
    "tokenizer_class": "TransfoXLTokenizer",
    "additional_special_tokens": [f"<{i}>" for i in range(MAX_ADDED + 1)],
    "added_tokens_decoder": {i: {"content": f"<{i}>"} for i in range(MAX_ADDED + 1)},
}
del TOKENIZER_SETTINGS["torch_dtype"]


@pytest.mark.parametrize("file", SETTINGS_FILES)
@pytest.mark.parametrize(("name", "value"), TOKENIZER_SETTINGS.items())
@pytest.mark.parametrize("use_fast", [True, False])
def test_settings_of_a_tokenizer(use_fast, name, value, file, message):
    files = edited_tokenizer(message, file, {name: value})
    with pytest.raises(FormatError):
        load(message, tokenizer={**files, "kwargs": {"use_fast": use_fast}})


@pytest.mark.parametrize("use_fast", [True, False])
@pytest.mark.parametrize("value", ["vocab.txt", ["vocab.txt"]])
def test_files_are_looked_for_among_the_tokenizer_s_own(
    use_fast, value, message, tmp_path, monkeypatch
):
    """Not in the current folder, which may have one of that name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vocab.txt").write_text("[UNK]\nsecret\n")
    files = edited_tokenizer(message, "tokenizer_config.json", {"vocab_file": value})
    shim = load(message, tokenizer={**files, "kwargs": {"use_fast": use_fast}})
    assert "secret" not in shim._hfmodel.tokenizer.get_vocab()
    assert b"secret" not in shim.to_bytes()


@pytest.mark.parametrize("name", ["own.py", "config.json"])
def test_files_that_are_not_a_tokenizer_s(name, message):
    with pytest.raises(FormatError, match=name):
        load(message, tokenizer={**message["tokenizer"], name: b"{}"})


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("file", ["tokenizer_config.json", "tokenizer.json", "added_tokens.json"])
def test_damaged_settings_of_a_tokenizer(file, data, message):
    with pytest.raises(FormatError, match=file):
        load(message, tokenizer={**message["tokenizer"], file: data})


@pytest.mark.parametrize("file", ["tokenizer.json", "added_tokens.json"])
def test_added_tokens_have_a_limit_wherever_they_stand(file, message, monkeypatch):
    """A tokenizer looks each up among all of them."""
    tokens = [{"id": 100 + i, "content": f"<{i}>"} for i in range(MAX_ADDED + 1)]
    by_name = {token["content"]: token["id"] for token in tokens}
    change = {"added_tokens": tokens} if file == "tokenizer.json" else by_name
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_, **__: pytest.fail("was built"))
    with pytest.raises(FormatError, match="10001 parts"):
        load(message, tokenizer=edited_tokenizer(message, file, change))


def test_the_class_of_a_tokenizer_is_known_before_it_is_built(message, monkeypatch):
    """The encoder's configuration gives it where the tokenizer's own settings do not."""
    config = {**message["config"], "tokenizer_class": "TransfoXLTokenizer"}
    shim = load(message, config=config)
    assert type(shim._hfmodel.tokenizer).__name__ == "BertTokenizerFast"
    files = {k: v for k, v in message["tokenizer"].items() if k != "tokenizer_config.json"}
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_, **__: pytest.fail("was built"))
    with pytest.raises(FormatError, match="'TransfoXLTokenizer'"):
        load(message, config=config, tokenizer=files)
    other = {"special_tokens_map.json": json.dumps({"tokenizer_class": "BertTokenizer"}).encode()}
    with pytest.raises(FormatError, match="'TransfoXLTokenizer'"):
        load(message, config=config, tokenizer={**files, **other})


def test_panics_of_a_tokenizer_are_errors(message, monkeypatch):
    """They are no `Exception`s, so that a program that loads a pipeline would end."""
    # Where protobuf is missing, transformers takes every error for its absence.
    monkeypatch.setattr(
        "transformers.tokenization_utils_base.import_protobuf_decode_error", lambda: KeyError
    )

    def load_with(table):
        normalizer = {"type": "Precompiled", "precompiled_charsmap": table}
        files = edited_tokenizer(message, "tokenizer.json", {"normalizer": normalizer})
        return load(message, tokenizer=files)

    with pytest.raises(FormatError, match="does not work"):
        load_with("AAAA")
    tokenizer = load_with("CAAAAAAAAAAAAAAA")._hfmodel.tokenizer
    with pytest.raises(FormatError, match="does not work"):
        WordpieceMarker(tokenizer, None, None)


def test_the_shim_of_spacy_transformers_is_checked_inside_of_the_component(tiny_bert, tmp_path):
    tok2vec = {
        "@architectures": "spacy-transformers.Tok2VecTransformer.v3",
        "name": str(tiny_bert),
        "get_spans": {"@span_getters": "spacy-transformers.doc_spans.v1"},
        "pooling": {"@layers": "reduce_mean.v1"},
        "tokenizer_config": {},
    }
    model = {
        "@architectures": "spacy-docre.RelationModel.v1",
        "encoder": {"@architectures": "spacy-docre.Tok2VecEncoder.v1", "tok2vec": tok2vec},
        "head": HEADS["atlop"],
    }
    nlp = spacy.blank("xx")
    nlp.add_pipe(NAME, config={"model": model})
    nlp.initialize(lambda: birth_examples(nlp.vocab, 2))
    nlp.to_disk(tmp_path / "model")
    docs = [birth_doc(nlp.vocab, 0)]
    scores = nlp.get_pipe(NAME).predict(docs)[0].scores
    assert (spacy.load(tmp_path / "model").get_pipe(NAME).predict(docs)[0].scores == scores).all()
    trace, file = tmp_path / "trace", tmp_path / "model" / NAME / "model"
    evil = evil_model(tmp_path / "evil", trace)
    original = srsly.msgpack_loads(file.read_bytes())
    for change in (
        lambda shim: shim.update(config=backbone(evil)),
        lambda shim: shim["tokenizer"].update({"../trace": b""}),
        lambda shim: shim.update(tokenizer=edited_tokenizer(shim, SETTINGS_FILES[0], VOCABULARY)),
    ):
        message = {**original, "shims": [list(shims) for shims in original["shims"]]}
        for shims in message["shims"]:
            for i, data in enumerate(shims):
                shim = srsly.msgpack_loads(data)
                if "config" in shim:
                    change(shim)
                    shims[i] = srsly.msgpack_dumps(shim)
        file.write_bytes(srsly.msgpack_dumps(message))
        with pytest.raises(DocreError, match="D102"):
            spacy.load(tmp_path / "model")
    assert not trace.exists()


VOCABULARY = {"vocab_file": "/etc/hostname"}


def test_the_program_that_loads_allows_further_architectures(message, tmp_path):
    class OwnConfig(transformers.BertConfig):
        model_type = "own-bert"

    class OwnModel(transformers.BertModel):
        config_class = OwnConfig

    config = {**message["config"], "model_type": "own-bert"}
    AutoConfig.register("own-bert", OwnConfig)
    transformers.AutoModel.register(OwnConfig, OwnModel)
    try:
        with pytest.raises(FormatError, match="own-bert"):
            load(message, config=config)
        with pytest.raises(FormatError, match="own-bert"):
            load(message, config={**config, "allow_encoders": ["own-bert"]})
        with allow_encoders("own-bert"):
            assert isinstance(load(message, config=config)._model, OwnModel)
        assert not is_allowed("own-bert")
        allow_encoders("own-bert")
        assert is_allowed("own-bert")
        allow_encoders("own-bert").__exit__(None, None, None)
    finally:
        CONFIG_MAPPING._extra_content.pop("own-bert")
        transformers.MODEL_MAPPING._extra_content.pop(OwnConfig)


def test_training_runs_no_code_of_a_model_and_asks_nobody(tmp_path, monkeypatch):
    trace = tmp_path / "trace"
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("somebody was asked"))
    path = make_tiny_transformer(tmp_path / "bert")
    evil = evil_model(tmp_path / "evil", trace)
    shutil.copy(evil / "own.py", path / "own.py")
    for file, auto_map in (
        ("config.json", {"AutoConfig": "own.Own", "AutoModel": "own.Own"}),
        ("tokenizer_config.json", {"AutoTokenizer": ["own.Own", "own.Own"]}),
    ):
        settings = srsly.read_json(path / file)
        further = {"auto_map": auto_map, "weights_file": "/home/somebody/file"}
        srsly.write_json(path / file, {**settings, **further})
    encoder = MarkedTransformer(str(path))
    encoder.initialize()
    assert encoder.shims[0]._model.config.model_type == "bert"
    loaded = load(srsly.msgpack_loads(encoder.shims[0].to_bytes()))
    assert loaded._model.config.model_type == "bert"
    with pytest.raises(DocreError, match=r"D160.*'own'"):
        MarkedTransformer(str(evil)).initialize()
    assert not trace.exists()


@pytest.mark.parametrize("setting", ["tokenizer_config", "transformer_config"])
def test_configs_cannot_ask_for_code(setting, tiny_bert):
    MarkedTransformer(str(tiny_bert), **{setting: {"trust_remote_code": False}}).initialize()
    with pytest.raises(DocreError, match=rf"D162.*{setting}\.trust_remote_code"):
        MarkedTransformer(str(tiny_bert), **{setting: {"trust_remote_code": True}})


def test_training_follows_no_backbone(tmp_path):
    trace = tmp_path / "trace"
    evil = evil_model(tmp_path / "evil", trace)
    (tmp_path / "detr").mkdir()
    Path(tmp_path / "detr" / "config.json").write_text(json.dumps(backbone(evil)))
    with pytest.raises(DocreError, match=r"D160.*'detr'"):
        MarkedTransformer(str(tmp_path / "detr")).initialize()
    assert not trace.exists()
