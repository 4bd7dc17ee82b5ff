"""What must hold of every outcome, whatever the input."""

import json
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from spacy_docre import DocreError, get_clusters
from spacy_docre.corpora.report import ConversionReport
from spacy_docre.data.relation import get_relations, has_relations
from spacy_docre.errors import printable

MAX_SECONDS = 60


class WrongOutcomeError(AssertionError):
    """An outcome that is neither a right result nor one of the package's own errors."""


def check(holds: object, what: str) -> None:
    if not holds:
        raise WrongOutcomeError(what)


@contextmanager
def strict_warnings() -> Iterator[None]:
    """Numerical warnings (a division by zero, an overflow) are errors, and so is the package's own
    of a batch that failed though each of its documents does not; its others are part of the
    outcome."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RuntimeWarning)
        warnings.filterwarnings("error", message=r"\[DW23\]")
        yield


def error_code(error: DocreError) -> str:
    """The code of the message, such as D014."""
    message = str(error)
    check(message.startswith("[D"), f"an error without a code: {message[:200]}")
    check(len(message) < 3000, f"an error message of {len(message)} characters")
    check(printable(message) == message, f"it can steer a terminal: {message}")
    return message[1 : message.index("]")]


def check_relations(doc: Doc, labels: tuple[str, ...]) -> None:
    """The relations that an extractor sets: between two entities with mentions, each triple once,
    best first, with a probability and evidence inside the document."""
    check(has_relations(doc), "no relations were set, not even none")
    keys = {cluster.key for cluster in get_clusters(doc) if cluster.mentions}
    relations = get_relations(doc)
    seen = set()
    for relation in relations:
        head, label, tail = relation.triple
        check(head in keys and tail in keys, f"{relation} names no entity with mentions")
        check(head != tail, f"{relation} joins an entity with itself")
        check(label in labels, f"{relation} is of no known type")
        check(0 <= relation.score <= 1, f"{relation} has no probability")
        check(relation.triple not in seen, f"{relation} is there twice")
        check(relation.head.key == head and relation.tail.key == tail, "head or tail not found")
        seen.add(relation.triple)
        for start, end in relation["evidence"]:
            check(0 <= start < end <= len(doc), f"evidence {start}-{end} is outside the document")
    scores = [relation.score for relation in relations]
    check(scores == sorted(scores, reverse=True), "relations are not sorted by score")


def check_same_scores(batched: Any, single: Any) -> None:
    """The scores of a document in a batch and alone."""
    check(batched.keys == single.keys, "other entities in a batch than alone")
    check(np.isfinite(batched.scores).all(), "a score is not finite")
    for name in ("pair_head", "pair_tail"):
        same = np.array_equal(getattr(batched, name), getattr(single, name))
        check(same, "other pairs in a batch than alone")
    difference = np.abs(batched.scores - single.scores).max(initial=0.0)
    check(difference < 1e-4, f"scores in a batch and alone differ by {difference}")


def content(doc: Doc) -> dict[str, Any]:
    """What a document holds, to compare."""
    return {
        "text": doc.text,
        "tokens": [token.text for token in doc],
        "starts": doc.to_array("SENT_START").tolist(),
        "ents": [(ent.start, ent.end, ent.label_, ent.kb_id_) for ent in doc.ents],
        "groups": {
            key: [(span.start, span.end, span.label_, span.kb_id_) for span in group]
            for key, group in doc.spans.items()
        },
        "attrs": {key: json.dumps(group.attrs) for key, group in doc.spans.items()},
        "title": doc.user_data.get("title"),
        "annotated": has_relations(doc),
    }


def meaning(doc: Doc) -> dict[str, Any]:
    """What a document says, however its entities are numbered and their mentions sorted."""
    cluster_of = {
        cluster.key: (
            cluster.kb_id,
            sorted((span.start, span.end, span.label_) for span in cluster.mentions),
        )
        for cluster in get_clusters(doc)
    }
    same = ("text", "tokens", "starts", "title", "annotated")
    return {
        **{name: value for name, value in content(doc).items() if name in same},
        "clusters": sorted(cluster_of.values()),
        "relations": sorted(
            (cluster_of[relation["head"]], relation.label, cluster_of[relation["tail"]])
            for relation in get_relations(doc)
        ),
    }


def differences(one: dict[str, Any], other: dict[str, Any]) -> str:
    """Where two such descriptions differ; nothing if they are the same."""
    pairs = {name: (one[name], other[name]) for name in one}
    return ", ".join(f"{name}: {a!r} is {b!r}" for name, (a, b) in pairs.items() if a != b)[:1000]


def check_corpus_doc(doc: Doc, *, made: bool) -> None:
    """A document of a file: nothing in it points outside. What was not made by a converter but
    saved by somebody can have empty mentions and relations of clusters that are not there:
    `debug-data` tells them, and training refuses them."""
    for key, group in doc.spans.items():
        for span in group:
            check(0 <= span.start <= span.end <= len(doc), f"{key} has a mention outside")
            check(span.start < span.end or not made, f"{key} has a mention of no token")
    for relation in get_relations(doc):
        for key in (relation["head"], relation["tail"]):
            check(key in doc.spans or not made, f"{relation} names no cluster")
        check(0 <= relation.score <= 1, f"{relation} has no probability")
        for start, end in relation["evidence"]:
            check(0 <= start < end <= len(doc) or not made, f"{relation} has evidence outside")


def check_saved(docs: list[Doc]) -> None:
    """Documents that are saved and read again are the same."""
    data = DocBin(docs=docs, store_user_data=True).to_bytes()
    for doc, again in zip(docs, DocBin().from_bytes(data).get_docs(Vocab()), strict=True):
        changed = differences(content(doc), content(again))
        check(not changed, f"another when saved and read: {changed}")
        check(get_relations(doc) == get_relations(again), "other relations when saved and read")


def check_sum(what: str, expected: int, kept: int, report: ConversionReport, *reasons: str) -> None:
    """What a file holds of something is what was kept and what the report counts."""
    counted = sum(report.counts[reason] for reason in reasons)
    check(
        expected == kept + counted,
        f"{expected} {what} in the file, {kept} in the documents, {counted} in the report",
    )


@contextmanager
def limited() -> Iterator[None]:
    """What takes more than a minute of CPU time has failed: a busy machine is no fault of an
    input."""
    if not hasattr(signal, "setitimer"):  # Windows
        yield
        return

    def late(*_: Any) -> None:
        raise TimeoutError(f"more than {MAX_SECONDS} s of CPU time")

    signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, MAX_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
