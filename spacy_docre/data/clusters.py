"""Entity clusters of a document: `doc.spans["entity_clusters_1"]`, ..."""

from collections import Counter
from collections.abc import Iterable

from spacy.tokens import Doc, Span, SpanGroup

from ..errors import shortened

DEFAULT_PREFIX = "entity_clusters"
# More than any document has clusters; Python refuses to read numbers of thousands of digits.
MAX_DIGITS = 18


class EntityCluster:
    """All mentions of one entity: a view of a span group of a document.

    key (str): The key of the span group in `doc.spans`.
    group (SpanGroup): The mentions.
    """

    __slots__ = ("group", "key")

    def __init__(self, key: str, group: SpanGroup) -> None:
        self.key = key
        self.group = group

    @property
    def mentions(self) -> list[Span]:
        """The mentions, in the order of the span group."""
        return list(self.group)

    @property
    def text(self) -> str:
        """The canonical name: the group's attribute "name", or else its longest mention."""
        name = self.group.attrs.get("name")
        return name or max((span.text for span in self.group), key=len, default="")

    @property
    def label(self) -> str:
        """The entity type: the label of most mentions (of the first such, in a draw)."""
        return most_frequent_label(self.group)

    @property
    def kb_id(self) -> str:
        """The knowledge base id: the group's attribute "kb_id", or else that of most mentions that
        have one; "" if none does."""
        counts = Counter(span.kb_id_ for span in self.group if span.kb_id_)
        return self.group.attrs.get("kb_id") or max(counts, key=counts.__getitem__, default="")

    @property
    def names(self) -> list[str]:
        """The surface form of each mention: the group's attribute "names" if it is given, which
        keeps the spelling of a source whose tokenisation changed it, or else the spans' texts."""
        return self.group.attrs.get("names") or [span.text for span in self.group]

    def __repr__(self) -> str:
        return f"EntityCluster({self.key!r}, {self.text!r}, {len(self.group)} mentions)"


def most_frequent_label(spans: Iterable[Span]) -> str:
    """The label that most spans have; of several the one that comes first.

    spans (Iterable[Span]): The spans.
    RETURNS (str): The label; "" if there is no span.
    """
    counts = Counter(span.label_ for span in spans)
    return max(counts, key=counts.__getitem__, default="")


def cluster_key(prefix: str, number: int) -> str:
    """The key in `doc.spans` of the cluster with that number (from 1)."""
    return f"{prefix}_{number}"


def get_clusters(doc: Doc, prefix: str = DEFAULT_PREFIX) -> list[EntityCluster]:
    """The entity clusters of a document, in the order of their numbers. Span groups whose suffix
    is not a number, or one of more than 18 digits, are something else's and are left alone.

    doc (Doc): The document.
    prefix (str): What the keys start with, before "_1", "_2", ...
    RETURNS (list[EntityCluster]): The clusters, also those without mentions.
    """
    numbered = []
    for key in doc.spans:
        head, _, suffix = key.rpartition("_")
        if head == prefix and suffix.isdecimal() and len(suffix) <= MAX_DIGITS:
            numbered.append((int(suffix), key))
    return [EntityCluster(key, doc.spans[key]) for _, key in sorted(numbered)]


def set_clusters(
    doc: Doc, clusters: Iterable[Iterable[Span]], prefix: str = DEFAULT_PREFIX
) -> list[SpanGroup]:
    """Replace the entity clusters of a document.

    doc (Doc): The document.
    clusters (Iterable[Iterable[Span]]): The mentions of each cluster.
    prefix (str): What the keys start with.
    RETURNS (list[SpanGroup]): The new groups, for attributes to be set on.
    """
    remove_clusters(doc, prefix)
    groups = []
    for number, mentions in enumerate(clusters, start=1):
        key = cluster_key(prefix, number)
        doc.spans[key] = SpanGroup(doc, name=key, spans=list(mentions))
        groups.append(doc.spans[key])
    return groups


def remove_clusters(doc: Doc, prefix: str = DEFAULT_PREFIX) -> None:
    """Remove the entity clusters of a document.

    doc (Doc): The document.
    prefix (str): What the keys start with.
    """
    for cluster in get_clusters(doc, prefix):
        del doc.spans[cluster.key]


def copy_span(span: Span, target: Doc) -> Span | None:
    """The span of the same characters in another document of the same text, with label and
    knowledge base id. One that begins or ends inside a token is widened to whole tokens.

    span (Span): The span.
    target (Doc): The other document.
    RETURNS (Optional[Span]): The span; None if there is none of these characters, or they are white
        space between tokens.
    """
    copied = target.char_span(
        span.start_char,
        span.end_char,
        label=span.label_,
        kb_id=span.kb_id_,
        alignment_mode="expand",
    )
    return copied or None


def copy_clusters(source: Doc, target: Doc, prefix: str = DEFAULT_PREFIX) -> None:
    """Copy the entity clusters of one document to another of the same text. A mention that ends
    inside a token of the target is widened to whole tokens, so that no mention is lost.

    source (Doc): The document to copy from.
    target (Doc): The document to copy to; its groups of the same keys are replaced.
    prefix (str): What the keys start with.
    """
    for cluster in get_clusters(source, prefix):
        copied = (copy_span(span, target) for span in cluster.mentions)
        spans = [span for span in copied if span is not None]
        target.spans[cluster.key] = SpanGroup(
            target, name=cluster.key, attrs=dict(cluster.group.attrs), spans=spans
        )


def describe(doc: Doc) -> str:
    """Name a document in a message: by its title if it has one, else by its beginning."""
    title = doc.user_data.get("title")
    if title:
        return f"the document '{shortened(str(title), 60)}'"
    start = shortened(" ".join(doc.text[:60].split()), 60)
    return f"the document '{start}{'...' if len(doc.text) > 60 else ''}'"
