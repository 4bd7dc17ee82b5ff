"""Entity clusters of a document: `doc.spans["entity_clusters_1"]`, ..."""

from collections import Counter
from collections.abc import Iterable
from struct import Struct
from typing import Any

import srsly
from spacy.attrs import IDX, LENGTH
from spacy.tokens import Doc, Span, SpanGroup

from ..errors import shortened

DEFAULT_PREFIX = "entity_clusters"
# More than any document has clusters; Python refuses to read numbers of thousands of digits.
MAX_DIGITS = 18
# How `SpanGroup.to_bytes` packs a span: id, knowledge base id, label, first and last token, first
# and last character.
SPAN = Struct(">QQQllll")


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
        """The mentions, in the order of the span group, on the tokens that the document has now:
        see `current_spans`."""
        return current_spans(self.group)

    @property
    def text(self) -> str:
        """The canonical name: the group's attribute "name", or else its longest mention."""
        name = self.group.attrs.get("name")
        return name or max((span.text for span in self.mentions), key=len, default="")

    @property
    def label(self) -> str:
        """The entity type: the label of most mentions (of the first such, in a draw)."""
        return most_frequent_label(self.mentions)

    @property
    def kb_id(self) -> str:
        """The knowledge base id: the group's attribute "kb_id", or else that of most mentions that
        have one; "" if none does."""
        counts = Counter(span.kb_id_ for span in self.mentions if span.kb_id_)
        return self.group.attrs.get("kb_id") or max(counts, key=counts.__getitem__, default="")

    @property
    def names(self) -> list[str]:
        """The surface form of each mention: the group's attribute "names" if it is given, which
        keeps the spelling of a source whose tokenisation changed it, or else the spans' texts."""
        return self.group.attrs.get("names") or [span.text for span in self.mentions]

    def __repr__(self) -> str:
        return f"EntityCluster({self.key!r}, {self.text!r}, {len(self.group)} mentions)"


class TokenCharacters:
    """Where the tokens of a document lie in its text, looked up once for many spans.

    doc (Doc): The document.
    """

    __slots__ = ("lengths", "starts")

    def __init__(self, doc: Doc) -> None:
        columns: Any = doc.to_array([IDX, LENGTH]).reshape(-1, 2).T.tolist()
        self.starts: list[int] = columns[0]
        self.lengths: list[int] = columns[1]

    def agree(self, span: Span) -> bool:
        """Whether the characters of a span are those of its tokens.

        span (Span): A span of the document.
        RETURNS (bool): Whether they are.
        """
        start, end = span.start, span.end
        if start >= end:
            return True
        if end > len(self.starts):
            return False
        last = self.starts[end - 1] + self.lengths[end - 1]
        return self.starts[start] == span.start_char and last == span.end_char


def current_spans(group: SpanGroup) -> list[Span]:
    """The spans of a group on the tokens that the document has now. When tokens are merged or
    split, spaCy leaves the token numbers of spans in `doc.spans` as they were, but keeps their
    characters. A span that begins or ends inside a token is widened to whole tokens.

    group (SpanGroup): The group.
    RETURNS (list[Span]): The spans, in the order of the group.
    """
    spans = spans_if_current(group)
    if spans is not None:
        return spans
    doc = group.doc
    moved = (
        doc.char_span(first, last, label=label, kb_id=kb_id, alignment_mode="expand")
        for _, kb_id, label, _, _, first, last in map(SPAN.unpack, _packed(group))
    )
    return [span for span in moved if span is not None]


def spans_if_current(group: SpanGroup, tokens: TokenCharacters | None = None) -> list[Span] | None:
    """The spans of a group, unless tokens of theirs were merged or split.

    group (SpanGroup): The group.
    tokens (Optional[TokenCharacters]): The document's tokens, for whoever looks at many groups.
    RETURNS (Optional[list[Span]]): The spans, in the order of the group; None if one has moved.
    """
    try:
        spans = list(group)
        is_current = all(map(tokens.agree if tokens else _is_current, spans))
    except IndexError:
        # A span that lies behind the last token cannot even be looked at.
        return None
    return spans if is_current else None


def _packed(group: SpanGroup) -> list[bytes]:
    return srsly.msgpack_loads(group.to_bytes())["spans"]


def _is_current(span: Span) -> bool:
    if not len(span):
        return True
    return token_characters(span.doc, span.start, span.end) == (span.start_char, span.end_char)


def token_characters(doc: Doc, start: int, end: int) -> tuple[int, int]:
    """Where tokens lie in the text.

    doc (Doc): The document.
    start (int): The first token.
    end (int): The token after the last.
    RETURNS (tuple[int, int]): Their first character, and the one after their last.
    """
    last = doc[end - 1]
    return doc[start].idx, last.idx + len(last)


def most_frequent_label(spans: Iterable[Span]) -> str:
    """The label that most spans have; of several the one that comes first.

    spans (Iterable[Span]): The spans.
    RETURNS (str): The label; "" if there is no span.
    """
    each = list(spans)
    if len(each) == 1 or len({span.label for span in each}) == 1:
        return each[0].label_
    counts = Counter(span.label_ for span in each)
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
    numbered, groups = [], doc.spans
    for key in groups:
        head, _, suffix = key.rpartition("_")
        if head == prefix and suffix.isdecimal() and len(suffix) <= MAX_DIGITS:
            numbered.append((int(suffix), key))
    return [EntityCluster(key, groups[key]) for _, key in sorted(numbered)]


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


def renew_clusters(doc: Doc, prefix: str = DEFAULT_PREFIX) -> None:
    """Bring clusters whose tokens were merged or split in line with the tokens that the document
    has now: spaCy can neither pass a document with old ones to another process nor save it.

    doc (Doc): The document.
    prefix (str): What the keys start with.
    """
    clusters = get_clusters(doc, prefix)
    tokens = TokenCharacters(doc) if clusters else None
    for cluster in clusters:
        if spans_if_current(cluster.group, tokens) is None:
            attrs, spans = dict(cluster.group.attrs), cluster.mentions
            doc.spans[cluster.key] = SpanGroup(doc, name=cluster.key, attrs=attrs, spans=spans)


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
