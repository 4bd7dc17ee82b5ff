"""The way round: a tool's file is converted, trained on, and written in the tool's form again."""

import io

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp

from spacy_docre import get_clusters
from spacy_docre.corpora.formats import all_formats
from spacy_docre.training.loop import train

from ..commands import run
from ..configs import FOLDER
from ..util import rest_slow
from .tool_files import FILES, spacy_rel

# Each form: the format, how its file is called, and the options of `export`.
FORMS = {
    "prodigy": ("prodigy", "in.jsonl", ()),
    "label-studio": ("label-studio", "in.json", ()),
    "doccano": ("doccano", "in.jsonl", ()),
    "bioc-xml": ("bioc", "in.xml", ()),
    "bioc-json": ("bioc", "in.json", ()),
    "inception-xmi": ("inception", "in", ()),
    "inception-json": ("inception", "in", ("--form", "json")),
    "spacy-rel": ("spacy-rel", "in.spacy", ()),
}


def read(path):
    """What a corpus says: of each document the entities with types, and the relations."""
    docs = DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab)
    return [
        (
            doc.text,
            [[(m.start_char, m.end_char, m.label_) for m in c.mentions] for c in get_clusters(doc)],
            [(*r.triple, r["evidence"]) for r in doc._.relations],
        )
        for doc in docs
    ]


def trained(corpus, output):
    """Three steps of a config of the project; the pipeline's folder."""
    paths = {"paths.train": str(corpus), "paths.dev": str(corpus)}
    steps = {"training.optimizer.schedule.total_steps": 3, "training.eval_frequency": 3}
    config = spacy.util.load_config(FOLDER / "cnn.cfg", overrides={**paths, **steps})
    nlp = init_nlp(config)
    assert set(nlp.get_pipe("doc_relation_extractor").labels) == {"met", "liked"}
    train(nlp, output, stdout=io.StringIO())
    return output / "model-last"


@pytest.fixture(params=rest_slow(FORMS, lambda name: name in ("prodigy", "inception-xmi")))
def form(request, tmp_path):
    name, file, options = FORMS[request.param]
    if not all_formats()[name].is_available:
        pytest.skip(f"needs the package {all_formats()[name].package}")
    source = tmp_path / file
    if name == "spacy-rel":
        spacy_rel(source)
    elif request.param in FILES or request.param == "bioc-xml":
        source.write_text(FILES[name]())
    else:
        # Forms that the tests have no file of their own of, from one that is another's.
        (tmp_path / "prodigy.jsonl").write_text(FILES["prodigy"]())
        run("convert", tmp_path / "prodigy.jsonl", tmp_path / "first.spacy")
        run("export", name, tmp_path / "first.spacy", source, *options)
    return name, source, options


def test_converted_trained_on_exported_and_the_same(form, tmp_path):
    name, source, options = form
    corpus, again = tmp_path / "corpus.spacy", tmp_path / "again.spacy"
    output = run("convert", source, corpus)
    assert f"`convert {name}`" in output
    before = read(corpus)
    assert [len(entities) for _, entities, _ in before] == [4]
    assert [(r[0][-1], r[1], r[2][-1]) for r in before[0][2]] == [
        ("1", "met", "2"),
        ("3", "liked", "4"),
    ]
    model = trained(corpus, tmp_path / "run")
    run("predict", model, corpus, tmp_path / "predicted.spacy")
    exported = tmp_path / f"out{source.suffix}"
    output = run("export", name, corpus, exported, *options)
    assert "Not kept" not in output
    run("convert", name, exported, again)
    assert read(again) == before
    # What a model says of it goes the same way, but for scores and, where it gives none, evidence.
    predicted = tmp_path / "predicted.spacy"
    run("export", name, predicted, tmp_path / f"model{source.suffix}", *options)
    run("convert", name, tmp_path / f"model{source.suffix}", again)
    assert [(text, entities) for text, entities, _ in read(again)] == [
        (text, entities) for text, entities, _ in read(predicted)
    ]
    assert {r[:3] for _, _, rows in read(again) for r in rows} == {
        r[:3] for _, _, rows in read(predicted) for r in rows
    }
