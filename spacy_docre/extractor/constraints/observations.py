"""What the relations of training documents are like, counted."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from spacy.tokens import Doc

from ...data.clusters import DEFAULT_PREFIX, get_clusters
from ...data.relation import DEFAULT_ATTR, check_clusters, get_relations


@dataclass
class Observations:
    """Counts of relations. A relation that a document lists twice counts once, one of an entity
    without mentions not at all, since no model gets to see it.

    labels (set[str]): The relation types.
    entity_types (set[str]): The types of entities, also of those without relations.
    types (Counter[tuple[str, str, str]]): For relation type, head type and tail type the number of
        relations.
    opposites (Counter[tuple[str, str]]): For two relation types how many relations of the first
        have one of the second in the opposite direction.
    """

    labels: set[str] = field(default_factory=set)
    entity_types: set[str] = field(default_factory=set)
    types: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    opposites: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, doc: Doc, *, prefix: str = DEFAULT_PREFIX, attr: str = DEFAULT_ATTR) -> None:
        """Count the relations of a document.

        doc (Doc): The annotated document.
        prefix (str): What the clusters' keys start with.
        attr (str): The name of the extension attribute that holds the relations.
        RAISES (DocreError): If a relation names a cluster that is not there.
        """
        types = {c.key: c.label for c in get_clusters(doc, prefix) if len(c.group)}
        self.entity_types.update(types.values())
        relations = {relation.triple: relation for relation in get_relations(doc, attr=attr)}
        labels_of_pair: dict[tuple[str, str], list[str]] = defaultdict(list)
        for (head, label, tail), relation in relations.items():
            check_clusters(relation, doc)
            self.labels.add(label)
            if head in types and tail in types:
                self.types[label, types[head], types[tail]] += 1
                labels_of_pair[head, tail].append(label)
        for (head, tail), labels in labels_of_pair.items():
            opposite = labels_of_pair.get((tail, head), ())
            self.opposites.update((label, other) for label in labels for other in opposite)

    def relation_counts(self) -> Counter[str]:
        """The number of relations of each type."""
        counts: Counter[str] = Counter()
        for (label, _, _), count in self.types.items():
            counts[label] += count
        return counts

    def of_labels(self, labels: Collection[str]) -> "Observations":
        """The counts of some relation types: of opposites those where both are among them.

        labels (Collection[str]): The types.
        RETURNS (Observations): The counts.
        """
        return Observations(
            labels=self.labels.intersection(labels),
            entity_types=self.entity_types,
            types=Counter({key: n for key, n in self.types.items() if key[0] in labels}),
            opposites=Counter(
                {pair: n for pair, n in self.opposites.items() if {*pair} <= {*labels}}
            ),
        )

    def to_dict(self) -> dict[str, list[list]]:
        """The counts as plain values, for the component's saved settings."""
        return {
            "types": [[*key, count] for key, count in sorted(self.types.items())],
            "opposites": [[*key, count] for key, count in sorted(self.opposites.items())],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Observations":
        """The counts that `to_dict` gave."""
        return cls(
            types=Counter({(r, head, tail): count for r, head, tail, count in values["types"]}),
            opposites=Counter({(r, other): count for r, other, count in values["opposites"]}),
        )
