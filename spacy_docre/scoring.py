"""Relation metrics, and the scorer of the component."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from spacy.tokens import Doc
from spacy.training import Example

from .alignment import align_clusters
from .clusters import DEFAULT_PREFIX, EntityCluster, get_clusters
from .evidence_scoring import Triple, evidence_items
from .relation import DEFAULT_ATTR, Relation, get_relations, has_relations

Fact = tuple[str, str, str]

# The metrics of `score_relations` as people read them.
METRIC_TITLES = {
    "rel_p": "Precision",
    "rel_r": "Recall",
    "rel_f": "F1",
    "rel_ign_f": "Ign F1",
    "rel_intra_f": "F1, intra-sentence",
    "rel_inter_f": "F1, inter-sentence",
    "rel_pair_f": "F1 of related pairs (Rela)",
    "rel_macro_f": "Macro F1",
    "rel_evidence_p": "Evidence precision",
    "rel_evidence_r": "Evidence recall",
    "rel_evidence_f": "Evidence F1",
    "rel_evidence_correct_f": "Evidence F1 of correct relations",
}


@dataclass
class Counts:
    """What precision, recall and F1 are computed from.

    correct (int): Relations that are both predicted and gold.
    predicted (int): Predicted relations.
    gold (int): Gold relations.
    """

    correct: int = 0
    predicted: int = 0
    gold: int = 0

    def add(self, predicted: set, gold: set) -> None:
        """Count the items of one document."""
        self.correct += len(predicted & gold)
        self.predicted += len(predicted)
        self.gold += len(gold)

    @property
    def precision(self) -> float:
        """Correct among predicted; 0 where nothing is predicted."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Correct among gold; 0 where nothing is gold."""
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return harmonic_mean(self.precision, self.recall)

    def ignoring(self, n_known: int) -> float:
        """F1 without the correct relations that the training data give away: they are taken from
        the correct and the predicted ones, while recall stays that over all gold relations, as in
        the official DocRED script."""
        predicted = self.predicted - n_known
        precision = (self.correct - n_known) / predicted if predicted else 0.0
        return harmonic_mean(precision, self.recall)


def harmonic_mean(a: float, b: float) -> float:
    """The harmonic mean of two non-negative numbers; 0 if both are."""
    return 2 * a * b / (a + b) if a + b else 0.0


@dataclass
class RelationCounts:
    """The counts of a corpus, each over the union of predicted and gold relations.

    micro (Counts): All relations.
    intra (Counts): Relations of entities with mentions in one sentence.
    inter (Counts): The others.
    pair (Counts): Ordered pairs of entities with any relation at all.
    evidence (Counts): Relations with each of their evidence sentences.
    evidence_of_correct (Counts): The same of correct relations whose gold evidence is known.
    per_type (dict[str, Counts]): The relations of each type.
    known (int): Correct relations that occur in the training facts by the names of their entities.
    """

    micro: Counts = field(default_factory=Counts)
    intra: Counts = field(default_factory=Counts)
    inter: Counts = field(default_factory=Counts)
    pair: Counts = field(default_factory=Counts)
    evidence: Counts = field(default_factory=Counts)
    evidence_of_correct: Counts = field(default_factory=Counts)
    per_type: dict[str, Counts] = field(default_factory=dict)
    known: int = 0


def make_relation_scorer() -> Callable[..., dict[str, Any]]:
    """The scorer "spacy-docre.relation_scorer.v1"; see `score_relations`."""
    return score_relations


def score_relations(
    examples: Iterable[Example],
    *,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
    train_facts: set[Fact] | None = None,
    **_: Any,
) -> dict[str, Any]:
    """Score relations over the documents whose references are annotated. Predicted clusters are
    aligned with gold ones one to one; a relation is correct if its clusters are aligned with those
    of a gold relation of the same type. A gold relation that was never a candidate counts as
    missed, a relation of a cluster that no gold cluster corresponds to as wrong, a relation that
    is listed twice once.

    examples (Iterable[Example]): Predicted and reference documents.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    train_facts (Optional[set[tuple[str, str, str]]]): What `collect_facts` gave for the training
        data, for Ign F1.
    RETURNS (dict[str, Any]): `rel_p`, `rel_r`, `rel_f` (micro), `rel_intra_f` and `rel_inter_f`
        (entities with and without mentions in a common sentence), `rel_pair_f` (any relation or
        none, PAEE's Rela), `rel_macro_f` and `rel_per_type` (p, r, f of each type), with
        `train_facts` `rel_ign_f`; `rel_evidence_p`, `rel_evidence_r` and `rel_evidence_f` as in the
        official DocRED script, and `rel_evidence_correct_f`, over correct relations whose evidence
        is known (None where the gold relations have no evidence at all). All in 0..1, all None if
        no reference is annotated. `docs/metrics.md` has the formulas.
    """
    counts, annotated = RelationCounts(), False
    for example in examples:
        if has_relations(example.reference, attr=attr):
            annotated = True
            _count_document(counts, example, prefix, attr, train_facts or set())
    scores: dict[str, Any] = {
        "rel_p": counts.micro.precision,
        "rel_r": counts.micro.recall,
        "rel_f": counts.micro.f1,
        "rel_intra_f": counts.intra.f1,
        "rel_inter_f": counts.inter.f1,
        "rel_pair_f": counts.pair.f1,
        "rel_macro_f": _mean([c.f1 for c in counts.per_type.values()]),
        "rel_per_type": {
            label: {"p": c.precision, "r": c.recall, "f": c.f1}
            for label, c in sorted(counts.per_type.items())
        },
    }
    if train_facts is not None:
        scores["rel_ign_f"] = counts.micro.ignoring(counts.known)
    for name in ("precision", "recall", "f1"):
        value = getattr(counts.evidence, name) if counts.evidence.gold else None
        scores[f"rel_evidence_{name[0]}"] = value
    scores["rel_evidence_correct_f"] = (
        counts.evidence_of_correct.f1 if counts.evidence.gold else None
    )
    return scores if annotated else dict.fromkeys(scores)


def collect_facts(
    docs: Iterable[Doc], *, prefix: str = DEFAULT_PREFIX, attr: str = DEFAULT_ATTR
) -> set[Fact]:
    """The facts of training documents: for each relation, every name of the head with every name
    of the tail, as the official DocRED script has it.

    docs (Iterable[Doc]): The training documents.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    RETURNS (set[tuple[str, str, str]]): Name of the head, name of the tail, relation type.
    """
    facts: set[Fact] = set()
    for doc in docs:
        names = _names(doc, prefix)
        for relation in get_relations(doc, attr=attr):
            head, label, tail = relation.triple
            facts |= _facts(names[head], names[tail], label)
    return facts


def _count_document(
    counts: RelationCounts, example: Example, prefix: str, attr: str, train_facts: set[Fact]
) -> None:
    gold_relations = {r.triple: r for r in get_relations(example.reference, attr=attr)}
    predicted_relations = _aligned_relations(example, prefix, attr)
    gold, predicted = set(gold_relations), set(predicted_relations)
    sentences = _sentences(example.reference, prefix)

    def is_intra(triple: Triple) -> bool:
        head, _, tail = triple
        return bool(sentences.get(head, set()) & sentences.get(tail, set()))

    counts.micro.add(predicted, gold)
    counts.intra.add(set(filter(is_intra, predicted)), set(filter(is_intra, gold)))
    inter_predicted = {triple for triple in predicted if not is_intra(triple)}
    counts.inter.add(inter_predicted, {triple for triple in gold if not is_intra(triple)})
    counts.pair.add({(h, t) for h, _, t in predicted}, {(h, t) for h, _, t in gold})
    predicted_evidence = evidence_items(predicted_relations, example.reference)
    gold_evidence = evidence_items(gold_relations, example.reference)
    counts.evidence.add(predicted_evidence, gold_evidence)
    known = {triple for triple, _ in gold_evidence} & predicted
    counts.evidence_of_correct.add(
        {item for item in predicted_evidence if item[0] in known},
        {item for item in gold_evidence if item[0] in known},
    )
    for label in {label for _, label, _ in predicted | gold}:
        of_type = counts.per_type.setdefault(label, Counts())
        of_type.add(
            {triple for triple in predicted if triple[1] == label},
            {triple for triple in gold if triple[1] == label},
        )
    if train_facts:
        names = _names(example.reference, prefix)
        counts.known += sum(
            not train_facts.isdisjoint(_facts(names[head], names[tail], label))
            for head, label, tail in predicted & gold
        )


def _aligned_relations(example: Example, prefix: str, attr: str) -> dict[Triple, Relation]:
    """The predicted relations by the keys of the gold clusters that theirs are aligned with."""
    relations = get_relations(example.predicted, attr=attr)
    if not relations:
        return {}
    aligned = align_clusters(example, prefix)

    def gold_key(key: str) -> str:
        return aligned.get(key, f"{key} (predicted only)")

    return {(gold_key(r["head"]), r.label, gold_key(r["tail"])): r for r in relations}


def _sentences(doc: Doc, prefix: str) -> dict[str, set[int]]:
    if not doc.has_annotation("SENT_START"):
        return {cluster.key: {0} for cluster in get_clusters(doc, prefix)}
    return {
        cluster.key: {span.sent.start for span in cluster.group}
        for cluster in get_clusters(doc, prefix)
    }


def _names(doc: Doc, prefix: str) -> dict[str, list[str]]:
    clusters: list[EntityCluster] = get_clusters(doc, prefix)
    return {cluster.key: cluster.names for cluster in clusters}


def _facts(heads: Iterable[str], tails: list[str], label: str) -> set[Fact]:
    return {(head, tail, label) for head in heads for tail in tails}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
