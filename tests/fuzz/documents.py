"""Random documents with clusters, on their way to a `Doc` as plain values, so that a finding can
be shown."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from spacy.tokens import Doc, Span, SpanGroup
from spacy.util import filter_spans
from spacy.vocab import Vocab

from spacy_docre import get_clusters

from .texts import heavy_tailed, random_name, random_word

PREFIX = "entity_clusters"
ODD_KEYS = ["0", "01", "٣", "²", "-1", "1.5", "1_2", "", "9" * 20, "9" * 5000, "x\n"]
N_WORDS = (0.03, 0), (0.05, 1), (0.83, 25), (0.08, 100), (0.0095, 500), (0.0005, 3000)
N_CLUSTERS = (0.1, 0), (0.08, 1), (0.7, 6), (0.1185, 12), (0.0015, 40)
N_MENTIONS = (0.04, 0), (0.6, 1), (0.355, 4), (0.0045, 40), (0.0005, 400)
# For heads whose cost does not grow with the square of the entities, now and then.
MANY_CLUSTERS = (1.0, 2500)
SMALL = (0.1, 0), (0.1, 1), (0.8, 6)


@dataclass
class Mention:
    start: int
    end: int
    label: str = ""
    kb_id: str = ""


@dataclass
class Group:
    key: str
    mentions: list[Mention] = field(default_factory=list)
    attrs: dict[str, Any] = field(default_factory=dict)


@dataclass
class Plan:
    """What a document is made of. `starts` says which tokens start a sentence (None: nobody knows),
    `with_ents` whether its mentions are also `doc.ents`."""

    words: list[str]
    spaces: list[bool]
    starts: list[bool | None] | None
    groups: list[Group]
    title: str = ""
    with_ents: bool = False

    def build(self, vocab: Vocab) -> Doc:
        doc = Doc(vocab, words=self.words, spaces=self.spaces, sent_starts=self.starts)
        doc.user_data["title"] = self.title
        for group in self.groups:
            spans = [
                Span(doc, m.start, m.end, label=m.label, kb_id=m.kb_id) for m in group.mentions
            ]
            doc.spans[group.key] = SpanGroup(doc, name=group.key, attrs=group.attrs, spans=spans)
        if self.with_ents:
            spans = [span for group in doc.spans.values() for span in group if span.label_]
            doc.ents = filter_spans(span for span in spans if span.text.strip())
        return doc


def has_empty_mentions(doc: Doc) -> bool:
    """Whether a mention has no tokens, which is an error where the document has entities to look
    for relations between."""
    clusters = [cluster.mentions for cluster in get_clusters(doc) if cluster.mentions]
    return len(clusters) > 1 and any(not len(span) for spans in clusters for span in spans)


def random_plan(rng: Random, *, small: bool = False, many: bool = False) -> Plan:
    """A document: small, as the tests want it, or with thousands of clusters, or with a size that
    is small as a rule."""
    n_clusters = (MANY_CLUSTERS,) if many else SMALL if small else N_CLUSTERS
    n_words = heavy_tailed(rng, *(SMALL if small else N_WORDS))
    words = [random_word(rng) for _ in range(n_words)]
    kind = rng.random()
    if kind < 0.02:
        words = [rng.choice([" ", "\n", "\u3000"]) for _ in words]
    plan = Plan(
        words=words,
        spaces=[rng.random() < 0.9 for _ in words],
        starts=_starts(rng, n_words),
        groups=[],
        title=random_name(rng) if rng.random() < 0.5 else "",
        with_ents=rng.random() < 0.2,
    )
    mentions: list[tuple[int, int]] = []
    for number in range(heavy_tailed(rng, *n_clusters)):
        plan.groups.append(_group(rng, number + 1, n_words, mentions, small))
    if plan.groups and rng.random() < 0.03:
        twin = rng.choice(plan.groups)
        plan.groups.append(Group(f"{PREFIX}_{len(plan.groups) + 1}", twin.mentions, twin.attrs))
    return plan


def _starts(rng: Random, n_words: int) -> list[bool | None] | None:
    kind = rng.random()
    if not n_words or kind < 0.2:
        return None
    if kind < 0.25:
        return [True] * n_words
    if kind < 0.28:
        return [rng.choice([True, False, None]) for _ in range(n_words)]
    return [i == 0 or rng.random() < 0.15 for i in range(n_words)]


def _group(
    rng: Random, number: int, n_words: int, known: list[tuple[int, int]], small: bool
) -> Group:
    key = f"{PREFIX}_{number}"
    odd = rng.random()
    if odd < 0.02:
        key = f"{PREFIX}_{rng.choice(ODD_KEYS)}"
    elif odd < 0.03:
        key = rng.choice([PREFIX, "sc", "", "entity_clusters_x", random_word(rng)])
    group = Group(key)
    label = random_name(rng)
    for _ in range(heavy_tailed(rng, *(SMALL if small else N_MENTIONS)) if n_words else 0):
        offsets = _offsets(rng, n_words, known)
        known.append(offsets)
        own = label if rng.random() < 0.9 else random_name(rng)
        group.mentions.append(
            Mention(*offsets, own, random_name(rng) if rng.random() < 0.1 else "")
        )
    if rng.random() < 0.03:
        odd_attrs = {"name": random_word(rng), "kb_id": random_name(rng)}
        group.attrs = {key: value for key, value in odd_attrs.items() if rng.random() < 0.7}
    return group


def _offsets(rng: Random, n_words: int, known: list[tuple[int, int]]) -> tuple[int, int]:
    """A mention: identical to one before, inside one, around one, or anywhere."""
    kind = rng.random()
    if known and kind < 0.3:
        start, end = rng.choice(known)
        if kind < 0.15 or start == end:
            return start, end
        if kind < 0.22:
            return rng.randint(start, end - 1), end
        return rng.randint(0, start), rng.randint(end, n_words)
    if kind > 0.999:
        return 0, n_words
    start = rng.randrange(n_words)
    if kind > 0.9988:
        return start, start
    return start, min(n_words, start + heavy_tailed(rng, (0.0, 1), (0.95, 3), (0.05, 60)))
