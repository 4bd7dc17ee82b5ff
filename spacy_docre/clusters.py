"""Entity clusters of a document: `doc.spans["entity_clusters_1"]`, ... and, for models, the same
as flat index arrays over a batch."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup

from .errors import DocreError, Errors, shortened

DEFAULT_PREFIX = "entity_clusters"
UNKNOWN_TYPE = 0
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
        return _most_frequent_label(self.group)

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


def _most_frequent_label(spans: Iterable[Span]) -> str:
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


def beginning(doc: Doc, n_tokens: int) -> Doc:
    """The beginning of a document as a document, with the spans that lie in it.

    doc (Doc): The document.
    n_tokens (int): How many of its tokens.
    RETURNS (Doc): The document itself if it has no more, or else a copy of its beginning.
    """
    if len(doc) <= n_tokens:
        return doc
    copied = doc[:n_tokens].as_doc()
    for key, group in doc.spans.items():
        spans = [
            Span(copied, span.start, span.end, label=span.label, kb_id=span.kb_id)
            for span in group
            if span.end <= n_tokens
        ]
        copied.spans[key] = SpanGroup(copied, name=key, attrs=dict(group.attrs), spans=spans)
    return copied


def describe(doc: Doc) -> str:
    """Name a document in a message: by its title if it has one, else by its beginning."""
    title = doc.user_data.get("title")
    if title:
        return f"the document '{shortened(str(title), 60)}'"
    start = shortened(" ".join(doc.text[:60].split()), 60)
    return f"the document '{start}{'...' if len(doc.text) > 60 else ''}'"


@dataclass(frozen=True)
class DocPart:
    """What is read of a document: all of it, or what its limits allow.

    n_tokens (int): The first so many tokens.
    keys (list[str]): [n] The key in `doc.spans` of each entity.
    labels (list[str]): [n] The entities' types.
    mentions (np.ndarray): [m, 3] int64. The entity of each mention, its first token and the token
        after its last; sorted by entity.
    """

    n_tokens: int
    keys: list[str]
    labels: list[str]
    mentions: np.ndarray

    @property
    def n_pairs(self) -> int:
        """The number of ordered pairs of entities."""
        return len(self.keys) * (len(self.keys) - 1)

    @classmethod
    def whole(cls, doc: Doc, prefix: str = DEFAULT_PREFIX) -> "DocPart":
        """Read all of a document; entities without mentions are left out.

        doc (Doc): The document.
        prefix (str): What the clusters' keys start with.
        RETURNS (DocPart): Its entities and mentions.
        """
        keys: list[str] = []
        labels: list[str] = []
        mentions: list[tuple[int, int, int]] = []
        for cluster in get_clusters(doc, prefix):
            spans = cluster.mentions
            if spans:
                mentions += [(len(keys), span.start, span.end) for span in spans]
                labels.append(_most_frequent_label(spans))
                keys.append(cluster.key)
        return cls(len(doc), keys, labels, np.array(mentions, dtype=np.int64).reshape(-1, 3))


@dataclass(frozen=True)
class ClusterBatch:
    """The entity clusters of a batch of documents as flat index arrays (int64). Sentences, entities
    and mentions are numbered through the whole batch; entities without mentions are left out.

    keys (list[str]): [N] The key in `doc.spans` of each entity.
    mention_entity (np.ndarray): [M] The entity of each mention.
    mention_start (np.ndarray): [M] Its first token, counted within its document.
    mention_end (np.ndarray): [M] The token after its last.
    mention_sentence (np.ndarray): [M] The sentence that it starts in.
    entity_doc (np.ndarray): [N] The document of each entity.
    entity_slot (np.ndarray): [N] The entity's place among those of its document, from 0.
    entity_type (np.ndarray): [N] The entity's type; 0 for one not seen in training.
    pair_head (np.ndarray): [P] The head entity of each candidate pair.
    pair_tail (np.ndarray): [P] Its tail entity.
    token_sentence (np.ndarray): [T] The sentence of each token, document by document.
    sentence_doc (np.ndarray): [S] The document of each sentence. A document whose sentences are
        not marked is one sentence; one without tokens has none.
    doc_length (np.ndarray): [B] The number of tokens that are read of each document; what comes
        after them does not exist for a model.
    """

    keys: list[str]
    mention_entity: np.ndarray
    mention_start: np.ndarray
    mention_end: np.ndarray
    mention_sentence: np.ndarray
    entity_doc: np.ndarray
    entity_slot: np.ndarray
    entity_type: np.ndarray
    pair_head: np.ndarray
    pair_tail: np.ndarray
    token_sentence: np.ndarray
    sentence_doc: np.ndarray
    doc_length: np.ndarray

    @property
    def n_docs(self) -> int:
        """The number of documents, B."""
        return len(self.doc_length)

    @property
    def max_entities(self) -> int:
        """The largest number of entities in one document."""
        return int(self.entity_slot.max()) + 1 if len(self.entity_slot) else 0

    @property
    def mention_slot(self) -> np.ndarray:
        """[M] The place of each mention among those of its document, from 0."""
        doc = self.mention_doc
        return np.arange(len(doc)) - np.searchsorted(doc, doc)

    @property
    def max_mentions(self) -> int:
        """The largest number of mentions in one document."""
        return int(self.mention_slot.max(initial=-1)) + 1

    @property
    def mention_doc(self) -> np.ndarray:
        """[M] The document of each mention."""
        return self.entity_doc[self.mention_entity]

    @property
    def pair_doc(self) -> np.ndarray:
        """[P] The document of each pair."""
        return self.entity_doc[self.pair_head]

    def find_pairs(self, head: np.ndarray, tail: np.ndarray) -> np.ndarray:
        """Look candidate pairs up.

        head (np.ndarray): [C] int64. Head entities.
        tail (np.ndarray): [C] int64. Tail entities.
        RETURNS (np.ndarray): [C] int64. The numbers of the pairs; -1 for those that are no
            candidates.
        """
        # Pairs are sorted by head, then tail.
        code = self.pair_head * len(self.keys) + self.pair_tail
        wanted = head * len(self.keys) + tail
        row = np.searchsorted(code, wanted)
        return np.where(np.append(code, -1)[row] == wanted, row, -1)

    @classmethod
    def from_docs(
        cls,
        docs: Sequence[Doc],
        *,
        prefix: str = DEFAULT_PREFIX,
        entity_types: Sequence[str] = (),
        parts: Sequence[DocPart] | None = None,
    ) -> "ClusterBatch":
        """Read the clusters of documents.

        docs (Sequence[Doc]): The documents.
        prefix (str): What the clusters' keys start with.
        entity_types (Sequence[str]): The known types; the first becomes 1.
        parts (Optional[Sequence[DocPart]]): What to read of each document. None reads all.
        RETURNS (ClusterBatch): The index arrays.
        RAISES (DocreError): If a mention holds no token, or one outside its document.
        """
        if parts is None:
            parts = [DocPart.whole(doc, prefix) for doc in docs]
        type_ids = {label: i for i, label in enumerate(entity_types, start=UNKNOWN_TYPE + 1)}
        keys: list[str] = []
        entities: list[tuple[int, int, int]] = []
        mentions = [np.zeros((0, 3), dtype=np.int64)]
        pairs = [np.zeros((2, 0), dtype=np.int64)]
        token_sentence = [np.zeros(0, dtype=np.int64)]
        sentence_doc: list[int] = []
        for doc_index, (doc, part) in enumerate(zip(docs, parts, strict=True)):
            sentences = sentence_of_token(doc)[: part.n_tokens]
            token_sentence.append(sentences + len(sentence_doc))
            sentence_doc += [doc_index] * (int(sentences.max(initial=-1)) + 1)
            first = len(entities)
            mentions.append(part.mentions + np.array([first, 0, 0]))
            types = (type_ids.get(label, UNKNOWN_TYPE) for label in part.labels)
            entities += [(doc_index, slot, type_id) for slot, type_id in enumerate(types)]
            keys += part.keys
            pairs.append(_ordered_pairs(len(part.keys)) + first)
        mention_entity, mention_start, mention_end = np.concatenate(mentions).T
        entity_doc, entity_slot, entity_type = _columns(entities)
        pair_head, pair_tail = np.concatenate(pairs, axis=1)
        sentence_of = np.concatenate(token_sentence)
        doc_length = np.array([part.n_tokens for part in parts], dtype=np.int64)
        doc_start = np.cumsum(doc_length) - doc_length
        is_inside = (mention_start >= 0) & (mention_start < mention_end)
        is_inside &= mention_end <= doc_length[entity_doc[mention_entity]]
        if not is_inside.all():
            first = int(np.argmin(is_inside))
            entity = int(mention_entity[first])
            raise DocreError(
                Errors.D115.format(
                    doc=describe(docs[int(entity_doc[entity])]),
                    key=keys[entity],
                    start=mention_start[first],
                    end=mention_end[first],
                    length=doc_length[entity_doc[entity]],
                )
            )
        return cls(
            keys=keys,
            mention_entity=mention_entity,
            mention_start=mention_start,
            mention_end=mention_end,
            mention_sentence=sentence_of[doc_start[entity_doc[mention_entity]] + mention_start],
            entity_doc=entity_doc,
            entity_slot=entity_slot,
            entity_type=entity_type,
            pair_head=pair_head,
            pair_tail=pair_tail,
            token_sentence=sentence_of,
            sentence_doc=np.array(sentence_doc, dtype=np.int64),
            doc_length=doc_length,
        )


def sentence_of_token(doc: Doc) -> np.ndarray:
    """Number the sentences of a document.

    doc (Doc): The document. Without marked sentences it is one.
    RETURNS (np.ndarray): [T] int64. The sentence of each token, from 0.
    """
    starts = doc.to_array("SENT_START") == 1
    return np.maximum(np.cumsum(starts) - 1, 0)


def _columns(rows: list[tuple[int, int, int]]) -> np.ndarray:
    return np.array(rows, dtype=np.int64).reshape(-1, 3).T


def _ordered_pairs(n_entities: int) -> np.ndarray:
    heads, tails = np.divmod(np.arange(n_entities * n_entities), max(n_entities, 1))
    return np.stack([heads, tails])[:, heads != tails]
