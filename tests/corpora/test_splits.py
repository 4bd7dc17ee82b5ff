from itertools import combinations

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from spacy_docre import DocreError
from spacy_docre.corpora.readers import read_docs
from spacy_docre.corpora.splits import fold_documents, split_documents

from ..commands import run
from ..util import birth_doc

NLP = spacy.blank("en")


def documents(texts, titles=()):
    docs = [NLP.make_doc(text) for text in texts]
    for doc, title in zip(docs, titles, strict=False):
        doc.user_data["title"] = title
    return docs


def texts(parts):
    return {name: [doc.text for doc in docs] for name, docs in parts.items()}


def test_parts_have_their_shares_and_all_documents():
    docs = documents(f"text {n}" for n in range(100))
    parts = split_documents(docs, {"dev": 0.1, "test": 0.2}, seed=1)
    assert {name: len(its) for name, its in parts.items()} == {"train": 70, "dev": 10, "test": 20}
    assert sorted(map(id, docs)) == sorted(id(doc) for its in parts.values() for doc in its)


def test_a_split_depends_on_texts_and_seed_alone():
    docs = documents(f"text {n}" for n in range(30))
    shares = {"dev": 0.2, "test": 0.2}
    one = texts(split_documents(docs, shares, seed=1))
    other = texts(split_documents(docs[::-1], shares, seed=1))
    assert {name: set(its) for name, its in one.items()} == {n: set(i) for n, i in other.items()}
    assert texts(split_documents(docs, shares, seed=2)) != one


def test_copies_of_a_text_and_documents_of_one_title_stay_together():
    copies = [f"Text {n // 3}" + " " * (n % 2) for n in range(60)]
    titles = ["", "same", "same"]
    docs = documents([*copies, "a", "b", "c", "C  "], [*[""] * 60, *titles])
    for seed in range(5):
        parts = split_documents(docs, {"dev": 0.2, "test": 0.2}, seed=seed)
        found = {n: {"".join(t.split()).casefold() for t in i} for n, i in texts(parts).items()}
        assert not any(found[a] & found[b] for a, b in combinations(found, 2))
        assert any({"b", "c"} <= its for its in found.values())


def test_folds_are_of_one_size_and_hold_all_documents_once():
    docs = documents([*(f"text {n}" for n in range(20)), "text 1", "TEXT 1"])
    folds = fold_documents(docs, 3, seed=1)
    assert sorted(map(len, folds)) == [7, 7, 8]
    assert sorted(map(id, docs)) == sorted(id(doc) for fold in folds for doc in fold)
    assert sum(any(doc.text.casefold() == "text 1" for doc in fold) for fold in folds) == 1
    again = fold_documents(docs[::-1], 3, seed=1)
    assert [{doc.text for doc in f} for f in folds] == [{doc.text for doc in f} for f in again]
    with pytest.raises(DocreError, match=r"D156.*'part 2'"):
        fold_documents(docs[-2:], 2, seed=1)


@pytest.mark.parametrize("shares", [{"dev": 0.5, "test": 0.5}, {"dev": -0.1}])
def test_shares_that_leave_nothing_are_refused(shares):
    with pytest.raises(DocreError, match="D155"):
        split_documents(documents(["a"]), shares, seed=0)


def test_parts_without_documents_are_refused():
    with pytest.raises(DocreError, match=r"1 different texts.*'dev'"):
        split_documents(documents(["a"] * 10), {"dev": 0.1}, seed=0)


def test_the_command_writes_the_parts(tmp_path):
    docs = [birth_doc(NLP.vocab, n) for n in range(20)]
    DocBin(store_user_data=True, docs=docs).to_disk(tmp_path / "all.spacy")
    output = run("split", tmp_path / "all.spacy", "--dev", 0.2, "--test", 0, "-o", tmp_path / "out")
    assert "16 documents with 64 relations" in output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "dev.spacy",
        "train.spacy",
    ]
    (dev,) = [list(read_docs(tmp_path / "out" / "dev.spacy", Vocab()))]
    assert len(dev) == 4
    assert all(doc._.relations for doc in dev)
    output = run("split", tmp_path / "all.spacy", "--dev", 0.6, "--test", 0.5, code=1)
    assert "[D155]" in output
