from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_docre.benchmark.pipelines import find_methods, from_config, read_labels
from spacy_docre.errors import DocreError

from ..util import birth_doc, make_doc

CONFIGS = Path(__file__).parents[2] / "configs"


def test_methods_are_the_configs_that_read_transformers():
    names = [path.stem for path in find_methods(CONFIGS)]
    assert names == sorted(names)
    assert {"atlop", "kmgre", "rsman_ssan"} <= set(names)
    assert not {"cnn", "bilstm", "quickstart", "pipeline"} & set(names)
    wanted = find_methods(CONFIGS, ["rsman", "atlop", "rsman"])
    assert [path.stem for path in wanted] == ["rsman", "atlop"]


def test_methods_that_are_not_there_are_named(tmp_path):
    with pytest.raises(DocreError, match=r"D060.*\(s\) cnn, none in") as error:
        find_methods(CONFIGS, ["cnn", "atlop", "none"])
    assert "atlop, " in str(error.value)
    with pytest.raises(DocreError, match="D060"):
        find_methods(tmp_path)
    (tmp_path / "broken.cfg").write_text("[paths", encoding="utf8")
    with pytest.raises(DocreError, match=r"D015.*broken\.cfg"):
        find_methods(tmp_path)


@pytest.mark.parametrize(("method", "n_encoders"), [("atlop", 1), ("kmgre", 2)])
def test_encoders_can_have_fewer_layers(method, n_encoders, tiny_bert, tmp_path):
    text = (CONFIGS / f"{method}.cfg").read_text("utf8")
    path = tmp_path / f"{method}.cfg"
    path.write_text(text.replace("window = 512", "window = 64"), encoding="utf8")
    nlp = from_config(path, encoder=str(tiny_bert), layers=1)
    encoder = nlp.get_pipe("doc_relation_extractor").model.get_ref("encoder")
    parts = encoder.layers or [encoder]
    assert len(parts) == n_encoders
    for part in parts:
        part.initialize()
        assert len(part.shims[0]._model.encoder.layer) == 1


def test_the_relation_types_are_those_of_the_whole_corpus(tmp_path, tiny_bert):
    vocab = spacy.blank("en").vocab
    other = make_doc(vocab, ["Ada", "Bob"], [[(0, 1)], [(1, 2)]], relations=[(0, "met", 1)])
    none = make_doc(vocab, [], [])
    path = tmp_path / "corpus.spacy"
    DocBin(docs=[birth_doc(vocab, 0), other, none], store_user_data=True).to_disk(path)
    nlp = from_config(CONFIGS / "atlop.cfg", encoder=str(tiny_bert))
    assert read_labels(nlp, path) == ["born", "died", "met"]
