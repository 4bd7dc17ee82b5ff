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
    path = tmp_path_factory.mktemp("corpus") / "births.spacy"
    vocab = spacy.blank("en").vocab
    docs = [birth_doc(vocab, n) for n in range(4)]
    for doc in docs:
        doc.set_ents([span for group in doc.spans.values() for span in group])
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_config_trains(path, corpus, tiny_bert, tmp_path):
    overrides = {"paths.train": corpus, "paths.dev": corpus, "training.max_steps": 2}
    config = spacy.util.load_config(path)
    if "encoder" in config["paths"]:
        overrides["paths.encoder"] = str(tiny_bert)
    config = spacy.util.load_config(path, overrides=overrides)
    text = (
        config.to_str().replace("window = 512", "window = 64").replace("stride = 128", "stride = 8")
    )
    config = config.from_str(text, interpolate=False)
    config["training"]["eval_frequency"] = 1
    nlp = init_nlp(config)
    train(nlp, tmp_path)
    loaded = spacy.load(tmp_path / "model-last")
    assert loaded.get_pipe("doc_relation_extractor").labels == ("born", "died")


@pytest.mark.parametrize("name", sorted({head["@architectures"] for head in HEADS.values()}))
def test_naming_only_the_head_is_enough(name):
    nlp = spacy.blank("en")
    config = {"model": {"head": {"@architectures": name}}}
    extractor = nlp.add_pipe("doc_relation_extractor", config=config)
    examples = birth_examples(nlp.vocab, 2)
    nlp.initialize(lambda: examples)
    assert extractor.update(examples)[extractor.name] > 0
