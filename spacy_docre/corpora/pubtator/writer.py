"""Documents in PubTator's format."""

import re
from collections.abc import Container, Iterator
from typing import Any

from spacy.tokens import Doc

from ...data.clusters import DEFAULT_PREFIX, EntityCluster, describe, get_clusters
from ...data.relation import DEFAULT_ATTR, get_relations
from ...errors import DocreError, Errors, shortened
from ..report import ConversionReport
from ..validation import export
from .identifiers import SEPARATORS, UNKNOWN, split_identifiers
from .reader import SYMMETRIC, UNLINKED, USER_DATA

Item = tuple[int, int, str, str]


@export("PubTator")
def to_pubtator(
    doc: Doc,
    *,
    report: ConversionReport | None = None,
    symmetric: Container[str] = SYMMETRIC,
    separators: str = SEPARATORS,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
) -> str:
    """A document in PubTator's format, with a blank line after it. What `read_pubtator` has read is
    written as it was: the offsets inside tokens, the mentions of several entities, the mentions
    without an identifier and the columns beyond the usual ones. Mentions come in the order of the
    text. Other documents are divided into title and abstract after their first sentence. Tokens,
    sentences, evidence and scores have no place in the format.

    doc (Doc): The document. Its identifier is `doc.user_data["title"]`.
    report (Optional[ConversionReport]): Counts what could not be written as it is.
    symmetric (Container[str]): The relation types of which one direction is written for both.
    separators (str): The characters that join identifiers, which so cannot be part of one.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    RETURNS (str): The lines.
    RAISES (DocreError): If a relation type is a number, which would be read as an offset.
    """
    writer = _Writer(doc, report or ConversionReport(), separators, prefix, attr)
    rows = [*writer.mentions(), *writer.relations(symmetric)]
    lines = [*writer.text(), *("\t".join([writer.identifier, *row]) for row in rows)]
    return "\n".join(lines) + "\n\n"


class _Writer:
    """Writes one document."""

    def __init__(
        self, doc: Doc, report: ConversionReport, separators: str, prefix: str, attr: str
    ) -> None:
        self.doc = doc
        self.found = get_relations(doc, attr=attr)
        self.report = report
        self.separators = separators
        self.clusters = get_clusters(doc, prefix)
        self.record: dict[str, Any] = doc.user_data.get(USER_DATA, {})
        self.title = str(doc.user_data.get("title") or "")
        # At the start of a file U+FEFF would be taken for the mark of its encoding.
        self.identifier = re.sub(r"[\t\r\n|]|^\ufeff", "_", self.title)
        self._count("identifiers of documents, changed", self.identifier != self.title)
        self.related = {relation[role] for relation in self.found for role in ("head", "tail")}
        self.named = {i.strip() for row in self.record.get("left_out", ()) for i in row[1:3]}
        self.ids: dict[str, str] = {}
        self.taken: set[str] = set()
        for cluster in self.clusters:
            self.ids[cluster.key] = self._free_identifier(cluster)
            self.taken.add(self.ids[cluster.key])

    def _count(self, reason: str, n: int = 1) -> None:
        self.report.count(reason, self.title, n)

    def _free_identifier(self, cluster: EntityCluster) -> str:
        """The cluster's identifier, or its key if that cannot tell it from the others."""
        given = self._column(cluster.kb_id)
        # `read_pubtator` takes a joined identifier for one if a relation and a mention have it.
        named = cluster.key in self.related or given in self.named
        whole = named and bool(cluster.mentions) and given not in UNKNOWN
        whole = whole and given == given.strip()
        if given and not whole and split_identifiers(given, self.separators) != [given]:
            self._count("identifiers that the format cannot hold, replaced by the cluster's key")
        elif given in self.taken:
            self._count("identifiers of two clusters, one of which is named by its key")
        elif given:
            return given
        else:
            self._count("clusters without an identifier, named by their key")
        return cluster.key

    def _column(self, text: str) -> str:
        """A text that may stand in a column; characters keep their places."""
        plain = re.sub(r"[\t\r\n]", " ", text)
        self._count("texts with tabs or ends of lines, replaced by spaces", plain != text)
        return plain

    def text(self) -> Iterator[str]:
        """The lines of title and abstract."""
        text = self._column(self.doc.text)
        end = self.record.get("title_end", -1)
        if end != len(text) and text[end : end + 1] != " ":
            ends = (sent.end_char for sent in self._sentences())
            end = next((end for end in ends if text[end : end + 1] == " "), len(text))
        yield f"{self.identifier}|t|{text[:end]}"
        if end < len(text):
            yield f"{self.identifier}|a|{text[end + 1 :]}"

    def _sentences(self) -> list[Any]:
        return list(self.doc.sents) if self.doc.has_annotation("SENT_START") else []

    def mentions(self) -> list[list[str]]:
        """The columns of the lines of mentions: first those that were read and still hold, then
        what they leave of the clusters."""
        items = self._items()
        rows, written = [], set()
        for line in self.record.get("lines", ()):
            named: set[Item] = {(*line["tokens"], line["columns"][3], i) for i in line["ids"]}
            if named <= items.keys():
                rows.append(line["columns"])
                written |= named
        for item, name in items.items():
            if item in written:
                continue
            span = self.doc[item[0] : item[1]]
            self._count("spellings of mentions that differ from the text", name != span.text)
            offsets = [str(span.start_char), str(span.end_char)]
            columns = [self._column(span.text), self._column(item[2]), item[3] or "-1"]
            rows.append([*offsets, *columns])
        return sorted(rows, key=lambda row: (int(row[0]), int(row[1]), row[2:]))

    def _items(self) -> dict[Item, str]:
        """The mentions by tokens, type and identifier, with their spellings."""
        items: dict[Item, str] = {}
        for cluster in self.clusters:
            for span, name in zip(cluster.mentions, cluster.names, strict=True):
                item = (span.start, span.end, span.label_, self.ids[cluster.key])
                self._count("mentions of an entity listed twice, written once", item in items)
                items[item] = name
        for span in self.doc.spans.get(UNLINKED, ()):
            items[span.start, span.end, span.label_, ""] = span.text
        return items

    def relations(self, symmetric: Container[str]) -> Iterator[list[str]]:
        """The columns of the lines of relations."""
        extra = {tuple(row[:3]): row[3] for row in self.record.get("extra", ())}
        arguments = {tuple(row[:3]): row[3] for row in self.record.get("arguments", ())}
        written = set()
        for relation in self.found:
            head, label, tail = relation.triple
            if label.isdecimal():
                shown = {"label": shortened(label), "doc": describe(self.doc)}
                raise DocreError(Errors.D080.format(**shown))
            if head not in self.ids or tail not in self.ids:
                self._count("relations of clusters that are not there, left out")
                continue
            self._count("relations with evidence, which is left out", bool(relation["evidence"]))
            self._count("relations with a score, which is left out", relation.score != 1.0)
            if relation.triple in written or (
                label in symmetric and (tail, label, head) in written
            ):
                continue
            written.add(relation.triple)
            pair = arguments.get(relation.triple) or (self.ids[head], self.ids[tail])
            columns = [self._column(label), *pair]
            yield [*columns, *extra.get(relation.triple, ())]
        yield from self.record.get("left_out", ())
