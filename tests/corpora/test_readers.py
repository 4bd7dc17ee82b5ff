import os
import random

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.util import registry

from spacy_docre import DocreError, get_clusters, has_relations
from spacy_docre.corpora.checks import check_corpus
from spacy_docre.corpora.readers import GoldClusterCorpus, read_docs

from ..util import birth_doc, make_doc


@pytest.fixture
def corpus_path(tmp_path):
    nlp = spacy.blank("xx")
    docs = [birth_doc(nlp.vocab, n) for n in range(5)]
    DocBin(store_user_data=True, docs=docs).to_disk(tmp_path / "corpus.spacy")
    return tmp_path / "corpus.spacy"


def test_predicted_documents_have_clusters_and_sentences_but_no_relations(corpus_path):
    create = registry.readers.get("spacy-docre.GoldClusterCorpus.v1")
    examples = list(create(corpus_path)(spacy.blank("xx")))
    assert len(examples) == 5
    for eg in examples:
        assert len(eg.reference._.relations) == 4
        assert not has_relations(eg.predicted)
        for a, b in zip(get_clusters(eg.predicted), get_clusters(eg.reference), strict=True):
            assert [(m.start, m.end, m.label_) for m in a.mentions] == [
                (m.start, m.end, m.label_) for m in b.mentions
            ]
        assert [s.start for s in eg.predicted.sents] == [s.start for s in eg.reference.sents]


def test_predicted_documents_are_tokenised_by_the_pipeline(tmp_path):
    nlp = spacy.blank("xx")
    doc = Doc(nlp.vocab, words=["Ann", "left", "Rome."], spaces=[True, True, False])
    doc.spans["entity_clusters_1"] = [doc[2:3]]
    DocBin(store_user_data=True, docs=[doc]).to_disk(tmp_path / "c.spacy")
    (eg,) = GoldClusterCorpus(tmp_path / "c.spacy")(nlp)
    assert [token.text for token in eg.predicted] == ["Ann", "left", "Rome", "."]
    assert get_clusters(eg.predicted)[0].text == "Rome."


def test_limit(corpus_path):
    assert len(list(GoldClusterCorpus(corpus_path, limit=2)(spacy.blank("xx")))) == 2


def test_documents_that_are_too_long_are_left_out_whole(tmp_path):
    nlp = spacy.blank("xx")
    docs = [birth_doc(nlp.vocab, 0), make_doc(nlp.vocab, ["a"] * 9, [[(0, 1)]])]
    n_tokens = len(docs[0])
    assert n_tokens > 9
    DocBin(store_user_data=True, docs=docs).to_disk(tmp_path / "c.spacy")
    for longest, lengths in ((0, [n_tokens, 9]), (n_tokens, [n_tokens, 9]), (n_tokens - 1, [9])):
        corpus = GoldClusterCorpus(tmp_path / "c.spacy", max_length=longest)
        assert [len(eg.reference) for eg in corpus(nlp)] == lengths


def test_file_that_is_not_a_corpus(tmp_path):
    (tmp_path / "x.spacy").write_bytes(b"nothing of the kind")
    with pytest.raises(DocreError, match=r"x\.spacy"):
        list(read_docs(tmp_path / "x.spacy", spacy.blank("xx").vocab))


@pytest.mark.skipif(os.name == "nt", reason="Windows has other kinds of files")
def test_links_and_pipes_in_a_folder_are_skipped(corpus_path):
    folder, nlp = corpus_path.parent, spacy.blank("xx")
    # A pipe would be waited for, and two links to the folder be followed for ever.
    os.mkfifo(folder / "a.spacy")
    for name in ("b.spacy", "loop", "other loop"):
        (folder / name).symlink_to("." if "loop" in name else corpus_path)
    with pytest.warns(UserWarning, match=r"DW60.*3 links, 1 pipes"):
        assert len(list(GoldClusterCorpus(folder)(nlp))) == 5
    with pytest.warns(UserWarning, match=r"DW60.*3 links, 1 pipes"):
        assert len(list(read_docs(folder, nlp.vocab))) == 5


def test_a_folder_that_cannot_be_read_is_an_error(corpus_path, monkeypatch):
    monkeypatch.setattr("spacy_docre.files.folders.MAX_DEPTH", 1)
    (corpus_path.parent / "a" / "b").mkdir(parents=True)
    with pytest.raises(OSError, match="too long"):
        list(read_docs(corpus_path.parent, spacy.blank("xx").vocab))


def test_documents_are_shuffled_and_augmented(corpus_path):
    nlp = spacy.blank("xx")
    texts = [eg.text for eg in GoldClusterCorpus(corpus_path)(nlp)]
    random.seed(1)
    twice = GoldClusterCorpus(corpus_path, shuffle=True, augmenter=lambda nlp, eg: [eg, eg])
    found = [eg.text for eg in twice(nlp)]
    assert found[::2] == found[1::2]
    assert sorted(found[::2]) == sorted(texts)
    assert found[::2] != texts


def test_checks_count_and_find_what_is_broken():
    vocab = spacy.blank("xx").vocab
    good = birth_doc(vocab, 0)
    bad = make_doc(
        vocab,
        ["a", "b", "c"],
        [[(0, 1)], [(0, 1), (1, 2)], []],
        relations=[(0, "x", 7), (0, "x", 0), (0, "x", 1), (0, "x", 1)],
    )
    bad._.relations = [*bad._.relations, {**bad._.relations[2], "label": "y", "evidence": [(2, 9)]}]
    unannotated = Doc(vocab, words=["a", "b"])
    for doc in (good, bad):
        doc.user_data["title"] = "Same"
    report = check_corpus([good, bad, unannotated])
    assert report.counts["documents"] == 3
    assert report.counts["clusters"] == 8
    assert report.counts["mentions"] == 7 + 3
    assert report.counts["pairs"] == 20 + 2
    assert report.counts["inter-sentence relations"] == 0
    assert report.labels == {"born": 2, "died": 2, "x": 4, "y": 1}
    assert report.entity_types == {"PERSON": 2, "GPE": 3, "THING": 2, "(none)": 1}
    errors, problems = "\n".join(report.errors), "\n".join(report.warnings)
    assert len(report.errors) == 2
    assert "missing cluster entity_clusters_8" in errors
    assert "evidence at the tokens 2-9" in errors
    for text in (
        "entity_clusters_3 has no mentions",
        "is a mention of both",
        "joins an entity with itself",
        "is listed twice",
        "no sentence boundaries",
        "left out of training",
        "2 documents have the title 'Same'",
    ):
        assert text in problems
