"""Metrics of mentions, entity clusters and relations between predicted clusters: from text to
relations, end to end."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import astuple, dataclass, field
from typing import Any

import numpy as np
from spacy.tokens import Doc
from spacy.training import Example

from ..data.alignment import best_matching
from ..data.clusters import DEFAULT_PREFIX, describe, get_clusters
from ..data.relation import DEFAULT_ATTR, get_relations, has_relations
from ..errors import DocreError, Errors
from .tallies import divide

Offsets = tuple[int, int]
Mentions = frozenset[Offsets]
MentionTriple = tuple[Mentions, str, Mentions]


@dataclass
class Shares:
    """What precision, recall and F1 are computed from where an item can be partly correct.

    predicted_correct (float): To what extent predicted items are correct, in total.
    predicted (int): Predicted items.
    gold_correct (float): To what extent gold items are found, in total.
    gold (int): Gold items.
    """

    predicted_correct: float = 0.0
    predicted: int = 0
    gold_correct: float = 0.0
    gold: int = 0

    def add(self, predicted: Iterable[Hashable], gold: Iterable[Hashable]) -> None:
        """Count the items of one document that are correct or not; equal ones as often as they
        stand on both sides."""
        predicted_items, gold_items = Counter(predicted), Counter(gold)
        n_correct = (predicted_items & gold_items).total()
        self.add_soft([n_correct], predicted_items.total(), [n_correct], gold_items.total())

    def add_soft(
        self,
        predicted_correct: Iterable[float],
        predicted: int,
        gold_correct: Iterable[float],
        gold: int,
    ) -> None:
        """Count the items of one document.

        predicted_correct (Iterable[float]): To what extent predicted items are correct.
        predicted (int): How many there are.
        gold_correct (Iterable[float]): To what extent gold items are found.
        gold (int): How many there are.
        """
        self.predicted_correct += sum(predicted_correct)
        self.predicted += predicted
        self.gold_correct += sum(gold_correct)
        self.gold += gold


@dataclass
class ClusterCounts:
    """The counts of a corpus, see `score_clusters`."""

    mention: Shares = field(default_factory=Shares)
    mention_typed: Shares = field(default_factory=Shares)
    cluster_strict: Shares = field(default_factory=Shares)
    cluster_soft: Shares = field(default_factory=Shares)
    entity_strict: Shares = field(default_factory=Shares)
    entity_soft: Shares = field(default_factory=Shares)
    rel_strict: Shares = field(default_factory=Shares)
    rel_soft: Shares = field(default_factory=Shares)


@dataclass(frozen=True)
class ScoredEntity:
    """A cluster as the metrics see it.

    key (str): Its key in `doc.spans`.
    label (str): Its type.
    mentions (frozenset[tuple[int, int]]): The characters of its mentions.
    typed (frozenset[tuple[tuple[int, int], str]]): The same, each with its own type.
    """

    key: str
    label: str
    mentions: Mentions
    typed: frozenset[tuple[Offsets, str]]


def score_clusters(
    examples: Iterable[Example],
    *,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
    names_only: bool = False,
    **_: Any,
) -> dict[str, float | None]:
    """Score mentions, clusters, and relations between clusters, over the annotated documents. All
    offsets are those of characters. `docs/explanation/metrics.md` has the formulas.

    examples (Iterable[Example]): Predicted and reference documents.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    names_only (bool): Leave out mentions that no entity (`doc.ents`) of either document overlaps:
        pronouns and descriptions, where the gold standard has none. See `has_names_only`.
    RETURNS (dict[str, Optional[float]]): Each with `_p`, `_r` and `_f`: `mention` (exact spans) and
        `mention_typed`; `cluster_strict` (all spans equal) and `cluster_soft` (CEAF-e, Luo 2005);
        `entity_strict` and `entity_soft` (the entity-level scores of DWIE, Zaporojets et al. 2021,
        which also want the type); `rel_strict` and `rel_soft` (DWIE's for relations). All in 0..1,
        None if nothing is annotated.
    """
    tallies = tally_clusters(examples, prefix=prefix, attr=attr, names_only=names_only)
    scores: dict[str, float | None] = {}
    for name, rows in tallies.items():
        own = {key: value.item() for key, value in share_metrics(name, rows.sum(axis=0)).items()}
        scores.update(own if len(rows) else dict.fromkeys(own))
    return scores


def tally_clusters(
    examples: Iterable[Example], *, prefix: str, attr: str, names_only: bool
) -> dict[str, np.ndarray]:
    """Count each annotated document, for `score_clusters`, whose arguments it takes.

    RETURNS (dict[str, np.ndarray]): For each group of metrics [D, 4] float64, the fields of
        `Shares` of each document that is annotated for it.
    """
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in vars(ClusterCounts())}
    for example in examples:
        gold = _entities(example.reference, prefix)
        predicted = _entities(example.predicted, prefix)
        if names_only:
            named = _named_characters(example)
            predicted = [_named(entity, named) for entity in predicted]
        counts = ClusterCounts()
        has_gold_relations = has_relations(example.reference, attr=attr)
        if gold or has_gold_relations:
            _count_clusters(
                counts, [e for e in predicted if e.mentions], [e for e in gold if e.mentions]
            )
        if has_gold_relations:
            _count_relations(
                counts,
                _relations(example.predicted, predicted, prefix, attr),
                _relations(example.reference, gold, prefix, attr),
            )
        for name, shares in vars(counts).items():
            if has_gold_relations or (gold and not name.startswith("rel_")):
                rows[name].append(astuple(shares))
    return {name: np.array(own, dtype=np.float64).reshape(-1, 4) for name, own in rows.items()}


def share_metrics(name: str, tally: np.ndarray) -> dict[str, np.ndarray]:
    """Precision, recall and F1 of tallies that were summed over documents.

    name (str): The name of the metrics' group.
    tally (np.ndarray): [..., 4] float64. The fields of `Shares`.
    RETURNS (dict[str, np.ndarray]): [...] float64 each: `{name}_p`, `{name}_r` and `{name}_f`.
    """
    precision = divide(tally[..., 0], tally[..., 1])
    recall = divide(tally[..., 2], tally[..., 3])
    f1 = divide(2 * precision * recall, precision + recall)
    return {f"{name}_p": precision, f"{name}_r": recall, f"{name}_f": f1}


def has_names_only(references: Iterable[Doc], prefix: str = DEFAULT_PREFIX) -> bool:
    """Whether the clusters of a gold standard hold nothing but names, as those of DocRED, so that a
    pronoun that a pipeline puts into a cluster is neither right nor wrong.

    references (Iterable[Doc]): The gold documents, with their entities.
    prefix (str): What the clusters' keys start with.
    RETURNS (bool): Whether an entity of `doc.ents` overlaps every mention.
    """
    for doc in references:
        named = {i for ent in doc.ents for i in range(ent.start, ent.end)}
        for cluster in get_clusters(doc, prefix):
            for span in cluster.mentions:
                if named.isdisjoint(range(span.start, span.end)):
                    return False
    return True


def _entities(doc: Doc, prefix: str) -> list[ScoredEntity]:
    entities = []
    for cluster in get_clusters(doc, prefix):
        typed = frozenset(((s.start_char, s.end_char), s.label_) for s in cluster.mentions)
        mentions = frozenset(offsets for offsets, _ in typed)
        entities.append(ScoredEntity(cluster.key, cluster.label, mentions, typed))
    return entities


def _named_characters(example: Example) -> set[int]:
    ents = [*example.predicted.ents, *example.reference.ents]
    return {i for ent in ents for i in range(ent.start_char, ent.end_char)}


def _named(entity: ScoredEntity, named: set[int]) -> ScoredEntity:
    kept = frozenset(m for m in entity.mentions if not named.isdisjoint(range(*m)))
    typed = frozenset(mention for mention in entity.typed if mention[0] in kept)
    return ScoredEntity(entity.key, entity.label, kept, typed)


def _count_clusters(
    counts: ClusterCounts, predicted: list[ScoredEntity], gold: list[ScoredEntity]
) -> None:
    counts.mention.add(
        {mention for e in predicted for mention in e.mentions},
        {mention for e in gold for mention in e.mentions},
    )
    counts.mention_typed.add(
        {mention for e in predicted for mention in e.typed},
        {mention for e in gold for mention in e.typed},
    )
    counts.cluster_strict.add((e.mentions for e in predicted), (e.mentions for e in gold))
    counts.entity_strict.add(
        ((e.mentions, e.label) for e in predicted), ((e.mentions, e.label) for e in gold)
    )
    similarity = _similarities(predicted, gold)
    shares = [similarity[pair] for pair in best_matching(similarity)]
    counts.cluster_soft.add_soft(shares, len(predicted), shares, len(gold))
    _add_shares(
        counts.entity_soft,
        [{(mention, e.label) for mention in e.mentions} for e in predicted],
        [{(mention, e.label) for mention in e.mentions} for e in gold],
    )


def _similarities(
    predicted: list[ScoredEntity], gold: list[ScoredEntity]
) -> dict[tuple[int, int], float]:
    """The similarity phi_4 (Luo 2005) of clusters that have a mention in common."""
    owners: defaultdict[Offsets, list[int]] = defaultdict(list)
    for j, entity in enumerate(gold):
        for mention in entity.mentions:
            owners[mention].append(j)
    common = Counter(
        (i, j)
        for i, entity in enumerate(predicted)
        for mention in entity.mentions
        for j in owners.get(mention, ())
    )
    return {
        (i, j): 2 * n / (len(predicted[i].mentions) + len(gold[j].mentions))
        for (i, j), n in common.items()
    }


def _relations(
    doc: Doc, entities: list[ScoredEntity], prefix: str, attr: str
) -> list[MentionTriple]:
    """The relations, each once, by the mentions of their clusters."""
    mentions = {entity.key: entity.mentions for entity in entities}
    relations = {relation.triple: relation for relation in get_relations(doc, attr=attr)}
    for (head, _, tail), relation in relations.items():
        for key in (head, tail):
            if key not in mentions:
                raise DocreError(
                    Errors.D046.format(relation=relation, doc=describe(doc), key=key, prefix=prefix)
                )
    return [(mentions[head], label, mentions[tail]) for head, label, tail in relations]


def _count_relations(
    counts: ClusterCounts,
    predicted: list[MentionTriple],
    gold: list[MentionTriple],
) -> None:
    counts.rel_strict.add(predicted, gold)
    _add_shares(counts.rel_soft, _mention_relations(predicted), _mention_relations(gold))


def _mention_relations(relations: list[MentionTriple]) -> list[set[Hashable]]:
    """For each relation the relations of single mentions that it stands for."""
    return [{(h, label, t) for h in heads for t in tails} for heads, label, tails in relations]


def _add_shares(counts: Shares, predicted: list[set[Hashable]], gold: list[set[Hashable]]) -> None:
    """DWIE's soft entity-level counts: of each item the share of its parts that the other side has
    anywhere. Items without parts do not count."""
    all_predicted, all_gold = set().union(*predicted), set().union(*gold)
    predicted, gold = list(filter(None, predicted)), list(filter(None, gold))
    counts.add_soft(
        (len(parts & all_gold) / len(parts) for parts in predicted),
        len(predicted),
        (len(parts & all_predicted) / len(parts) for parts in gold),
        len(gold),
    )
