"""Every training config of the project, on a tiny encoder."""

import pytest
import spacy
from spacy.training.initialize import init_nlp
from spacy.training.loop import train

from .configs import CONFIGS, save_births, small_config
from .methods import HEADS
from .util import birth_examples


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return save_births(tmp_path_factory.mktemp("corpus") / "births.spacy", 4)


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
