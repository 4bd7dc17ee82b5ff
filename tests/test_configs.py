"""Every training config of the project, on a tiny encoder."""

from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train

from .methods import HEADS
from .util import birth_doc, birth_examples

FOLDER = Path(__file__).parent.parent / "configs"
CONFIGS = sorted(path for path in FOLDER.glob("*.cfg") if "[training]" in path.read_text("utf8"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return save_births(tmp_path_factory.mktemp("corpus") / "births.spacy", 4)


def save_births(path, n):
    """Save a corpus of n documents; its path as a config has it."""
    vocab = spacy.blank("en").vocab
    docs = [birth_doc(vocab, number) for number in range(n)]
    for doc in docs:
        doc.set_ents([span for group in doc.spans.values() for span in group])
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return str(path)


def small_config(path, corpus, encoder, **training):
    """A config of the project for a tiny encoder, with other settings of its training."""
    overrides = {"paths.train": corpus, "paths.dev": corpus}
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


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_config_trains(path, corpus, tiny_bert, tmp_path):
    config = small_config(path, corpus, tiny_bert, max_steps=2, eval_frequency=1)
    nlp = init_nlp(config)
    train(nlp, tmp_path)
    loaded = spacy.load(tmp_path / "model-last")
    assert loaded.get_pipe("doc_relation_extractor").labels == ("born", "died")


# A blend needs heads.
@pytest.mark.parametrize(
    "name", sorted({head["@architectures"] for head in HEADS.values() if "*" not in head})
)
def test_naming_only_the_head_is_enough(name):
    nlp = spacy.blank("en")
    config = {"model": {"head": {"@architectures": name}}}
    extractor = nlp.add_pipe("doc_relation_extractor", config=config)
    examples = birth_examples(nlp.vocab, 2)
    nlp.initialize(lambda: examples)
    assert extractor.update(examples)[extractor.name] > 0
