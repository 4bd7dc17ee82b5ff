"""Documents and predictions in the DocRED format."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import numpy as np
from spacy.tokens import Doc

from ...data.clusters import DEFAULT_PREFIX, describe, get_clusters
from ...data.evidence import sentence_numbers
from ...data.relation import (
    DEFAULT_ATTR,
    Relation,
    check_entities,
    excluded_pairs,
    get_relations,
    has_relations,
)
from ...data.sentences import sentence_ends, sentence_of_token
from ...errors import DocreError, Errors
from ..report import ConversionReport
from ..validation import export


@export("DocRED")
def to_docred(
    doc: Doc,
    title: str,
    *,
    report: ConversionReport | None = None,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
) -> dict[str, Any]:
    """A document in the DocRED format, which `convert docred` reads again. As a mention there is
    part of one sentence, sentences that share a mention become one. The format has tokens and no
    text, so that white space between them becomes one space.

    doc (Doc): The document.
    title (str): Its title.
    report (Optional[ConversionReport]): Counts what the format has no place for.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    RETURNS (dict[str, Any]): The document. Its labels also have a `score`. A document without
        annotation has no labels.
    RAISES (DocreError): If a relation names no cluster of the document.
    """
    report = report or ConversionReport()
    clusters = get_clusters(doc, prefix)
    sentence_of = _sentences(doc, prefix)
    starts = np.searchsorted(sentence_of, np.arange(sentence_of.max(initial=-1) + 1))
    numbers = {cluster.key: number for number, cluster in enumerate(clusters)}
    entities = []
    for cluster in clusters:
        mentions = []
        for span in cluster.mentions:
            sentence = int(sentence_of[span.start])
            first = int(starts[sentence])
            mentions.append(
                {
                    "name": span.text,
                    "sent_id": sentence,
                    "pos": [span.start - first, span.end - first],
                    "type": span.label_,
                }
            )
        entities.append(mentions)
    merged = len(np.unique(sentence_of_token(doc))) - len(starts) if len(doc) else 0
    report.count("sentences joined since they share a mention", title, merged)
    linked = sum(bool(cluster.kb_id) for cluster in clusters)
    report.count("entities written without their knowledge base id", title, linked)
    report.count("pairs written without being excluded", title, len(excluded_pairs(doc, attr=attr)))
    by_sentence = groupby(doc, key=lambda token: sentence_of[token.i])
    row: dict[str, Any] = {
        "title": title,
        "sents": [[token.text for token in tokens] for _, tokens in by_sentence],
        "vertexSet": entities,
    }
    if has_relations(doc, attr=attr):
        row["labels"] = [
            {
                "r": relation.label,
                "h": numbers[relation["head"]],
                "t": numbers[relation["tail"]],
                "evidence": sorted(
                    {int(s) for start, end in relation["evidence"] for s in sentence_of[start:end]}
                ),
                "score": relation.score,
            }
            for relation in _checked(doc, numbers, prefix, attr)
        ]
    return row


def _checked(doc: Doc, numbers: Mapping[str, int], prefix: str, attr: str) -> Iterator[Relation]:
    for relation in get_relations(doc, attr=attr):
        check_entities(relation, doc, numbers, prefix)
        yield relation


def _sentences(doc: Doc, prefix: str) -> np.ndarray:
    """[T] The sentence of each token, where a mention is inside one."""
    sentence_of = sentence_of_token(doc)
    starts = np.diff(sentence_of, prepend=-1) > 0
    for cluster in get_clusters(doc, prefix):
        for span in cluster.mentions:
            starts[span.start + 1 : span.end] = False
    return np.cumsum(starts) - 1


def to_docred_predictions(
    docs: Iterable[Doc],
    *,
    relation_ids: Mapping[str, str] | None = None,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
) -> list[dict[str, Any]]:
    """The relations of documents in DocRED's submission format, as the official evaluation script
    reads it.

    docs (Iterable[Doc]): The documents.
    relation_ids (Optional[Mapping[str, str]]): Identifiers ("P19") for the relations' names; None
        writes the labels as they are.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    RETURNS (list[dict[str, Any]]): title, h_idx, t_idx, r, evidence (the numbers of sentences) and
        score, for each relation.
    RAISES (DocreError): If a label has no identifier, or a relation names no cluster.
    """
    rows = []
    for doc in docs:
        ends = sentence_ends(doc)
        keys = {cluster.key for cluster in get_clusters(doc, prefix)}
        for relation in get_relations(doc, attr=attr):
            check_entities(relation, doc, keys, prefix)
            head, label, tail = relation.triple
            if relation_ids is not None and label not in relation_ids:
                raise DocreError(Errors.D018.format(label=label, doc=describe(doc)))
            rows.append(
                {
                    "title": doc.user_data.get("title", ""),
                    "h_idx": _entity_index(head, prefix),
                    "t_idx": _entity_index(tail, prefix),
                    "r": label if relation_ids is None else relation_ids[label],
                    "evidence": sentence_numbers(relation, ends),
                    "score": relation.score,
                }
            )
    return rows


def _entity_index(key: str, prefix: str) -> int:
    return int(key.removeprefix(f"{prefix}_")) - 1
