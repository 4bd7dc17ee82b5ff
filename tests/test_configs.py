"""Every training config of the project, on a tiny encoder."""

import pytest
import spacy
from spacy.cli.debug_config import debug_config
from spacy.training.initialize import init_nlp
from spacy.training.loop import train

from .configs import CONFIGS, FOLDER, save_births, small_config
from .methods import HEADS, OF_HEADS
from .util import birth_examples


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return save_births(tmp_path_factory.mktemp("corpus") / "births.spacy", 4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [path for path in CONFIGS if path.stem != "recogniser"], ids=lambda path: path.stem
)
def test_config_trains(path, corpus, tiny_bert, tmp_path):
    config = small_config(path, corpus, tiny_bert, max_steps=2, eval_frequency=1)
    nlp = init_nlp(config)
    train(nlp, tmp_path)
    loaded = spacy.load(tmp_path / "model-last")
    assert loaded.get_pipe("doc_relation_extractor").labels == ("born", "died")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_config_is_complete(path, corpus):
    """What `spacy debug config` and `spacy debug data` ask for first."""
    debug_config(path, overrides={"paths.train": corpus, "paths.dev": corpus})


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_an_optimizer_can_be_made_of_the_config(path):
    """As `nlp.resume_training` does, and `nlp.update` without an optimizer."""
    nlp = spacy.util.load_model_from_config(spacy.util.load_config(path, interpolate=False))
    assert nlp.create_optimizer().learn_rate >= 0


def test_quickstart_learns_on():
    nlp = spacy.util.load_model_from_config(spacy.util.load_config(FOLDER / "quickstart.cfg"))
    examples = birth_examples(nlp.vocab, 2)
    for example in examples:
        example.reference.set_ents([s for g in example.reference.spans.values() for s in g])
    nlp.initialize(lambda: examples)
    nlp.resume_training()
    assert nlp.update(examples)["doc_relation_extractor"] > 0


def test_another_tokenizer_can_be_named():
    tokenizer = {"@tokenizers": "spacy-docre.FineTokenizer.v1"}
    config = spacy.util.load_config(FOLDER / "atlop.cfg", overrides={"nlp.tokenizer": tokenizer})
    assert config["nlp"]["tokenizer"] == tokenizer


@pytest.mark.parametrize(
    "name", sorted({HEADS[name]["@architectures"] for name in HEADS.keys() - OF_HEADS})
)
def test_naming_only_the_head_is_enough(name):
    nlp = spacy.blank("xx")
    config = {"model": {"head": {"@architectures": name}}}
    extractor = nlp.add_pipe("doc_relation_extractor", config=config)
    examples = birth_examples(nlp.vocab, 2)
    nlp.initialize(lambda: examples)
    assert extractor.update(examples)[extractor.name] > 0
