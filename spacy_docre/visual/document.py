"""A document as its pictures need it: plain values, in the order in which they are drawn."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from spacy.tokens import Doc

from ..data.clusters import DEFAULT_PREFIX, EntityCluster, describe, get_clusters
from ..data.relation import DEFAULT_ATTR, Relation, get_relations
from ..errors import DocreError, Errors
from .colours import cluster_colour
from .segments import Offsets, Segment, cut, lanes

# Characters that no reader sees and that can reorder or hide what stands around them become
# visible: control characters as their pictures, controls of writing direction as U+FFFD. Each stays
# one character, so that offsets hold. Line breaks and tabs are shown as such.
_CONTROLS = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n\r"}
_DIRECTIONS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)
# Halves of characters, which JSON and file names can hold, cannot be written at all.
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), 0xFFFD)
_VISIBLE = {**_CONTROLS, 0x7F: 0x2421, **_DIRECTIONS, **_SURROGATES}


@dataclass(frozen=True)
class ClusterView:
    """An entity cluster.

    number (int): Its place among those of the document, from 0.
    name (str): Its canonical name.
    type (str): Its type; may be empty.
    n_mentions (int): How many mentions it has.
    """

    number: int
    name: str
    type: str
    n_mentions: int

    @property
    def colour(self) -> str:
        """The cluster's colour, as "#rrggbb"."""
        return cluster_colour(self.number)

    @property
    def title(self) -> str:
        """Name and type in one line."""
        return f"{self.name} ({self.type})" if self.type else self.name


@dataclass(frozen=True)
class RelationView:
    """A relation.

    number (int): Its place among those of the document by score, from 0.
    head (ClusterView): The cluster that it starts from.
    tail (ClusterView): The cluster that it points to.
    label (str): Its type.
    label_number (int): The number of the type among `DocumentView.labels`.
    score (float): The confidence.
    evidence (tuple[int, ...]): The numbers of the evidence spans.
    """

    number: int
    head: ClusterView
    tail: ClusterView
    label: str
    label_number: int
    score: float
    evidence: tuple[int, ...]


@dataclass(frozen=True)
class Mark:
    """A mention, where it covers a piece of the text.

    mention (int): The number of the mention.
    cluster (ClusterView): Its cluster.
    lane (int): Its lane below the line.
    is_first (bool): Whether the mention begins with this piece.
    is_last (bool): Whether it ends with it.
    """

    mention: int
    cluster: ClusterView
    lane: int
    is_first: bool
    is_last: bool


@dataclass(frozen=True)
class Piece:
    """A piece of the text in which no mention or evidence begins or ends.

    text (str): The text.
    evidence (list[int]): The numbers of the evidence spans that cover it.
    marks (list[Mark]): The mentions that cover it, the outermost first.
    """

    text: str
    evidence: list[int]
    marks: list[Mark]


@dataclass(frozen=True)
class DocumentView:
    """A document with its clusters and relations.

    title (str): The document's title; may be empty.
    lang (str): The code of its language.
    pieces (list[Piece]): The text.
    clusters (list[ClusterView]): The clusters that have mentions.
    relations (list[RelationView]): The relations, best first.
    labels (list[tuple[str, int]]): The relation types, sorted, and how many relations each has.
    n_lanes (int): How many lanes the mentions take.
    """

    title: str
    lang: str
    pieces: list[Piece]
    clusters: list[ClusterView]
    relations: list[RelationView]
    labels: list[tuple[str, int]]
    n_lanes: int

    @classmethod
    def from_doc(
        cls, doc: Doc, *, prefix: str = DEFAULT_PREFIX, attr: str = DEFAULT_ATTR
    ) -> "DocumentView":
        """Read a document.

        doc (Doc): The document.
        prefix (str): What the clusters' keys start with.
        attr (str): The name of the extension attribute that holds the relations.
        RETURNS (DocumentView): What there is to see.
        RAISES (DocreError): If a relation names a cluster that the document does not have.
        """
        found = get_clusters(doc, prefix)
        views = {cluster.key: _cluster_view(i, cluster) for i, cluster in enumerate(found)}
        owners = [views[cluster.key] for cluster in found for _ in cluster.mentions]
        mentions = [(s.start_char, s.end_char) for c in found for s in c.mentions]
        relations = sorted(get_relations(doc, attr=attr), key=_by_score)
        evidence: dict[Offsets, int] = {}
        for relation in relations:
            for span in relation.evidence:
                evidence.setdefault((span.start_char, span.end_char), len(evidence))
        counts = Counter(visible(relation.label) for relation in relations)
        labels = sorted(counts)
        numbers = {label: number for number, label in enumerate(labels)}
        mention_lanes = lanes(mentions)
        return cls(
            title=visible(str(doc.user_data.get("title") or "")).strip(),
            lang=doc.lang_,
            pieces=_pieces(visible(doc.text), mentions, owners, mention_lanes, list(evidence)),
            clusters=[view for view in views.values() if view.n_mentions],
            relations=[
                _relation_view(i, relation, views, numbers, evidence)
                for i, relation in enumerate(relations)
            ],
            labels=[(label, counts[label]) for label in labels],
            n_lanes=max(mention_lanes, default=0) + 1,
        )

    @property
    def name(self) -> str:
        """What the document is called in a list: its title or else its beginning."""
        if self.title:
            return self.title
        text = " ".join("".join(piece.text for piece in self.pieces).split())
        return (text if len(text) <= 80 else text[:80] + "…") or "(empty document)"


def visible(text: str) -> str:
    """Make control characters visible, those of writing direction among them.

    text (str): Text of a document or a model.
    RETURNS (str): Text of the same length.
    """
    return text.translate(_VISIBLE)


def _by_score(relation: Relation) -> float:
    # A score that is not a number comes last.
    return -relation.score if relation.score == relation.score else float("inf")


def _cluster_view(number: int, cluster: EntityCluster) -> ClusterView:
    name = " ".join(visible(str(cluster.text)).split())
    return ClusterView(number, name, visible(cluster.label), len(cluster.group))


def _relation_view(
    number: int,
    relation: Relation,
    views: dict[str, ClusterView],
    numbers: dict[str, int],
    evidence: dict[Offsets, int],
) -> RelationView:
    head, name, tail = relation.triple
    for key in (head, tail):
        if key not in views:
            where = describe(relation.doc) if relation.doc is not None else ""
            raise DocreError(
                Errors.D009.format(head=head, label=name, tail=tail, doc=where, key=key)
            )
    spans = [evidence[span.start_char, span.end_char] for span in relation.evidence]
    label = visible(name)
    return RelationView(
        number,
        views[head],
        views[tail],
        label,
        numbers[label],
        relation.score,
        tuple(dict.fromkeys(spans)),
    )


def _pieces(
    text: str,
    mentions: Sequence[Offsets],
    owners: Sequence[ClusterView],
    mention_lanes: Sequence[int],
    evidence: Sequence[Offsets],
) -> list[Piece]:
    pieces = []
    for segment in cut(len(text), [*mentions, *evidence]):
        marks = [
            _mark(number, mentions[number], owners[number], mention_lanes[number], segment)
            for number in segment.spans
            if number < len(mentions)
        ]
        pieces.append(
            Piece(
                text=text[segment.start : segment.end],
                evidence=[n - len(mentions) for n in segment.spans if n >= len(mentions)],
                marks=sorted(marks, key=lambda mark: -mark.lane),
            )
        )
    return pieces


def _mark(number: int, mention: Offsets, owner: ClusterView, lane: int, segment: Segment) -> Mark:
    start, end = mention
    return Mark(number, owner, lane, segment.start == start, segment.end == end)
