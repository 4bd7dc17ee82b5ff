"""What is done with files, and what comes out of it."""

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_docre import DocreError, get_clusters
from spacy_docre.annotation.engine import annotate
from spacy_docre.annotation.records import Failure
from spacy_docre.annotation.sources import read_records
from spacy_docre.corpora.docred import to_docred_predictions
from spacy_docre.corpora.formats import all_formats
from spacy_docre.corpora.readers import GoldClusterCorpus, read_docs
from spacy_docre.corpora.report import ConversionReport
from spacy_docre.data.clusters import DEFAULT_PREFIX
from spacy_docre.data.relation import get_relations

from .checks import (
    check,
    check_corpus_doc,
    check_saved,
    check_sum,
    differences,
    error_code,
    meaning,
    strict_warnings,
)
from .files import Case
from .pipelines import pipeline


@cache
def language(name: str) -> Language:
    """What reads a format: some give it a tokenizer of their own."""
    return spacy.blank("en")


def read(name: str, folder: Path, report: ConversionReport) -> Iterator[Doc]:
    """The documents of a case of a format in a folder."""
    if name == "spacy":
        return read_docs(folder / "in.spacy", Vocab())
    entry = all_formats()[name]
    path = folder if entry.is_folder else folder / f"in{entry.suffix}"
    return entry.read(path, language(name), report=report, prefix=DEFAULT_PREFIX)


def run_case(case: Case, folder: Path) -> Counter[str]:
    """Read a file as the package reads it, check what it makes of it, and write it again.

    case (Case): The files.
    folder (Path): An empty folder for them.
    RETURNS (Counter[str]): The outcome.
    RAISES: Whatever is a finding.
    """
    for name, data in case.files.items():
        (folder / name).write_bytes(data)
    with strict_warnings():
        try:
            if case.format == "records":
                return run_records(folder)
            report = ConversionReport()
            docs = list(read(case.format, folder, report))
            check_docs(case, docs, report)
            if case.format == "spacy":
                run_corpus(docs, folder)
            else:
                round_trip(case.format, docs, folder)
        except DocreError as error:
            check(case.counts is None, f"a valid file is refused: {error}")
            return Counter({error_code(error): 1})
    return Counter({"read" if docs else "no documents": 1})


def run_records(folder: Path) -> Counter[str]:
    """Annotate the texts of a file."""
    outcomes: Counter[str] = Counter()
    records = list(read_records([str(path) for path in folder.iterdir()]))
    for item in annotate(pipeline("text"), records):
        if isinstance(item, Failure):
            foreign = item in records or item.reason.startswith("DocreError")
            check(foreign, f"set aside for a reason of somebody else: {item.reason}")
            outcomes["set aside"] += 1
        else:
            json.dumps(item.row, allow_nan=False, ensure_ascii=False).encode("utf8")
            outcomes["annotated"] += 1
    check(sum(outcomes.values()) == len(records), "records are lost")
    return Counter({"set aside" if outcomes["set aside"] else "read": 1})


def run_corpus(docs: list[Doc], folder: Path) -> None:
    """What else reads spaCy's format, training among it, and each export."""
    n_examples = 0
    for example in GoldClusterCorpus(folder)(language("spacy")):
        check(example.reference.text == example.predicted.text, "an example of two texts")
        n_examples += 1
    check(n_examples == sum(bool(len(doc)) for doc in docs), "documents are lost in training")
    for doc in docs:
        write_all(doc)
    records = list(read_records([str(folder / "in.spacy")]))
    check(len(records) == len(docs), "read as a corpus but not as records")
    check(not any(isinstance(record, Failure) for record in records), "set aside")


def write_all(doc: Doc) -> Counter[str]:
    """A document in each format that it can be written in."""
    outcomes: Counter[str] = Counter()
    try:
        json.dumps(to_docred_predictions([doc]), allow_nan=False)
    except DocreError as error:
        outcomes[error_code(error)] += 1
    with tempfile.TemporaryDirectory() as folder:
        for name, entry in all_formats().items():
            try:
                if entry.write and entry.is_available:
                    path, report = Path(folder, name), ConversionReport()
                    entry.write([doc], path, report=report, prefix=DEFAULT_PREFIX)
                    outcomes[f"as {name}"] += 1
            except DocreError as error:
                outcomes[error_code(error)] += 1
    return outcomes


def check_docs(case: Case, docs: list[Doc], report: ConversionReport) -> None:
    """Each document by itself, and that nothing is lost."""
    for doc in docs:
        check_corpus_doc(doc, made=case.format != "spacy")
    check_saved(docs)
    if case.counts is not None:
        kept = sum(len(c.mentions) for doc in docs for c in get_clusters(doc))
        relations = sum(len(get_relations(doc)) for doc in docs)
        check(len(docs) == case.counts.documents, "documents are lost")
        check_sum("mentions", case.counts.mentions, kept, report, *LOST_MENTIONS)
        check_sum("relations", case.counts.relations, relations, report, *LOST_RELATIONS)
    elif case.format in ADDS_UP:
        ADDS_UP[case.format](case, docs, report)


LOST_MENTIONS = (
    "mentions of nothing but white space left out",
    "mentions of an entity on the same tokens as another, kept once",
    "triggers of events left out",
)
LOST_RELATIONS = (
    "relations listed twice kept once",
    "relations listed again, kept once",
    "relations of entities without mentions left out",
    "relations of an entity to itself left out",
    "relations of what is left out left out as well",
)


def _docred_adds_up(case: Case, docs: list[Doc], report: ConversionReport) -> None:
    rows = json.loads(case.files["in.json"].decode("utf-8-sig"))
    check(len(rows) == len(docs), "documents are lost")
    for row, doc in zip(rows, docs, strict=True):
        expected = [len(mentions) for mentions in row["vertexSet"]]
        check(expected == [len(c.mentions) for c in get_clusters(doc)], "mentions are lost")
        triples = {(int(r["h"]), r["r"], int(r["t"])) for r in row.get("labels") or ()}
        check(len(triples) == len(get_relations(doc)), "relations are lost")


def _jsonl_adds_up(case: Case, docs: list[Doc], report: ConversionReport) -> None:
    lines = case.files["in.jsonl"].decode("utf-8-sig").replace("\r", "\n").split("\n")
    rows = [json.loads(line) for line in lines if line.strip()]
    check(len(rows) == len(docs), "documents are lost")
    for row, doc in zip(rows, docs, strict=True):
        expected = [len(cluster["mentions"]) for cluster in row.get("clusters", ())]
        check(expected == [len(c.mentions) for c in get_clusters(doc)], "mentions are lost")
        check(len(row.get("relations") or ()) == len(get_relations(doc)), "relations are lost")


def _dwie_adds_up(case: Case, docs: list[Doc], report: ConversionReport) -> None:
    rows = [json.loads(data.decode("utf-8-sig")) for data in case.files.values()]
    kept = sum(len(c.mentions) for doc in docs for c in get_clusters(doc))
    check_sum("mentions", sum(len(row["mentions"]) for row in rows), kept, report, *LOST_MENTIONS)
    relations = sum(len(get_relations(doc)) for doc in docs)
    expected = sum(len(row.get("relations") or ()) for row in rows)
    check_sum("relations", expected, relations, report, *LOST_RELATIONS)


def _brat_adds_up(case: Case, docs: list[Doc], report: ConversionReport) -> None:
    files = [data.decode("utf-8-sig") for name, data in case.files.items() if name.endswith(".ann")]
    expected = sum(line.startswith("T") for text in files for line in text.split("\n"))
    kept = sum(len(c.mentions) for doc in docs for c in get_clusters(doc))
    check_sum("mentions", expected, kept, report, *LOST_MENTIONS)


ADDS_UP: dict[str, Callable[[Case, list[Doc], ConversionReport], None]] = {
    "docred": _docred_adds_up,
    "jsonl": _jsonl_adds_up,
    "dwie": _dwie_adds_up,
    "brat": _brat_adds_up,
}


def round_trip(name: str, docs: list[Doc], folder: Path) -> None:
    """Write documents in their own format again: read once more they are the same, but for what
    the report of the writer counts."""
    report = ConversionReport()
    entry, again = all_formats()[name], folder / "again"
    if not entry.write:
        return
    path = again if entry.is_folder else again / f"in{entry.suffix}"
    entry.write(docs, path, report=report, prefix=DEFAULT_PREFIX)
    titles = [str(doc.user_data["title"]) for doc in docs]
    if docs and not report.counts and len(set(titles)) == len(titles):
        back = {doc.user_data["title"]: doc for doc in read(name, again, ConversionReport())}
        check(len(back) == len(docs), "documents are lost when written")
        for old, new in ((doc, back[doc.user_data["title"]]) for doc in docs):
            check(
                not (changed := differences(meaning(old), meaning(new))),
                f"another when read again: {changed}",
            )
