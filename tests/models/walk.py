"""Every architecture of transformers as an encoder, small and with random weights: it works, or is
refused by name. Writes the table of the documentation:

    python -m tests.models.walk docs/data/encoders.json
"""

import json
import re
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import srsly
import torch
import transformers
from spacy.vocab import Vocab
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from spacy_docre import DocreError
from spacy_docre.models.batch import ClusterBatch
from spacy_docre.models.encoders.marked_transformer import MarkedTransformer
from spacy_docre.models.encoders.trust import TEXT_ENCODERS

from ..util import make_doc, make_tiny_transformer

MODEL_TYPES = sorted(CONFIG_MAPPING.keys())
# What sizes are called, and small values of them.
WIDTHS = ("hidden_size", "d_model", "dim", "emb_dim", "embedding_size", "true_hidden_size")
HEAD_WIDTHS = ("d_kv", "d_head", "head_dim", "attention_head_size")
POSITIONS = ("max_position_embeddings", "max_2d_position_embeddings", "max_xpath_1d_embeddings")
SPECIALS = ("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id", "mask_token_id")
OWN = {
    "canine": {"downsampling_rate": 4, "local_transformer_stride": 16, "num_hash_buckets": 64},
    "esm": {"token_dropout": False},
    # Of two models that transformers has for it, it makes none unless told which.
    "funnel": {
        "block_sizes": [1, 1],
        "num_decoder_layers": 1,
        "num_hidden_layers": None,
        "architectures": ["FunnelModel"],
    },
    "lilt": {"hidden_size": 48, "max_2d_position_embeddings": 64},
    "markuplm": {"max_depth": 4},
    "mobilebert": {"intra_bottleneck_size": 16},
    "modernbert": {"local_attention": 16, "global_attn_every_n_layers": 2},
    "nystromformer": {"segment_means_seq_len": 8, "num_landmarks": 8},
    "prophetnet": {"num_hidden_layers": None},
    "roc_bert": {"pronunciation_vocab_size": 8, "shape_vocab_size": 8},
    "xlm-prophetnet": {"num_hidden_layers": None},
    # Their positions are relative.
    "mt5": {"max_position_embeddings": None},
    "switch_transformers": {"max_position_embeddings": None},
    "t5": {"max_position_embeddings": None},
    "umt5": {"max_position_embeddings": None},
    "xlnet": {"max_position_embeddings": None},
    "xmod": {"languages": ["en_XX"], "default_language": "en_XX"},
}
REMEDY = re.compile(r"\. (All types|Look whether|Take one that)")
# Those whose vocabulary cannot grow: a marker must be one wordpiece of it.
FIXED_VOCABULARY = ("canine", "ibert")


def tiny_settings(model_type):
    """Settings that make an architecture small, by the names of its own."""
    settings = {}
    for name, value in CONFIG_MAPPING[model_type]().to_dict().items():
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if name in WIDTHS:
            settings[name] = 32
        elif name in HEAD_WIDTHS:
            settings[name] = 8
        elif name in POSITIONS:
            settings[name] = 66
        elif (name in SPECIALS and is_number) or (is_number and name.endswith("layers")):
            settings[name] = 2
        elif is_number and name.endswith(("heads", "n_head")):
            settings[name] = 4
        elif is_number and name.endswith(("intermediate_size", "ffn_dim", "d_ff", "d_inner")):
            settings[name] = 48
    return {**settings, **OWN.get(model_type, {})}


def make_architecture(path, model_type):
    """A folder with a small model of an architecture, or its configuration alone if it is not one
    of those that can be built."""
    if model_type in TEXT_ENCODERS:
        return make_tiny_transformer(path, model_type, **tiny_settings(model_type))
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps({"model_type": model_type}))
    return path


def long_doc(vocab, n_words):
    names = ["ada", "was", "born", "in", "oslo", ".", "later", "bela", "died", "in", "riga", "."]
    words = [names[i % len(names)] for i in range(n_words)]
    clusters = [[(i, i + 1) for i in range(at, n_words, 12)] for at in (0, 4, 7)]
    return make_doc(vocab, words, [mentions for mentions in clusters if mentions])


def encode(encoder, docs, is_train=False):
    return encoder((docs, ClusterBatch.from_docs(docs)), is_train)


def check_architecture(path):
    """Raise an AssertionError unless an encoder does all that an encoder must."""
    vocab = Vocab()
    docs = [long_doc(vocab, n) for n in (5, 90, 12)]
    new_markers = {"start_marker": "<m>", "end_marker": "</m>"}
    for settings in (new_markers, {"window": 20, "stride": 5}, {}):
        encoder = MarkedTransformer(str(path), **settings)
        if settings is new_markers and path.name in FIXED_VOCABULARY:
            with pytest.raises(DocreError, match="D165"):
                encoder.initialize()
            continue
        encoder.initialize()
        encoding, _ = encode(encoder, docs)
        assert encoding.tokens.shape[2] == encoder.get_dim("nO")
        assert all(tensor.isfinite().all() for tensor in encoding.tensors)
        assert (encoding.attention >= 0).all()
        ones = torch.ones(encoding.attention.shape[:2])
        torch.testing.assert_close(encoding.attention.sum(2), ones, atol=1e-4, rtol=0)
        first = 0
        for i, doc in enumerate(docs):
            single, _ = encode(encoder, [doc])
            length, last = single.tokens.shape[1], first + len(single.mention)
            for together, alone in (
                (encoding.tokens[i, :length], single.tokens[0]),
                (encoding.mention[first:last], single.mention),
                (encoding.attention[:, first:last, :length], single.attention),
            ):
                torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
            first = last
        loaded = MarkedTransformer(str(path), **settings)
        loaded.from_bytes(encoder.to_bytes())
        for a, b in zip(encoding.tensors, encode(loaded, docs)[0].tensors, strict=True):
            np.testing.assert_array_equal(a, b)
    encoding, backprop = encode(encoder, docs, is_train=True)
    backprop(tuple(torch.ones_like(tensor) for tensor in encoding.tensors))
    gradients = [p.grad for p in encoder.shims[0]._model.parameters() if p.grad is not None]
    assert any(gradient.abs().sum() > 0 for gradient in gradients)
    assert all(gradient.isfinite().all() for gradient in gradients)


def result(path):
    """What became of an architecture: why it was refused, or None if it works."""
    try:
        check_architecture(path)
    except DocreError as error:
        # The reason stands between the type and what to do.
        reason = str(error).split("cannot be used: ")[1]
        return REMEDY.split(reason)[0]
    return None


def main():
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    found = {}
    for model_type in MODEL_TYPES:
        with TemporaryDirectory() as folder:
            try:
                reason = result(make_architecture(Path(folder) / model_type, model_type))
            except Exception as error:
                reason = f"FAILS: {type(error).__name__}: {str(error)[:200]}"
        found[model_type] = {"works": reason is None, **({"reason": reason} if reason else {})}
        print(model_type, reason or "works", flush=True)
    path = Path(sys.argv[1])
    path.parent.mkdir(exist_ok=True)
    srsly.write_json(path, {"transformers": transformers.__version__, "encoders": found})


if __name__ == "__main__":
    main()
