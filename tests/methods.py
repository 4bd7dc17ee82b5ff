"""The heads and encoders that the contract tests run over: every head that is registered is among
them."""

import inspect
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language

from spacy_docre.extractor.component import DocRelationExtractor
from spacy_docre.models.torch_head import RelationHead

from .util import birth_examples


def registered_heads() -> dict[str, dict[str, Any]]:
    """A small head of each method, by the name of its module."""
    heads = {}
    for point in entry_points(group="spacy_architectures"):
        head = inspect.unwrap(point.load())
        if isinstance(head, type) and issubclass(head, RelationHead):
            name = head.__module__.rpartition(".")[2]
            heads[name] = {"@architectures": point.name, **head.small_settings()}
    return heads


HEADS: dict[str, dict[str, Any]] = registered_heads() | {
    "rsman_context": {
        "@architectures": "spacy-docre.RSMAN.v1",
        "prototype_width": 16,
        "reduced_width": 16,
        "similarity": "mlp",
        "localized_context": True,
        "dropout": 0.0,
    },
}
HEADS["blend"] = {
    "@architectures": "spacy-docre.Blend.v1",
    "*": {name: HEADS[name] for name in ("atlop", "rsman", "kmgre")},
}
HEADS["two_step"] = {
    "@architectures": "spacy-docre.TwoStep.v1",
    "first": HEADS["bran"],
    "second": HEADS["atlop"],
}
# Heads of other heads, which say nothing without those.
OF_HEADS = {"blend", "two_step"}

# Heads that do not look at `Encoding.attention`, so that its projections learn nothing.
WITHOUT_ATTENTION = {
    *("rsman", "glre", "bilinear", "bran", "context_aware", "eog", "gain", "mrn", "lsr"),
    "heter_gsan",
}

CNN = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "width": 32,
    "depth": 2,
    "embed_size": 200,
    "window_size": 1,
    "maxout_pieces": 2,
    "subword_features": True,
    "pretrained_vectors": None,
}
BILSTM = {
    "@architectures": "spacy.Tok2Vec.v2",
    "embed": {
        "@architectures": "spacy.MultiHashEmbed.v2",
        "width": 32,
        "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE"],
        "rows": [200, 100, 100, 100],
        "include_static_vectors": False,
    },
    "encode": {
        "@architectures": "spacy-docre.BiLSTMEncoder.v1",
        "width": 32,
    },
}
LSTM_WITH_ENTITIES = {
    "@architectures": "spacy.Tok2Vec.v2",
    "embed": {
        "@architectures": "spacy-docre.EntityEmbed.v1",
        "width": 32,
        "embed": BILSTM["embed"],
    },
    "encode": {
        "@architectures": "spacy-docre.BiLSTMEncoder.v1",
        "width": 32,
        "bidirectional": False,
    },
}
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
ENCODERS: dict[str, dict[str, Any]] = {
    "cnn": {"@architectures": "spacy-docre.Tok2VecEncoder.v1", "tok2vec": CNN},
    "bilstm": {"@architectures": "spacy-docre.Tok2VecEncoder.v1", "tok2vec": BILSTM},
    "transformer": {
        "@architectures": "spacy-docre.MarkedTransformer.v1",
        "transformer_config": NO_DROPOUT,
    },
    "ssan": {
        "@architectures": "spacy-docre.EntityStructureTransformer.v1",
        "type_width": 4,
        "number_width": 4,
        "transformer_config": NO_DROPOUT,
    },
    "entity_embed": {
        "@architectures": "spacy-docre.Tok2VecEncoder.v1",
        "tok2vec": LSTM_WITH_ENTITIES,
    },
    "twin": {
        "@architectures": "spacy-docre.TwinEncoder.v1",
        "first": {"@architectures": "spacy-docre.Tok2VecEncoder.v1", "tok2vec": CNN},
        "second": {"@architectures": "spacy-docre.Tok2VecEncoder.v1", "tok2vec": CNN},
    },
}
TRANSFORMERS = {"transformer", "ssan"}

# Heads that read the second encoder of a twin; the others are not tested on one, since its second
# encoder learns nothing there.
READS_SECOND = ("kmgre", "blend")


def add_extractor(
    nlp: Language, head: str, encoder: str, transformer: Path | None = None, **settings: Any
) -> DocRelationExtractor:
    """Add a relation extractor with a head and an encoder to a pipeline."""
    encoder_config = dict(ENCODERS[encoder])
    if encoder in TRANSFORMERS:
        encoder_config["name"] = str(transformer)
    model = {
        "@architectures": "spacy-docre.RelationModel.v1",
        "encoder": encoder_config,
        "head": HEADS[head],
    }
    return nlp.add_pipe("doc_relation_extractor", config={"model": model, **settings})


@cache
def initialised(head: str, encoder: str, transformer: Path | None = None) -> Language:
    """An initialised pipeline, for tests that do not change it."""
    nlp = spacy.blank("xx")
    add_extractor(nlp, head, encoder, transformer)
    examples = birth_examples(nlp.vocab)
    nlp.initialize(lambda: examples)
    return nlp


def trained_on_births(n_steps: int, *, seed: int = 0) -> Language:
    """A pipeline that has learned from eight documents."""
    spacy.util.fix_random_seed(seed)
    nlp = spacy.blank("xx")
    add_extractor(nlp, "atlop", "cnn")
    examples = birth_examples(nlp.vocab)
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(n_steps):
        nlp.update(examples, sgd=optimizer)
    return nlp


def overfitted() -> Language:
    """A pipeline that knows eight documents by heart."""
    nlp = trained_on_births(60)
    assert nlp.evaluate(birth_examples(nlp.vocab))["rel_f"] == 1.0
    return nlp


def with_shared_tok2vec() -> Language:
    """An extractor that listens to the pipeline's tok2vec."""
    nlp = spacy.blank("xx")
    nlp.add_pipe("tok2vec", config={"model": CNN})
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32, "upstream": "*"}
    model = {
        "@architectures": "spacy-docre.RelationModel.v1",
        "encoder": {"@architectures": "spacy-docre.Tok2VecEncoder.v1", "tok2vec": listener},
        "head": {"@architectures": "spacy-docre.ATLOP.v1", "hidden": 32, "block": 8},
    }
    nlp.add_pipe("doc_relation_extractor", config={"model": model})
    return nlp


def with_shared_transformer(transformer: Path, grad_factor: float = 1.0) -> Language:
    """A recogniser and an extractor that listen to the pipeline's transformer."""
    nlp = spacy.blank("xx")
    model = {
        "@architectures": "spacy-transformers.TransformerModel.v3",
        "name": str(transformer),
        "tokenizer_config": {"use_fast": True},
        "get_spans": {
            "@span_getters": "spacy-transformers.strided_spans.v1",
            "window": 16,
            "stride": 12,
        },
    }
    nlp.add_pipe("transformer", config={"model": model})
    tok2vec = {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "grad_factor": 1.0,
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    ner = {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "ner",
        "extra_state_tokens": False,
        "hidden_width": 16,
        "maxout_pieces": 2,
        "use_upper": False,
        "tok2vec": tok2vec,
    }
    nlp.add_pipe("ner", config={"model": ner})
    encoder = {
        "@architectures": "spacy-docre.TransformerListener.v1",
        "grad_factor": grad_factor,
        "n_heads": 4,
        "head_width": 8,
    }
    head = {"@architectures": "spacy-docre.ATLOP.v1", "hidden": 32, "block": 8}
    model = {"@architectures": "spacy-docre.RelationModel.v1", "encoder": encoder, "head": head}
    nlp.add_pipe("doc_relation_extractor", config={"model": model})
    return nlp
