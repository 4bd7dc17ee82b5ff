"""Documents as files of DWIE."""

from typing import Any

from spacy.tokens import Doc

from ...data.clusters import DEFAULT_PREFIX, EntityCluster, get_clusters
from ...data.relation import DEFAULT_ATTR, check_clusters, get_relations, has_relations
from ..report import ConversionReport
from ..text import source_offsets
from ..validation import export
from .reader import TYPE_TAG, USER_DATA, entity_type


@export("DWIE")
def to_dwie(
    doc: Doc,
    *,
    report: ConversionReport | None = None,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
) -> dict[str, Any]:
    """A document as a file of DWIE, which `read_dwie` reads again. Its entities are numbered anew,
    from 0, since programs that read DWIE look them up by their places.

    doc (Doc): The document. Its title is the id.
    report (Optional[ConversionReport]): Counts what the format has no place for.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    RETURNS (dict[str, Any]): The file's content.
    """
    report = report or ConversionReport()
    clusters = get_clusters(doc, prefix)
    title = doc.user_data.get("title", "")
    row: dict[str, Any] = {
        "id": title,
        "content": doc.text,
        **{key: list(doc.user_data.get(USER_DATA, {}).get(key, ())) for key in ("tags", "iptc")},
        "mentions": _mention_rows(doc, clusters, report),
        "concepts": [_concept_row(number, cluster) for number, cluster in enumerate(clusters)],
        "frames": [],
    }
    changed = sum(
        entity_type(concept["tags"]) != cluster.label
        for concept, cluster in zip(row["concepts"], clusters, strict=True)
    )
    report.count("entities of types that DWIE does not have, read again as another", title, changed)
    if has_relations(doc, attr=attr):
        numbers = {cluster.key: number for number, cluster in enumerate(clusters)}
        row["relations"] = []
        for relation in get_relations(doc, attr=attr):
            check_clusters(relation, doc)
            head, label, tail = relation.triple
            row["relations"].append({"s": numbers[head], "p": label, "o": numbers[tail]})
            report.count(
                "relations written without their evidence", title, bool(relation["evidence"])
            )
            report.count("relations written without their score", title, relation.score != 1)
    return row


def _mention_rows(
    doc: Doc, clusters: list[EntityCluster], report: ConversionReport
) -> list[dict[str, Any]]:
    title, whole = doc.user_data.get("title", ""), doc.text
    rows = []
    for number, cluster in enumerate(clusters):
        label = cluster.label
        for span, parts in zip(cluster.mentions, source_offsets(cluster.group), strict=True):
            begin, end = parts[0][0], parts[-1][1]
            text = whole[begin:end]
            rows.append({"begin": begin, "end": end, "text": text, "concept": number})
            report.count("discontinuous mentions filled", title, len(parts) > 1)
            report.count("mentions written with their entity's type", title, span.label_ != label)
    return sorted(rows, key=lambda row: (row["begin"], row["end"]))


def _concept_row(number: int, cluster: EntityCluster) -> dict[str, Any]:
    attrs = cluster.group.attrs
    kb_ids = (span.kb_id_ for span in cluster.mentions if span.kb_id_)
    link = attrs["link"] if "link" in attrs else next(kb_ids, None)
    return {
        "concept": number,
        "text": cluster.text,
        "keyword": attrs.get("keyword", False),
        "count": len(cluster.group),
        **({"link": link} if "link" in attrs or link else {}),
        "tags": list(attrs.get("tags") or [TYPE_TAG + cluster.label]),
    }
