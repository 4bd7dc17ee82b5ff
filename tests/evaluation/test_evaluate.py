"""A pipeline's metrics in one call."""

import pytest
from spacy.tokens import DocBin

from spacy_docre import DocreError, evaluate, read_examples, score_relations
from spacy_docre.scoring.judgement import collect_facts, count_types

from ..methods import trained_on_births
from ..util import birth_examples


@pytest.fixture(scope="module")
def nlp():
    return trained_on_births(12, seed=1)


@pytest.fixture(scope="module")
def corpus(nlp, tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    docs = [eg.reference for eg in birth_examples(nlp.vocab)]
    for name, part in (("train", docs[:4]), ("dev", docs[2:])):
        DocBin(docs=part, store_user_data=True).to_disk(folder / f"{name}.spacy")
    return folder


def test_a_file_as_its_examples(nlp, corpus):
    examples = read_examples(nlp, corpus / "dev.spacy")
    for eg in examples:
        eg.predicted = nlp(eg.predicted)
    training = [eg.reference for eg in read_examples(nlp, corpus / "train.spacy")]
    expected = score_relations(
        examples,
        train_facts={"train": collect_facts(training)},
        train_counts=count_types(training),
        subsets=True,
    )
    assert 0 < expected["rel_f"] <= 1
    settings = {"train_corpora": [corpus / "train.spacy"], "subsets": True}
    assert evaluate(nlp, corpus / "dev.spacy", **settings) == expected
    assert evaluate(nlp, read_examples(nlp, corpus / "dev.spacy"), **settings) == expected


def test_clusters_of_the_pipeline(nlp, corpus):
    scores = evaluate(nlp, corpus / "dev.spacy", gold_clusters=False)
    assert scores["rel_r"] == 0, "this pipeline makes no clusters"
    assert "rel_ign_f" not in scores


def test_a_training_corpus_without_facts(nlp, corpus, tmp_path):
    DocBin(docs=[nlp.make_doc("Nothing.")]).to_disk(tmp_path / "empty.spacy")
    with pytest.raises(DocreError, match=r"D085.*empty\.spacy"):
        evaluate(nlp, corpus / "dev.spacy", train_corpora=[tmp_path / "empty.spacy"])
