"""What holds for every format of the registry, also for one that is added."""

import sys
from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_docre import corpora, get_clusters
from spacy_docre.corpora.formats import all_formats
from spacy_docre.corpora.report import ConversionReport
from spacy_docre.data.clusters import DEFAULT_PREFIX

from ..commands import run
from ..fuzz.checks import differences, meaning
from ..fuzz.files import generators
from ..util import birth_doc

# A format in a file of its own: a title, a tab and words on each line; no entities.
ADDED = """
from spacy.tokens import Doc

from spacy_docre.corpora.folders import write_file
from spacy_docre.corpora.formats import Format, Option


def read(path, nlp, *, report, prefix, upper=False):
    for line in path.read_text().splitlines():
        title, text = line.split("\\t")
        doc = Doc(nlp.vocab, words=(text.upper() if upper else text).split(" "))
        doc.user_data["title"] = title
        yield doc


def write(docs, path, *, report, prefix):
    def line(doc):
        report.count("entities left out", doc.user_data["title"], len(doc.spans))
        return f"{doc.user_data['title']}\\t{doc.text.rstrip()}\\n"

    return write_file(docs, path, line)


FORMAT = Format(
    "added",
    "an added format",
    "a file in an added format",
    read,
    write,
    suffix=".tsv",
    read_options=(Option("upper", bool, False, "In capitals.", flags=("--upper",)),),
)
"""


@pytest.fixture
def added(tmp_path, monkeypatch):
    folder = tmp_path / "room"
    folder.mkdir()
    (folder / "added_for_test.py").write_text(ADDED)
    monkeypatch.setattr(corpora, "__path__", [*corpora.__path__, str(folder)])
    yield
    sys.modules.pop("spacy_docre.corpora.added_for_test")


def docs():
    made = [birth_doc(spacy.blank("xx").vocab, n) for n in range(3)]
    for n, doc in enumerate(made):
        doc.user_data["title"] = f"document {n}"
    return made


def write(entry, documents, path):
    report = ConversionReport()
    assert entry.write(documents, path, report=report, prefix=DEFAULT_PREFIX) == len(documents)
    return report


def read(entry, path):
    nlp = spacy.blank("en")
    return list(entry.read(path, nlp, report=ConversionReport(), prefix=DEFAULT_PREFIX))


def mentions(doc):
    return [sorted(mention.text for mention in cluster.mentions) for cluster in get_clusters(doc)]


def content(path):
    files = [path] if path.is_file() else sorted(path.iterdir())
    return [file.read_bytes() for file in files]


def check_round_trip(entry, folder: Path):
    """What is written, read and written again is the same; what is read is what was written, but
    for what the writer reports."""
    first, second = folder / f"first{entry.suffix}", folder / f"second{entry.suffix}"
    report = write(entry, docs(), first)
    again = read(entry, first)
    write(entry, again, second)
    assert content(first) == content(second)
    if not report.counts:
        for old, new in zip(docs(), again, strict=True):
            assert not differences(meaning(old), meaning(new))


@pytest.mark.parametrize("name", [n for n, entry in all_formats().items() if entry.write])
def test_what_is_written_is_read_again(tmp_path, name):
    entry = all_formats()[name]
    if not entry.is_available:
        pytest.skip(f"needs the package {entry.package}")
    check_round_trip(entry, tmp_path)


@pytest.mark.parametrize("name", [n for n, entry in all_formats().items() if entry.write])
def test_mentions_are_written_by_their_characters_after_a_merge(tmp_path, name):
    entry = all_formats()[name]
    if not entry.is_available:
        pytest.skip(f"needs the package {entry.package}")
    documents = docs()
    for doc in documents:
        with doc.retokenize() as retokenizer:
            retokenizer.merge(doc[1:3])
    path = tmp_path / f"merged{entry.suffix}"
    write(entry, documents, path)
    for old, new in zip(docs(), read(entry, path), strict=True):
        assert mentions(new) == mentions(old)
        assert {(r.head.text, r.label, r.tail.text) for r in new._.relations} == {
            (r.head.text, r.label, r.tail.text) for r in old._.relations
        }


def test_a_file_in_the_room_of_corpora_adds_a_format(tmp_path, added):
    assert "added" in run("convert", "--help")
    assert "added" in run("export", "--help")
    assert "--upper" in run("convert", "added", "--help")
    assert "added" in generators(), "the fuzzer has files of it"
    check_round_trip(all_formats()["added"], tmp_path)
    DocBin(store_user_data=True, docs=docs()).to_disk(tmp_path / "in.spacy")
    output = run("export", "added", tmp_path / "in.spacy", tmp_path / "out.tsv")
    assert "entities left out" in output
    output = run("convert", "added", tmp_path / "out.tsv", tmp_path / "out.spacy", "--upper")
    assert "3 documents with 0 relations" in output


def test_formats_that_are_not_there_are_refused(tmp_path):
    assert "added" not in all_formats()
    assert "added" in run("convert", "added", tmp_path, tmp_path, code=2)
