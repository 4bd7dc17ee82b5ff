"""The project's training configs, made small."""

from pathlib import Path

import spacy
from spacy.tokens import DocBin

from .util import birth_doc

FOLDER = Path(__file__).parent.parent / "configs"


CONFIGS = sorted(path for path in FOLDER.glob("*.cfg") if "[training]" in path.read_text("utf8"))


def save_births(path, n):
    """Save a corpus of n documents; its path as a config has it."""
    vocab = spacy.blank("xx").vocab
    docs = [birth_doc(vocab, number) for number in range(n)]
    for doc in docs:
        doc.set_ents([span for group in doc.spans.values() for span in group])
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return str(path)


def small_config(path, corpus, encoder, **training):
    """A config of the project for a tiny encoder, with other settings of its training."""
    overrides = {"paths.train": corpus, "paths.dev": corpus, "nlp.lang": "xx"}
    overrides["training.max_steps"] = training.pop("max_steps")
    if "encoder" in spacy.util.load_config(path)["paths"]:
        overrides["paths.encoder"] = str(encoder)
    config = spacy.util.load_config(path, overrides=overrides)
    text = (
        config.to_str().replace("window = 512", "window = 64").replace("stride = 128", "stride = 8")
    )
    config = config.from_str(text, interpolate=False)
    config["training"].update(training)
    return config
