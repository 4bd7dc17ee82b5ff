"""What `exponents.py` measures: the package's parts with the kinds of input that each may get."""

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import spacy
from inputs import DOCUMENTS, ENTITIES, FILES, SOURCES, folder_of
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_docre import render, score_relations
from spacy_docre.annotation.engine import Annotation, annotate
from spacy_docre.annotation.records import Record
from spacy_docre.annotation.sinks import Format as Output
from spacy_docre.annotation.sinks import SinkSettings, make_sinks
from spacy_docre.annotation.sources import SourceSettings, read_records
from spacy_docre.corpora.formats import Format, all_formats
from spacy_docre.corpora.jsonl import read_jsonl, to_jsonl
from spacy_docre.corpora.report import ConversionReport
from spacy_docre.data.clusters import DEFAULT_PREFIX
from spacy_docre.data.relation import DEFAULT_ATTR
from spacy_docre.scoring.clusters import score_clusters

# The table of what has kinds of its own.
OF_THEIR_OWN = "Components and commands"
# The kinds of documents that are written, too: what the others are made of.
WRITTEN = ("tokens", "mentions", "entities", "relations", "evidence")

# Makes an input of n of something in a folder, and returns what is to be timed; None if there is no
# such input.
Prepare = Callable[[int, Path], Callable[[], Any] | None]


@dataclass(frozen=True)
class Work:
    """A part of the package with a kind of input."""

    part: str
    kind: str
    prepare: Prepare
    table: str


@lru_cache(maxsize=12)
def documents(kind: str, n: int) -> list[Doc]:
    """Documents with n of something."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "in.jsonl"
        path.write_text(json.dumps(DOCUMENTS[kind](n)), encoding="utf8")
        return list(read_jsonl(path, spacy.blank("en")))


def _write(entry: Format, docs: list[Doc], path: Path) -> None:
    assert entry.write is not None
    entry.write(docs, path, report=ConversionReport(), prefix=DEFAULT_PREFIX)


def _reading(entry: Format, kind: str, n: int, folder: Path) -> Callable[[], Any] | None:
    path = folder / f"in{entry.suffix}"
    if kind in FILES.get(entry.name, {}):
        path.write_text(FILES[entry.name][kind](n), encoding="utf8")
    elif kind not in DOCUMENTS or entry.write is None:
        return None
    else:
        _write(entry, documents(kind, n), path)
    nlp = spacy.blank("en")
    settings = {"report": ConversionReport(), "prefix": DEFAULT_PREFIX}
    return lambda: list(entry.read(path, nlp, **settings))


def _writing(entry: Format, kind: str, n: int, folder: Path) -> Callable[[], Any] | None:
    if kind not in DOCUMENTS or entry.write is None:
        return None
    docs, numbers = documents(kind, n), iter(range(100))
    return lambda: _write(entry, docs, folder / f"{next(numbers)}{entry.suffix}")


def _source(kind: str, n: int, folder: Path) -> Callable[[], Any]:
    if kind in SOURCES:
        name, make = SOURCES[kind]
        path = folder / name
        path.write_text(make(n), encoding="utf8", errors="surrogateescape")
    else:
        path = folder_of(kind, n, folder)
    settings = SourceSettings(lines=path.name == "in.txt")
    return lambda: sum(1 for _ in read_records([str(path)], settings))


def _annotating(kind: str, n: int, folder: Path) -> Callable[[], Any]:
    nlp = small_pipeline()
    text = DOCUMENTS[kind](n)["text"]

    def run() -> None:
        # As for each part of a corpus: words are forgotten, so that the next run meets them anew.
        with nlp.memory_zone():
            sum(1 for _ in annotate(nlp, [Record("a", 1, "a", text)]))

    return run


@lru_cache
def small_pipeline() -> Any:
    """A pipeline whose own work is little, with relations of nothing."""
    nlp = spacy.blank("en")
    nlp.max_length = 10**8
    nlp.add_pipe("entity_clusters")
    extractor = nlp.add_pipe("doc_relation_extractor", config={"max_wordpieces": 64})
    doc = documents("relations", 4)[0]
    extractor.initialize(lambda: [Example(doc.copy(), doc)], nlp=nlp)
    return nlp


def _extracting(kind: str, n: int, folder: Path) -> Callable[[], Any]:
    extractor = small_pipeline().get_pipe("doc_relation_extractor")
    docs = documents(kind, n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lambda: list(extractor.pipe(doc.copy() for doc in docs))


def _clustering(kind: str, n: int, folder: Path) -> Callable[[], Any]:
    names, chains_of = ENTITIES[kind](n)
    nlp = spacy.blank("en")
    words = [word for part, _ in names for word in part]
    doc = Doc(nlp.vocab, words=words)
    ents, start = [], 0
    for part, label in names:
        if label:
            ents.append(Span(doc, start, start + len(part), label=label))
        start += len(part)
    doc.ents = ents
    component = nlp.add_pipe("entity_clusters")
    if chains_of is not None:
        chains = chains_of(names)
        component.chains = lambda doc: chains
    return lambda: component(doc)


def _output(output: Output, kind: str, n: int, folder: Path) -> Callable[[], Any]:
    (doc,) = documents(kind, n)
    row = {"id": "a", "source": "a", **to_jsonl(doc, prefix=DEFAULT_PREFIX), "meta": {}}
    for cluster in row["clusters"]:
        cluster["kb_id"] = ""
    for relation in row["relations"]:
        relation.setdefault("score", 1.0)
    record = Record("a", 1, "a", doc.text)
    annotation = Annotation(record, doc, row, DEFAULT_PREFIX, DEFAULT_ATTR)

    def write() -> None:
        for suffix, make in make_sinks([output], SinkSettings()).items():
            sink = make(folder / f"out{suffix}")
            sink.add(annotation)
            sink.close()

    return write


def _scoring(score: Callable, kind: str, n: int, folder: Path) -> Callable[[], Any]:
    if kind == "documents":
        (doc,) = documents("relations", 4)
        return lambda: score([Example(doc, doc)] * n)
    (doc,) = documents(kind, n)
    return lambda: score([Example(doc, doc)])


def _viewing(kind: str, n: int, folder: Path) -> Callable[[], Any]:
    docs = documents(kind, n)
    return lambda: render(docs, page=True, jupyter=False)


def all_works() -> Iterator[Work]:
    """All that is measured. The kinds come one after the other, so that a document is made once."""
    others: dict[str, tuple[Callable, tuple[str, ...]]] = {
        "`entity_clusters`": (_clustering, tuple(ENTITIES)),
        "`annotate`, its input": (
            _source,
            (*SOURCES, "files of a folder", "folders in folders"),
        ),
        "`annotate`": (
            _annotating,
            ("tokens", "sentences", "blanks", "letters of a name", "brackets", "quotes", "hyphens"),
        ),
        "`doc_relation_extractor`, beyond its limits": (
            _extracting,
            ("tokens", "sentences", "mentions", "entities"),
        ),
        "scores of relations": (
            partial(_scoring, score_relations),
            ("documents", "mentions", "entities", "relations", "relation types"),
        ),
        "scores of clusters": (
            partial(_scoring, score_clusters),
            ("documents", "mentions", "entities", "relations", "relation types"),
        ),
        "`view`": (_viewing, ("tokens", "sentences", "mentions", "entities", "relations")),
    }
    for part, (prepare, kinds) in others.items():
        for kind in kinds:
            yield Work(part, kind, partial(prepare, kind), OF_THEIR_OWN)
    formats = all_formats()
    for kind in dict.fromkeys((*DOCUMENTS, *(kind for own in FILES.values() for kind in own))):
        for name, entry in formats.items():
            yield Work(name, kind, partial(_reading, entry, kind), "Reading a corpus")
        if kind not in WRITTEN:
            continue
        for name, entry in formats.items():
            yield Work(name, kind, partial(_writing, entry, kind), "Writing a corpus")
        for output in Output:
            prepare = partial(_output, output, kind)
            yield Work(output.value, kind, prepare, "Writing what is annotated")
