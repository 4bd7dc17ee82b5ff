"""brat's standoff format: a `.txt` and an `.ann` file a document."""

from collections.abc import Collection, Iterator
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from ...data.clusters import DEFAULT_PREFIX, cluster_key, set_clusters
from ...data.relation import DEFAULT_ATTR, install_extension, set_relations
from ...errors import DocreError, Errors, shortened
from ...files import displayed
from ...files import read_text as source_text
from ..folders import corpus_files, title_of
from ..report import ConversionReport
from ..text import align_mention, keep_source, read_text
from ..validation import DocumentError
from .standoff import KINDS, Line, parse

# The attribute of a span group with what brat knows of its mentions: attributes, normalizations and
# notes, each as the number of the mention in the group (from 0), a name, and a value or text.
USER_DATA = "brat"
ARGUMENTS = ["Arg1", "Arg2"]


def read_brat(
    folder: str | Path,
    nlp: Language,
    *,
    coref_types: Collection[str] = (),
    join_ids: bool = False,
    report: ConversionReport | None = None,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
) -> Iterator[Doc]:
    """Read documents in brat's standoff format.

    Mentions that an equivalence (`*`) or a relation of one of the `coref_types` joins are one
    entity; all others are entities of their own. Relations between mentions become relations
    between their entities, with the two mentions as evidence. A discontinuous mention becomes the
    span from its first part to its last. The identifier of a normalization is the span's `kb_id_`;
    attributes, normalizations and notes of mentions are kept in the span groups' attributes.
    Events, their triggers, and all that refers to them are left out and counted in the report.

    folder (Union[str, Path]): The folder of the files, which name the documents, together with the
        subfolders that they are in. A text without an
        `.ann` file is a document without annotation.
    nlp (Language): The pipeline whose tokenizer cuts the texts.
    coref_types (Collection[str]): The types of relations that mean "the same entity".
    join_ids (bool): Whether entities with a common identifier are one.
    report (Optional[ConversionReport]): Counts what was not kept as it was.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    YIELDS (Doc): The documents, in the order of the names.
    RAISES (DocreError): If a file is malformed; names the file and the line.
    """
    install_extension(attr)
    folder, report = Path(folder), report or ConversionReport()
    files = corpus_files(folder, (".txt", ".ann"), report)
    texts = [path for path in files if path.suffix == ".txt"]
    if not texts:
        raise DocreError(
            Errors.D015.format(path=displayed(folder), reason="no file there ends in .txt")
        )
    known = set(files)
    for path in sorted(known - {path.with_suffix(".ann") for path in texts} - set(texts)):
        reason = "there is no .txt file beside it"
        raise DocreError(Errors.D015.format(path=displayed(path), reason=reason))
    for path in texts:
        text, title = source_text(path), title_of(path, folder)
        doc = read_text(text, nlp, title, "text")
        annotations = path.with_suffix(".ann")
        if annotations in known:
            try:
                lines = list(parse(source_text(annotations), text, report, title))
                _Annotation(doc, lines, coref_types, join_ids, report).apply(prefix, attr)
            except DocumentError as error:
                place = {"line": error.field, "reason": shortened(error.reason)}
                raise DocreError(Errors.D077.format(path=displayed(annotations), **place)) from None
        else:
            report.count("documents without an .ann file, not annotated", title)
        yield doc


class _Annotation:
    # The annotation of one document, on its way from lines to clusters.

    def __init__(
        self,
        doc: Doc,
        lines: list[Line],
        coref_types: Collection[str],
        join_ids: bool,
        report: ConversionReport,
    ) -> None:
        self.doc = doc
        self.report = report
        self.lines = lines
        self.coref_types = coref_types
        self.join_ids = join_ids
        self.kb_ids: dict[str, str] = {}
        for line in lines:
            if line.id.startswith("N"):
                self.kb_ids.setdefault(line.targets[0], line.value or "")
        self.mentions = self._mentions()

    def apply(self, prefix: str, attr: str) -> None:
        clusters = self._clusters()
        spans = [[self.mentions[line.id][1] for line in cluster] for cluster in clusters]
        place_of: dict[str, tuple[str, int]] = {}
        groups = set_clusters(self.doc, spans, prefix)
        for number, (group, cluster) in enumerate(zip(groups, clusters, strict=True), start=1):
            keep_source(group, [line.fragments for line in cluster])
            for i, line in enumerate(cluster):
                place_of[line.id] = (cluster_key(prefix, number), i)
        self.doc.ents = filter_spans(span for cluster in spans for span in cluster)
        self._keep_attributes(place_of)
        set_relations(self.doc, self._relations(place_of), attr=attr)

    def _count(self, reason: str) -> None:
        self.report.count(reason, self.doc.user_data["title"])

    def _mentions(self) -> dict[str, tuple[Line, Span]]:
        triggers = {line.targets[0] for line in self.lines if line.id.startswith("E")}
        mentions = {}
        for line in self.lines:
            if line.id.startswith("E"):
                self._count("events left out")
            elif line.id in triggers:
                self._count("triggers of events left out")
            elif line.id.startswith("T"):
                span = align_mention(
                    self.doc,
                    line.fragments,
                    self.report,
                    field=str(line.number),
                    label=line.type,
                    kb_id=self.kb_ids.get(line.id, ""),
                )
                if span is not None:
                    mentions[line.id] = (line, span)
        return mentions

    def _clusters(self) -> list[list[Line]]:
        # Pipelines that are only applied need no graphs, and start faster without.
        import networkx as nx

        graph = nx.Graph()
        graph.add_nodes_from(self.mentions)
        for line in self.lines:
            if line.id == "*" or self._is_coreference(line):
                members = [target for target in line.targets if target in self.mentions]
                if len(members) < len(line.targets):
                    self._count("equivalences of what is left out shortened")
                nx.add_path(graph, members)
            elif self.join_ids and line.id.startswith("N") and line.targets[0] in self.mentions:
                graph.add_edge(line.targets[0], ("identifier", line.value))
        clusters = [
            sorted((self.mentions[name][0] for name in names if name in self.mentions), key=_place)
            for names in nx.connected_components(graph)
        ]
        return sorted(clusters, key=lambda cluster: _place(cluster[0]))

    def _is_coreference(self, line: Line) -> bool:
        return line.id.startswith("R") and line.type in self.coref_types

    def _keep_attributes(self, place_of: dict[str, tuple[str, int]]) -> None:
        for line in self.lines:
            kind = line.id[0]
            if kind not in "AMN#":
                continue
            target = line.targets[0]
            if target not in place_of:
                of = "mentions that are left out" if target[0] == "T" else KINDS[target[0]]
                self._count(f"{KINDS[kind]} of {of} left out")
                continue
            key, i = place_of[target]
            row = {
                "N": [i, line.value, line.text],
                "#": [i, line.type, line.text],
            }.get(kind, [i, line.type, line.value])
            kept = self.doc.spans[key].attrs.setdefault(USER_DATA, {})
            kept.setdefault(KINDS[kind], []).append(row)

    def _relations(self, place_of: dict[str, tuple[str, int]]) -> list[dict]:
        relations: dict[tuple[str, str, str], dict[tuple[tuple[int, int], ...], None]] = {}
        for line in self.lines:
            if not line.id.startswith("R") or self._is_coreference(line):
                continue
            if not all(target in place_of for target in line.targets):
                self._count("relations of what is left out left out as well")
                continue
            if [role for role, _ in line.arguments] != ARGUMENTS:
                self._count("names of relations' arguments other than Arg1, Arg2 left out")
            (head, _), (tail, _) = (place_of[target] for target in line.targets)
            if head == tail:
                self._count("relations of an entity to itself left out")
                continue
            spans = (self.mentions[target][1] for target in line.targets)
            pair = tuple((span.start, span.end) for span in spans)
            pairs = relations.setdefault((head, line.type, tail), {})
            if pair in pairs:
                self._count("relations listed twice kept once")
            pairs[pair] = None
        return [
            {
                "head": head,
                "label": label,
                "tail": tail,
                "evidence": [offsets for pair in pairs for offsets in pair],
            }
            for (head, label, tail), pairs in relations.items()
        ]


def _place(line: Line) -> tuple[int, int, int]:
    return line.fragments[0][0], line.fragments[-1][1], line.number
