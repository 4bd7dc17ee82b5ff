"""What annotation tools say of a text: mentions and relations between mentions, not entities.

Prodigy, Label Studio, doccano, BioC and INCEpTION differ in how they write this down, not in what
it is. Entities are made of mentions here, and mentions of entities again."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import networkx as nx
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from ..coref.entities import Entities
from ..data.clusters import DEFAULT_PREFIX, cluster_key, get_clusters, set_clusters
from ..data.relation import (
    DEFAULT_ATTR,
    check_entities,
    excluded_pairs,
    get_relations,
    has_relations,
    install_extension,
    set_relations,
)
from .formats import Option
from .placing import Claim, Placing
from .report import ConversionReport
from .text import align_mention, read_text
from .validation import DocumentError

# The type of the relations that join the mentions of an entity, when it is written.
COREFERENCE = "coreference"
ENTITY_CHOICES = ("one", "rules", "ids")
READ_OPTIONS = (
    Option(
        "entities",
        str,
        "one",
        "How mentions become entities: 'one' each, by the 'rules' of entity_clusters for names, or "
        "by their 'ids' in a knowledge base. What a type of --coref-type joins is one in any case.",
    ),
    Option(
        "coref_types",
        list[str],
        [COREFERENCE],
        "A type of relations that join mentions of one entity. Repeatable.",
        flags=("--coref-type",),
    ),
)


@dataclass
class GivenMention:
    """A mention as a tool gives it.

    id (str): What relations call it.
    start (int): Its first character.
    end (int): The character after its last.
    label (str): Its type.
    text (Optional[str]): Its text, if the tool gives it.
    kb_id (str): Its identifier in a knowledge base.
    """

    id: str
    start: int
    end: int
    label: str = ""
    text: str | None = None
    kb_id: str = ""


@dataclass
class GivenDocument:
    """A document as a tool gives it.

    title (str): Its title.
    text (str): Its text.
    mentions (list[GivenMention]): The mentions.
    relations (Optional[list[tuple[str, str, str]]]): Head, type and tail of the relations, by the
        mentions' ids; None if nobody annotated them.
    data (dict[str, Any]): What is kept in `doc.user_data`.
    """

    title: str
    text: str
    mentions: list[GivenMention] = field(default_factory=list)
    relations: list[tuple[str, str, str]] | None = None
    data: dict[str, Any] = field(default_factory=dict)


def to_doc(
    given: GivenDocument,
    nlp: Language,
    report: ConversionReport,
    *,
    entities: str = "one",
    coref_types: Collection[str] = (COREFERENCE,),
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
) -> Doc:
    """Make a document of what a tool says.

    given (GivenDocument): What it says.
    nlp (Language): The pipeline whose tokenizer cuts the text.
    report (ConversionReport): Counts what is not kept as it was.
    entities (str): How mentions become entities: "one" each, by the "rules" of `entity_clusters`
        for names, or by their "ids" in a knowledge base.
    coref_types (Collection[str]): The types of relations that mean "the same entity".
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    RETURNS (Doc): The document. A relation has the two mentions as its evidence.
    RAISES (DocumentError): If a mention is not inside the text, or a relation names none.
    """
    doc = read_text(given.text, nlp, given.title, "text")
    doc.user_data.update(given.data)
    settings: dict[str, Any] = {
        "entities": entities,
        "coref_types": coref_types,
        "prefix": prefix,
        "attr": attr,
    }
    annotate(doc, given, report, **settings)
    return doc


def annotate(
    doc: Doc,
    given: GivenDocument,
    report: ConversionReport,
    *,
    entities: str = "one",
    coref_types: Collection[str] = (COREFERENCE,),
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
) -> None:
    """Set what a tool says on a document of the same text; see `to_doc`."""
    if entities not in ENTITY_CHOICES:
        raise DocumentError("entities", f"{entities!r} is none of {', '.join(ENTITY_CHOICES)}")
    install_extension(attr)
    spans = _spans(given, doc, report)
    doc.ents = filter_spans(spans.values())
    graph = nx.Graph()
    graph.add_nodes_from(spans)
    graph.add_edges_from(_same_entity(spans, doc, entities))
    others, known = [], {mention.id for mention in given.mentions}
    for number, (head, label, tail) in enumerate(given.relations or []):
        for name in (head, tail):
            if name not in known:
                raise DocumentError(f"relations[{number}]", f"there is no mention {name!r}")
        if head not in spans or tail not in spans:
            report.count("relations of skipped mentions, skipped", given.title)
        elif label in coref_types:
            graph.add_edge(head, tail)
        else:
            others.append((head, label, tail))
    order = {name: number for number, name in enumerate(spans)}
    clusters = [sorted(names, key=order.__getitem__) for names in nx.connected_components(graph)]
    clusters.sort(key=lambda names: order[names[0]])
    set_clusters(doc, [[spans[name] for name in names] for names in clusters], prefix)
    key_of = {
        name: cluster_key(prefix, number)
        for number, names in enumerate(clusters, start=1)
        for name in names
    }
    if given.relations is not None:
        set_relations(doc, _relations(others, key_of, spans, report, given.title), attr=attr)


def _spans(given: GivenDocument, doc: Doc, report: ConversionReport) -> dict[str, Span]:
    claims = [
        Claim([(m.start, m.end)], () if m.text is None else (m.text,)) for m in given.mentions
    ]
    ends = {token.idx for token in doc}, {token.idx + len(token) for token in doc}
    placing = Placing(given.text, claims, report, given.title, ends)
    spans: dict[str, Span] = {}
    for number, (mention, claim) in enumerate(zip(given.mentions, claims, strict=True)):
        place = placing.place(claim)
        field_name = f"mention {mention.id or number}"
        if place is None:
            found = given.text[max(mention.start, 0) : max(mention.end, 0)][:60]
            reason = f"the text at {mention.start}-{mention.end} is {found!r}"
            raise DocumentError(field_name, f"{reason}, not {(mention.text or '')[:60]!r}")
        if mention.id in spans:
            raise DocumentError(field_name, "there are two of that id")
        span = align_mention(
            doc, place, report, field=field_name, label=mention.label, kb_id=mention.kb_id
        )
        if span is not None:
            spans[mention.id] = span
    return spans


def _same_entity(spans: Mapping[str, Span], doc: Doc, entities: str) -> Iterator[tuple[Any, Any]]:
    """Pairs of mentions of one entity, of those that are not one each."""
    groups: dict[Any, str] = {}
    if entities == "ids":
        for name, span in spans.items():
            if span.kb_id_:
                yield name, groups.setdefault(span.kb_id_, name)
    if entities == "rules":
        found = Entities(doc, {})
        found.join_names(lambda mention: ())
        for name, span in spans.items():
            entity = found.owner.get((span.start, span.end))
            if entity is not None:
                yield name, groups.setdefault(id(entity), name)


def _relations(
    rows: Iterable[tuple[str, str, str]],
    key_of: Mapping[str, str],
    spans: Mapping[str, Span],
    report: ConversionReport,
    title: str,
) -> list[dict[str, Any]]:
    evidence: dict[tuple[str, str, str], dict[tuple[int, int, int, int], None]] = {}
    for head, label, tail in rows:
        triple = (key_of[head], label, key_of[tail])
        if triple[0] == triple[2]:
            report.count("relations of an entity to itself, skipped", title)
            continue
        first, second = spans[head], spans[tail]
        pair = (first.start, first.end, second.start, second.end)
        pairs = evidence.setdefault(triple, {})
        report.count("relations listed twice, kept once", title, pair in pairs)
        pairs[pair] = None
    return [
        {
            "head": head,
            "label": label,
            "tail": tail,
            "evidence": [offsets for pair in pairs for offsets in (pair[:2], pair[2:])],
        }
        for (head, label, tail), pairs in evidence.items()
    ]


def from_doc(
    doc: Doc,
    report: ConversionReport,
    *,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
    has_ids: bool = False,
) -> GivenDocument:
    """What a tool is told of a document: each mention once, the mentions of an entity joined by
    relations of the type "coreference", and relations between the mentions that are their evidence,
    or else between the first ones.

    doc (Doc): The document.
    report (ConversionReport): Counts what tools have no place for.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    has_ids (bool): Whether the format has knowledge base ids.
    RETURNS (GivenDocument): The document.
    """
    title = str(doc.user_data.get("title") or "")
    given = GivenDocument(title, doc.text, relations=[])
    clusters = get_clusters(doc, prefix)
    ids: dict[str, dict[tuple[int, int], str]] = {}
    joined: list[tuple[str, str, str]] = []
    for cluster in clusters:
        names = ids.setdefault(cluster.key, {})
        # It is looked for in all mentions.
        cluster_id = cluster.kb_id
        report.count("entities without mentions, skipped", title, not cluster.mentions)
        for span in cluster.mentions:
            if (span.start, span.end) in names:
                report.count(
                    "mentions of an entity on the same tokens as another, kept once", title
                )
                continue
            name = str(len(given.mentions) + 1)
            kb_id = span.kb_id_ or cluster_id
            report.count("mentions written without their id", title, bool(kb_id) and not has_ids)
            given.mentions.append(
                GivenMention(name, span.start_char, span.end_char, span.label_, span.text, kb_id)
            )
            if names:
                joined.append((next(reversed(names.values())), COREFERENCE, name))
            names[span.start, span.end] = name
    excluded = len(excluded_pairs(doc, attr=attr))
    report.count("pairs written without being excluded", title, excluded)
    if not has_relations(doc, attr=attr):
        report.count("documents that nobody annotated, as if they had no relations", title)
    for relation in get_relations(doc, attr=attr):
        check_entities(relation, doc, ids, prefix)
        head, label, tail = relation.triple
        if not ids[head] or not ids[tail]:
            report.count("relations of entities without mentions, skipped", title)
            continue
        report.count("relations written without their score", title, relation.score != 1)
        pairs = _pairs(relation["evidence"], ids[head], ids[tail])
        if not pairs:
            report.count("relations written between the first mentions", title)
            pairs = [(next(iter(ids[head].values())), next(iter(ids[tail].values())))]
        given.relations = given.relations or []
        given.relations += [(first, label, second) for first, second in pairs]
    given.relations = joined + (given.relations or [])
    return given


def _pairs(
    evidence: Sequence[Sequence[int]],
    heads: Mapping[tuple[int, int], str],
    tails: Mapping[tuple[int, int], str],
) -> list[tuple[str, str]]:
    places = [(start, end) for start, end in evidence]
    pairs = zip(places[::2], places[1::2], strict=False)
    return [(heads[a], tails[b]) for a, b in pairs if a in heads and b in tails]
