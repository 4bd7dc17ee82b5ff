"""How much of a document is read, and of how many together, so that memory and time are bounded
whatever comes in."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from spacy.tokens import Doc

from ..errors import enumerate_words
from ..models.batch import DocPart
from ..models.batching import batches_that_fit
from .settings import DEFAULT_LIMITS, MAX_MENTIONS, MAX_PAIRS, MAX_WORDPIECES, check_settings

# Counts the wordpieces of the first so many tokens of a document, [n] int64.
Count = Callable[[Doc, int], np.ndarray]


@dataclass(frozen=True)
class LimitedDoc:
    """A document, as far as it is read.

    whole (DocPart): All of it.
    part (DocPart): What is read.
    n_wordpieces (int): How many wordpieces that has.
    reached (tuple[str, ...]): The limits for which anything is left out.
    """

    whole: DocPart
    part: DocPart
    n_wordpieces: int
    reached: tuple[str, ...]

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """How many tokens, mentions, entities and pairs of entities the document has, and how many
        of them are read."""
        whole, part = self.whole, self.part
        return {
            "tokens": (whole.n_tokens, part.n_tokens),
            "mentions": (len(whole.mentions), len(part.mentions)),
            "entities": (len(whole.keys), len(part.keys)),
            "pairs": (whole.n_pairs, part.n_pairs),
        }

    @property
    def left_out(self) -> dict[str, int]:
        """How many of them are left out; empty if nothing is."""
        return {name: n - read for name, (n, read) in self.sizes.items()} if self.reached else {}

    def describe(self) -> str:
        """What is left out, in words."""
        parts = [
            f"{n - read:,} of {n:,} {name}" for name, (n, read) in self.sizes.items() if n > read
        ]
        return enumerate_words(parts)


@dataclass(frozen=True)
class Limits:
    """The most that is read of a document; None sets no limit.

    max_pairs (Optional[int]): Ordered pairs of entities. The entities mentioned most often are
        kept, of those mentioned as often the ones mentioned first: so many that their pairs fit.
    max_mentions (Optional[int]): Mentions. Every entity keeps its first one, then its second, and
        so on, as long as there is room; if there is none for the first of all, there are fewer
        entities.
    max_wordpieces (Optional[int]): Wordpieces of the text, markers not included, and at least one
        for each token; tokens for encoders that read these. The text after them is not read, and
        mentions that end there are left out.
    """

    max_pairs: int | None = MAX_PAIRS
    max_mentions: int | None = MAX_MENTIONS
    max_wordpieces: int | None = MAX_WORDPIECES

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Limits":
        """Read the limits among the settings of a component.

        settings (Mapping[str, Any]): The settings. One that is missing has its default.
        RETURNS (Limits): The limits.
        RAISES (DocreError): If one of them is too small for any relation.
        """
        values = {name: settings.get(name, default) for name, default in DEFAULT_LIMITS.items()}
        check_settings(values, name="doc_relation_extractor")
        return cls(**values)

    def apply(self, doc: Doc, prefix: str, count: Count) -> LimitedDoc:
        """Decide what is read of a document.

        doc (Doc): The document.
        prefix (str): What the clusters' keys start with.
        count (Count): Counts wordpieces.
        RETURNS (LimitedDoc): What is read.
        """
        whole = DocPart.whole(doc, prefix)
        in_text, n_wordpieces = self._within_text(whole, doc, count)
        max_entities, deciding = self._entity_limit()
        in_pairs = in_text if max_entities is None else _most_frequent(in_text, max_entities)
        part = self._within_mentions(in_pairs)
        reached = []
        if in_text.n_tokens < whole.n_tokens:
            reached.append("max_wordpieces")
        if len(in_pairs.keys) < len(in_text.keys):
            reached += deciding
        if len(part.mentions) < len(in_pairs.mentions):
            reached.append("max_mentions")
        return LimitedDoc(whole, part, n_wordpieces, tuple(dict.fromkeys(reached)))

    def _within_text(self, part: DocPart, doc: Doc, count: Count) -> tuple[DocPart, int]:
        n_tokens = len(doc)
        if self.max_wordpieces is not None:
            n_tokens = min(n_tokens, self.max_wordpieces)
        counts = count(doc, n_tokens)
        n_wordpieces = int(counts.sum())
        if self.max_wordpieces is not None and n_wordpieces > self.max_wordpieces:
            total = counts.cumsum()
            n_tokens = int(np.searchsorted(total, self.max_wordpieces, side="right"))
            n_wordpieces = int(total[n_tokens - 1]) if n_tokens else 0
        if n_tokens == len(doc):
            return part, n_wordpieces
        read = _select_mentions(part, part.mentions[:, 2] <= n_tokens)
        return replace(read, n_tokens=n_tokens), n_wordpieces

    def _entity_limit(self) -> tuple[int | None, list[str]]:
        """The most entities whose pairs and first mentions the limits allow, and which limits that
        are."""
        limits = {}
        if self.max_pairs is not None:
            # The largest n of n * (n - 1) <= max_pairs.
            limits["max_pairs"] = (1 + math.isqrt(1 + 4 * self.max_pairs)) // 2
        if self.max_mentions is not None:
            limits["max_mentions"] = self.max_mentions
        least = min(limits.values(), default=None)
        return least, [name for name, limit in limits.items() if limit == least]

    def _within_mentions(self, part: DocPart) -> DocPart:
        limit = self.max_mentions
        if limit is None or len(part.mentions) <= limit:
            return part
        entity, start, end = part.mentions.T
        order = np.lexsort((end, start, entity))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order)) - np.searchsorted(entity[order], entity[order])
        kept = np.lexsort((entity, end, start, rank))[:limit]
        return _select_mentions(part, np.isin(np.arange(len(entity)), kept))

    def batches(self, docs: Sequence[LimitedDoc], max_batch_items: int) -> Iterator[np.ndarray]:
        """Divide documents into batches, those of similar length together. A batch is bounded by
        what the limits allow one document, padding included; where there is no limit, by the
        default one. A document that is larger by itself is a batch of its own.

        docs (Sequence[LimitedDoc]): The documents.
        max_batch_items (int): The most wordpieces of a batch.
        YIELDS (np.ndarray): [n] int64. The documents of each batch.
        """
        max_pairs = MAX_PAIRS if self.max_pairs is None else self.max_pairs
        max_mentions = MAX_MENTIONS if self.max_mentions is None else self.max_mentions
        max_wordpieces = MAX_WORDPIECES if self.max_wordpieces is None else self.max_wordpieces
        rows = [(doc.n_wordpieces, len(doc.part.mentions), doc.part.n_pairs) for doc in docs]

        def fits(n: int, largest: np.ndarray) -> bool:
            wordpieces, mentions, pairs = largest.tolist()
            return (
                n * wordpieces <= max_batch_items
                and n * pairs <= max_pairs
                and n * mentions**2 <= max_mentions**2
                and n * mentions * wordpieces <= max_mentions * max_wordpieces
            )

        return batches_that_fit(np.array(rows, dtype=np.int64).reshape(-1, 3), fits)


def mark_left_out(doc: Doc, left_out: Mapping[str, int], *, attr: str) -> None:
    """Note on a document what was left out of it, in `doc.user_data[f"{attr}_left_out"]`; one of
    which nothing was has no such entry.

    doc (Doc): The document.
    left_out (Mapping[str, int]): See `LimitedDoc.left_out`.
    attr (str): The name of the extension attribute that holds the relations.
    """
    if left_out:
        doc.user_data[_key(attr)] = dict(left_out)
    else:
        doc.user_data.pop(_key(attr), None)


def count_left_out(docs: Iterable[Doc], *, attr: str) -> dict[str, int]:
    """What was left out of documents.

    docs (Iterable[Doc]): The documents, annotated.
    attr (str): The name of the extension attribute that holds the relations.
    RETURNS (dict[str, int]): How many "docs" were too large for the limits, and how many "tokens",
        "mentions", "entities" and "pairs" of theirs were left out; empty if nothing was.
    """
    total: Counter[str] = Counter()
    for doc in docs:
        left_out = doc.user_data.get(_key(attr))
        if left_out:
            total.update({"docs": 1, **left_out})
    return dict(total)


def _key(attr: str) -> str:
    return f"{attr}_left_out"


def _select_mentions(part: DocPart, is_kept: np.ndarray) -> DocPart:
    """Some of the mentions. Entities without any are left out, the others keep their types."""
    entities, numbers = np.unique(part.mentions[is_kept, 0], return_inverse=True)
    mentions = np.column_stack([numbers, part.mentions[is_kept, 1:]])
    keys, labels = ([values[i] for i in entities] for values in (part.keys, part.labels))
    return replace(part, keys=keys, labels=labels, mentions=mentions)


def _most_frequent(part: DocPart, n_entities: int) -> DocPart:
    """The entities with the most mentions, of those with as many the ones mentioned first."""
    if len(part.keys) <= n_entities:
        return part
    entity, start, end = part.mentions.T
    frequency = np.bincount(entity, minlength=len(part.keys))
    first = np.unique(entity[np.lexsort((end, start))], return_index=True)[1]
    kept = np.lexsort((first, -frequency))[:n_entities]
    return _select_mentions(part, np.isin(entity, kept))
