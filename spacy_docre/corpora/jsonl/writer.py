"""Documents in the package's own JSON Lines format."""

from typing import Any

from spacy.tokens import Doc

from ...data.clusters import DEFAULT_PREFIX, EntityCluster, get_clusters
from ...data.relation import (
    DEFAULT_ATTR,
    check_entities,
    excluded_pairs,
    get_relations,
    has_relations,
)
from ..report import ConversionReport
from ..text import OFFSETS
from ..validation import export
from .reader import KEPT


@export("JSON Lines")
def to_jsonl(
    doc: Doc,
    *,
    report: ConversionReport | None = None,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
) -> dict[str, Any]:
    """A document as a row of the JSON Lines format, which `read_jsonl` reads again. Clusters and
    mentions also carry their texts, for people.

    doc (Doc): The document.
    report (Optional[ConversionReport]): Counts what the format has no place for.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    RETURNS (dict[str, Any]): The row.
    RAISES (DocreError): If a relation names no cluster of the document.
    """
    report = report or ConversionReport()
    clusters = get_clusters(doc, prefix)
    numbers = {cluster.key: i for i, cluster in enumerate(clusters)}
    entities = {(ent.start, ent.end) for ent in doc.ents}
    row: dict[str, Any] = {"title": doc.user_data.get("title", ""), "text": doc.text}
    row |= {key: doc.user_data[key] for key in KEPT if key in doc.user_data}
    if doc.has_annotation("SENT_START"):
        row["sentences"] = [[sent.start_char, sent.end_char] for sent in doc.sents]
    row["clusters"] = [_cluster_row(cluster, entities) for cluster in clusters]
    _count_left_out(doc, clusters, entities, report)
    excluded = sorted(excluded_pairs(doc, attr=attr))
    if excluded:
        known = [(h, t) for h, t in excluded if h in numbers and t in numbers]
        row["excluded_pairs"] = [[numbers[head], numbers[tail]] for head, tail in known]
    if has_relations(doc, attr=attr):
        for relation in get_relations(doc, attr=attr):
            check_entities(relation, doc, numbers, prefix)
        row["relations"] = [
            {
                "head": numbers[relation["head"]],
                "label": relation.label,
                "tail": numbers[relation["tail"]],
                "score": relation.score,
                "evidence": [[span.start_char, span.end_char] for span in relation.evidence],
            }
            for relation in get_relations(doc, attr=attr)
        ]
    return row


def _cluster_row(cluster: EntityCluster, entities: set[tuple[int, int]]) -> dict[str, Any]:
    label, kb_id = cluster.label, cluster.kb_id
    mentions = []
    for span, name in zip(cluster.mentions, cluster.names, strict=True):
        mention: dict[str, Any] = {
            "start": span.start_char,
            "end": span.end_char,
            "named": (span.start, span.end) in entities,
            "text": span.text,
        }
        if span.label_ != label:
            mention["type"] = span.label_
        if span.kb_id_ and span.kb_id_ != kb_id:
            mention["kb_id"] = span.kb_id_
        if name != span.text:
            mention["name"] = name
        mentions.append(mention)
    row = {"type": label, "name": cluster.text, "mentions": mentions}
    return {**row, "kb_id": kb_id} if kb_id else row


def _count_left_out(
    doc: Doc,
    clusters: list[EntityCluster],
    entities: set[tuple[int, int]],
    report: ConversionReport,
) -> None:
    title = str(doc.user_data.get("title", ""))
    in_clusters = {(span.start, span.end) for cluster in clusters for span in cluster.mentions}
    report.count("entities in no cluster, skipped", title, len(entities - in_clusters))
    parts = sum(len(cluster.group) for cluster in clusters if OFFSETS in cluster.group.attrs)
    report.count("mentions written without their parts and offsets in the source", title, parts)
