"""The constraints of an extractor: what they are learned from, and which are in force."""

import copy
from collections.abc import Collection, Iterable
from typing import Any, Protocol

import numpy as np
from spacy.training import Example

from ...models.batch import ClusterBatch
from .application import Constraints
from .building import build_constraints, warn_of_contradictions
from .observations import Observations


class Constrained(Protocol):
    """A component with constraints on its relations. Its `cfg` has the settings `constraints`,
    `prefix` and `attr`, the `labels` and `entity_types`, and in `observed` the counts that
    "learned" constraints go by."""

    name: str
    cfg: dict[str, Any]


class ConstraintRules:
    """The constraints of a component. Their settings stand in its `cfg` and can be changed there at
    any time. They are checked when the component is initialised or loaded: only then the labels
    are known.

    pipe (Constrained): The component.
    """

    def __init__(self, pipe: Constrained) -> None:
        self.pipe = pipe
        self._built: tuple[dict[str, Any], Constraints | None] | None = None

    @property
    def in_force(self) -> Constraints | None:
        """The constraints in force, None if all are off or there is no label yet. They are built
        anew when anything that they are built from has changed, be it in place.
        RAISES (DocreError): If they do not go with the labels."""
        cfg = self.pipe.cfg
        if not cfg["labels"]:
            return None
        sources = {name: cfg[name] for name in ("labels", "entity_types", "observed")}
        given = {"settings": cfg["constraints"], "name": self.pipe.name, **sources}
        built = self._built
        if built is None or built[0] != given:
            # A copy, or it would change with the settings.
            built = self._built = copy.deepcopy(given), build_constraints(**given)
        return built[1]

    def observe(self, examples: Iterable[Example]) -> Observations:
        """Count what the relations of the references are like.

        examples (Iterable[Example]): The examples.
        RETURNS (Observations): The counts.
        """
        observed = Observations()
        for eg in examples:
            observed.add(eg.reference, prefix=self.pipe.cfg["prefix"], attr=self.pipe.cfg["attr"])
        return observed

    def learn(self, observed: Observations) -> None:
        """Let "learned" constraints go by counts, and warn where constraints contradict them.

        observed (Observations): The counts.
        RAISES (DocreError): If the constraints do not go with the labels.
        """
        self.pipe.cfg["observed"] = observed.to_dict()
        self._warn_of_contradictions(observed)

    def learn_more(self, observed: Observations, labels: Collection[str]) -> None:
        """Let "learned" constraints of further relation types go by counts, and warn where
        constraints contradict them.

        observed (Observations): The counts.
        labels (Collection[str]): The types. What was counted of others stays as it was.
        RAISES (DocreError): If the constraints do not go with the labels.
        """
        counted = self.pipe.cfg["observed"]
        further = observed.of_labels(labels)
        if counted is not None:
            both = Observations.from_dict(counted)
            both.types.update(further.types)
            both.opposites.update(further.opposites)
            self.pipe.cfg["observed"] = both.to_dict()
        self._warn_of_contradictions(further)

    def _warn_of_contradictions(self, observed: Observations) -> None:
        cfg, constraints = self.pipe.cfg, self.in_force
        if constraints is not None:
            warn_of_contradictions(
                constraints,
                observed,
                labels=cfg["labels"],
                entity_types=cfg["entity_types"],
                name=self.pipe.name,
            )

    def learned_from(self, clusters: ClusterBatch) -> np.ndarray:
        """Which candidate pairs are learned from.

        clusters (ClusterBatch): The batch.
        RETURNS (np.ndarray): [P] bool.
        """
        settings = self.pipe.cfg["constraints"] or {}
        constraints = self.in_force if settings.get("in_training") else None
        if constraints is None:
            return np.ones(len(clusters.pair_head), dtype=bool)
        return constraints.possible(clusters)
