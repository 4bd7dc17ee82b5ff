"""The entity clusters of a batch of documents as flat index arrays, for models."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from spacy.tokens import Doc

from ..data.clusters import (
    DEFAULT_PREFIX,
    EntityCluster,
    TokenCharacters,
    current_spans,
    describe,
    get_clusters,
    most_frequent_label,
    spans_if_current,
)
from ..data.sentences import sentences_of_tokens
from ..errors import DocreError, Errors

UNKNOWN_TYPE = 0


@dataclass(frozen=True)
class DocPart:
    """What is read of a document: all of it, or what its limits allow.

    n_tokens (int): The first so many tokens.
    keys (list[str]): [n] The key in `doc.spans` of each entity.
    labels (list[str]): [n] The entities' types.
    mentions (np.ndarray): [m, 3] int64. The entity of each mention, its first token and the token
        after its last; sorted by entity.
    has_moved (bool): Whether tokens of the clusters were merged or split, see `renew_clusters`.
    """

    n_tokens: int
    keys: list[str]
    labels: list[str]
    mentions: np.ndarray
    has_moved: bool = False

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
        clusters = get_clusters(doc, prefix)
        tokens = TokenCharacters(doc) if clusters else None
        has_moved = False
        for cluster in clusters:
            spans = spans_if_current(cluster.group, tokens)
            if spans is None:
                has_moved, spans = True, current_spans(cluster.group)
            if spans:
                mentions += [(len(keys), span.start, span.end) for span in spans]
                labels.append(most_frequent_label(spans))
                keys.append(cluster.key)
        rows = np.array(mentions, dtype=np.int64).reshape(-1, 3)
        return cls(len(doc), keys, labels, rows, has_moved)


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
    pair_head (np.ndarray): [P] The head entity of each candidate pair: of all ordered pairs of
        entities of a document, or of those that are to be scored, see `only`.
    pair_tail (np.ndarray): [P] Its tail entity.
    token_sentence (np.ndarray): [T] The sentence of each token, document by document.
    sentence_doc (np.ndarray): [S] The document of each sentence. A document whose sentences are
        not marked is one sentence; one without tokens has none.
    doc_length (np.ndarray): [B] The number of tokens that are read of each document; what comes
        after them does not exist for a model.
    allowed (Optional[np.ndarray]): [R, T, T] bool. Which relation types are asked for of a pair, by
        the types of its head and tail; None asks for all. A head may make use of that: its logits
        for other types are not looked at.
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
    allowed: np.ndarray | None = None

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

    def only(self, is_wanted: np.ndarray) -> "ClusterBatch":
        """The same documents and entities with fewer candidate pairs.

        is_wanted (np.ndarray): [P] bool. Which pairs stay.
        RETURNS (ClusterBatch): The batch.
        """
        heads, tails = self.pair_head[is_wanted], self.pair_tail[is_wanted]
        return replace(self, pair_head=heads, pair_tail=tails)

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
        keys = [key for part in parts for key in part.keys]
        types = [type_ids.get(label, UNKNOWN_TYPE) for part in parts for label in part.labels]
        counts = [(part.n_tokens, len(part.keys), len(part.mentions)) for part in parts]
        doc_length, n_entities, n_mentions = np.array(counts, dtype=np.int64).reshape(-1, 3).T
        first = np.cumsum(n_entities) - n_entities
        entity_doc = np.repeat(np.arange(len(docs)), n_entities)
        mentions = np.concatenate([np.zeros((0, 3), np.int64), *(part.mentions for part in parts)])
        of_doc, mention_start, mention_end = mentions.T
        mention_entity = of_doc + np.repeat(first, n_mentions)
        pair_head, pair_tail = _ordered_pairs(n_entities)
        sentence_of, sentence_doc = sentences_of_tokens(docs, doc_length)
        doc_start = np.cumsum(doc_length) - doc_length
        length = doc_length[entity_doc[mention_entity]]
        is_inside = (mention_start >= 0) & (mention_start < mention_end) & (mention_end <= length)
        if not is_inside.all():
            i = int(np.argmin(is_inside))
            entity = int(mention_entity[i])
            raise DocreError(
                Errors.D115.format(
                    doc=describe(docs[int(entity_doc[entity])]),
                    key=keys[entity],
                    start=mention_start[i],
                    end=mention_end[i],
                    length=length[i],
                )
            )
        return cls(
            keys=keys,
            mention_entity=mention_entity,
            mention_start=mention_start,
            mention_end=mention_end,
            mention_sentence=sentence_of[doc_start[entity_doc[mention_entity]] + mention_start],
            entity_doc=entity_doc,
            entity_slot=np.arange(len(keys)) - first[entity_doc],
            entity_type=np.array(types, dtype=np.int64),
            pair_head=pair_head,
            pair_tail=pair_tail,
            token_sentence=sentence_of,
            sentence_doc=sentence_doc,
            doc_length=doc_length,
        )


def _ordered_pairs(n_entities: np.ndarray) -> np.ndarray:
    """[2, P] Head and tail of all pairs of the documents, whose entities are numbered through."""
    n_tails = np.repeat(n_entities, n_entities)
    heads = np.repeat(np.arange(len(n_tails)), n_tails)
    first = np.repeat(np.cumsum(n_entities) - n_entities, n_entities)
    tails = np.arange(len(heads)) + np.repeat(first - np.cumsum(n_tails) + n_tails, n_tails)
    return np.stack([heads, tails])[:, heads != tails]


def unknown_types(docs: Sequence[Doc], clusters: ClusterBatch) -> list[str]:
    """The types of entities that were not seen in training.

    docs (Sequence[Doc]): The documents.
    clusters (ClusterBatch): Their clusters.
    RETURNS (list[str]): The types, sorted.
    """
    entities = np.flatnonzero(clusters.entity_type == UNKNOWN_TYPE)
    owners = ((docs[clusters.entity_doc[i]], clusters.keys[i]) for i in entities)
    return sorted({EntityCluster(key, doc.spans[key]).label for doc, key in owners})
