"""Documents in brat's standoff format."""

import re
from collections import Counter

from spacy.tokens import Doc

from ...data.clusters import DEFAULT_PREFIX, EntityCluster, get_clusters
from ...data.relation import DEFAULT_ATTR, Relation, check_clusters, get_relations, has_relations
from ..report import ConversionReport
from ..text import source_offsets
from ..validation import export
from .reader import USER_DATA
from .standoff import LINE_ENDS, cut_lines, join_lines

LINE_END = re.compile(f"[{LINE_ENDS}]+")
# What is written where brat needs a name and there is none.
NO_TYPE = "Entity"
NO_BASE = "KB"


@export("brat's standoff")
def to_brat(
    doc: Doc,
    *,
    report: ConversionReport | None = None,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
) -> str:
    """The annotation of a document as brat's `.ann` file, which `read_brat` reads again beside
    `doc.text`. Mentions of one entity are joined by an equivalence; a relation is written between
    the pairs of mentions that are its evidence, or else between the first mentions.

    doc (Doc): The document.
    report (Optional[ConversionReport]): Counts what the format has no place for.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    RETURNS (str): The file.
    """
    return _Writer(doc, report or ConversionReport(), prefix).write(attr)


class _Writer:
    # The lines of one document.

    def __init__(self, doc: Doc, report: ConversionReport, prefix: str) -> None:
        self.doc = doc
        self.text = doc.text
        self.report = report
        self.clusters = get_clusters(doc, prefix)
        self.lines: list[str] = []
        self.numbers: Counter[str] = Counter()
        # For each cluster the identifiers of its mentions, by their numbers in the group.
        self.ids: dict[str, dict[int, str]] = {cluster.key: {} for cluster in self.clusters}

    def write(self, attr: str) -> str:
        self._write_mentions()
        for cluster in self.clusters:
            ids = self.ids[cluster.key]
            if not ids:
                self._count("entities without mentions left out")
            if len(ids) > 1:
                self.lines.append(f"*\tEquiv {' '.join(ids.values())}")
            self._write_attributes(cluster)
        if not has_relations(self.doc, attr=attr):
            self._count("documents that nobody annotated, as if they had no relations")
        for relation in get_relations(self.doc, attr=attr):
            check_clusters(relation, self.doc)
            self._write_relation(relation)
        return "".join(f"{line}\n" for line in self.lines)

    def _count(self, reason: str) -> None:
        self.report.count(reason, self.doc.user_data.get("title", ""))

    def _add(self, kind: str, data: str, text: str = "") -> str:
        self.numbers[kind] += 1
        line_id = f"{kind}{self.numbers[kind]}"
        line = f"{line_id}\t{data}\t{text}" if text else f"{line_id}\t{data}"
        # What names and texts hold is somebody else's.
        self.lines.append(LINE_END.sub(" ", line))
        return line_id

    def _name(self, name: str, otherwise: str) -> str:
        safe = "_".join(name.split()) or otherwise
        if safe != name:
            self._count("names without white space, which brat's cannot have")
        return safe

    def _write_mentions(self) -> None:
        rows = []
        for number, cluster in enumerate(self.clusters):
            offsets = source_offsets(cluster.group)
            for i, (span, parts) in enumerate(zip(cluster.mentions, offsets, strict=True)):
                rows.append((parts[0][0], parts[-1][1], number, i, span.label_, parts))
        for *_, number, i, label, parts in sorted(rows):
            lines = cut_lines(parts, self.text)
            text = " ".join(self.text[start:end] for start, end in lines)
            if not text.strip():
                self._count("mentions of nothing but white space left out")
                continue
            if join_lines(lines, self.text) != parts:
                self._count("mentions without the line ends at their ends")
            places = ";".join(f"{start} {end}" for start, end in lines)
            data = f"{self._name(label, NO_TYPE)} {places}"
            self.ids[self.clusters[number].key][i] = self._add("T", data, text)

    def _write_attributes(self, cluster: EntityCluster) -> None:
        known = cluster.group.attrs.get(USER_DATA, {})
        ids = self.ids[cluster.key]
        for i, span in enumerate(cluster.mentions):
            if i not in ids:
                continue
            kept = [(value, text) for n, value, text in known.get("normalizations", []) if n == i]
            if span.kb_id_ and span.kb_id_ not in [value for value, _ in kept]:
                kept = [(span.kb_id_, span.text)]
            for value, text in kept:
                name = self._name(value, NO_TYPE)
                if ":" not in name:
                    self._count(f"identifiers of no knowledge base, written as {NO_BASE}:...")
                    name = f"{NO_BASE}:{name}"
                self._add("N", f"Reference {ids[i]} {name}", text)
        for i, name, value in known.get("attributes", []):
            if i in ids:
                self._add("A", " ".join(filter(None, (name, ids[i], value))))
        for i, name, text in known.get("notes", []):
            if i in ids:
                self._add("#", f"{name} {ids[i]}", text)

    def _write_relation(self, relation: Relation) -> None:
        head, label, tail = relation.triple
        if not self.ids[head] or not self.ids[tail]:
            self._count("relations of entities without mentions left out")
            return
        evidence = [tuple(offsets) for offsets in relation["evidence"]]
        ids = (
            (self._mention_at(head, first), self._mention_at(tail, second))
            for first, second in zip(evidence[::2], evidence[1::2], strict=False)
        )
        pairs = [(first, second) for first, second in ids if first and second]
        if 2 * len(pairs) < len(evidence):
            self._count("relations written without all of their evidence")
        if not pairs:
            self._count("relations written between the first mentions")
            pairs = [(next(iter(self.ids[head].values())), next(iter(self.ids[tail].values())))]
        if relation.score != 1:
            self._count("relations written without their score")
        for first, second in pairs:
            self._add("R", f"{self._name(label, NO_TYPE)} Arg1:{first} Arg2:{second}")

    def _mention_at(self, key: str, offsets: tuple[int, ...]) -> str | None:
        spans = enumerate(EntityCluster(key, self.doc.spans[key]).mentions)
        ids = (self.ids[key].get(i) for i, span in spans if (span.start, span.end) == offsets)
        return next(filter(None, ids), None)
