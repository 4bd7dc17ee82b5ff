"""Checks of a corpus in spaCy's format."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from spacy.tokens import Doc

from ..data.clusters import DEFAULT_PREFIX, describe, get_clusters
from ..data.labels import means_no_relation
from ..data.relation import DEFAULT_ATTR, get_relations, has_relations
from ..errors import enumerate_words


@dataclass
class CorpusReport:
    """What a corpus holds, and what is wrong with it.

    counts (Counter): documents, sentences, tokens, clusters, mentions, pairs, relations, and
        relations of entities without a common sentence.
    labels (Counter): How often each relation type occurs.
    entity_types (Counter): How many clusters have each entity type.
    errors (list[str]): What training cannot use.
    warnings (list[str]): What is odd but harmless.
    """

    counts: Counter = field(default_factory=Counter)
    labels: Counter = field(default_factory=Counter)
    entity_types: Counter = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check_corpus(
    docs: Iterable[Doc], *, prefix: str = DEFAULT_PREFIX, attr: str = DEFAULT_ATTR
) -> CorpusReport:
    """Count what a corpus holds and look for broken annotation.

    docs (Iterable[Doc]): The documents.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    RETURNS (CorpusReport): The findings.
    """
    report = CorpusReport()
    titles: Counter = Counter()
    texts: dict[int, str] = {}
    for doc in docs:
        title = doc.user_data.get("title")
        titles.update([title] if title else [])
        text, name = hash(doc.text), describe(doc)
        if text in texts:
            report.warnings.append(f"{name} has the text of {texts[text]}")
        texts.setdefault(text, name)
        report.counts["documents"] += 1
        report.counts["tokens"] += len(doc)
        if doc.has_annotation("SENT_START"):
            report.counts["sentences"] += len(list(doc.sents))
        else:
            report.warnings.append(f"{describe(doc)} has no sentence boundaries")
        sentences = _check_clusters(report, doc, prefix)
        if has_relations(doc, attr=attr):
            _check_relations(report, doc, sentences, attr)
        else:
            report.warnings.append(
                f"{describe(doc)} has no `doc._.{attr}`: it is left out of training"
            )
    report.warnings += _similar("relation types", report.labels)
    report.warnings += _similar("entity types", report.entity_types)
    report.warnings += [
        f"the relation type '{label}' ({count} relations) is what other data call no relation: "
        "pairs without a relation need no type"
        for label, count in report.labels.items()
        if means_no_relation(label)
    ]
    for title, count in titles.items():
        if count > 1:
            report.warnings.append(f"{count} documents have the title '{title}'")
    return report


def _similar(what: str, names: Iterable[str]) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(" ".join(name.casefold().split()), []).append(name)
    for similar in groups.values():
        if len(similar) > 1:
            listed = enumerate_words(list(map(repr, similar)))
            yield f"the {what} {listed} differ in case or blanks alone: is one type meant?"


def _check_clusters(report: CorpusReport, doc: Doc, prefix: str) -> dict[str, set[int]]:
    sentences: dict[str, set[int]] = {}
    clusters = get_clusters(doc, prefix)
    owner: dict[tuple[int, int], str] = {}
    for cluster in clusters:
        report.counts["clusters"] += 1
        report.counts["mentions"] += len(cluster.group)
        report.entity_types[cluster.label or "(none)"] += 1
        sentences[cluster.key], places = set(), set[tuple[int, int]]()
        if not len(cluster.group):
            report.warnings.append(f"{describe(doc)}: the cluster {cluster.key} has no mentions")
        if len({span.label_ for span in cluster.mentions}) > 1:
            report.warnings.append(
                f"{describe(doc)}: the mentions of {cluster.key} ('{cluster.text}') differ in type"
            )
        for span in cluster.mentions:
            _check_mention(report, doc, cluster.key, (span.start, span.end))
            place = span.start, span.end
            if place in places:
                report.warnings.append(
                    f"{describe(doc)}: '{span.text}' ({span.start}-{span.end}) is listed twice in "
                    f"{cluster.key}"
                )
            places.add(place)
            if owner.setdefault((span.start, span.end), cluster.key) != cluster.key:
                report.warnings.append(
                    f"{describe(doc)}: '{span.text}' ({span.start}-{span.end}) is a mention of "
                    f"both {owner[span.start, span.end]} and {cluster.key}"
                )
            if doc.has_annotation("SENT_START") and span.end > span.start:
                sentences[cluster.key].add(span.sent.start)
    n_entities = sum(bool(len(cluster.group)) for cluster in clusters)
    report.counts["pairs"] += n_entities * (n_entities - 1)
    if not clusters:
        report.warnings.append(f"{describe(doc)} has no `doc.spans['{prefix}_1']`")
    return sentences


def _check_mention(report: CorpusReport, doc: Doc, key: str, offsets: tuple[int, int]) -> None:
    start, end = offsets
    if not 0 <= start < end <= len(doc):
        report.errors.append(f"{describe(doc)}: a mention of {key} has the tokens {start}-{end}")


def _check_relations(
    report: CorpusReport, doc: Doc, sentences: dict[str, set[int]], attr: str
) -> None:
    seen = set()
    for relation in get_relations(doc, attr=attr):
        head, label, tail = relation.triple
        name = f"{describe(doc)}: the relation ({head}, {label}, {tail})"
        report.counts["relations"] += 1
        report.labels[label] += 1
        if not label.strip():
            report.errors.append(f"{name} has a type without a name")
        missing = [key for key in (head, tail) if key not in sentences]
        report.errors += [f"{name} names the missing cluster {key}" for key in missing]
        for start, end in relation["evidence"]:
            if not 0 <= start < end <= len(doc):
                report.errors.append(f"{name} has evidence at the tokens {start}-{end}")
        if head == tail:
            report.warnings.append(f"{name} joins an entity with itself and cannot be predicted")
        if relation.triple in seen:
            report.warnings.append(f"{name} is listed twice")
        seen.add(relation.triple)
        if not missing and not sentences[head] & sentences[tail]:
            report.counts["inter-sentence relations"] += 1
