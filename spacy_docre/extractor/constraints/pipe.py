"""What a component does to have constraints on its relations."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from spacy.training import Example

from ...models.batch import ClusterBatch
from ..saving import CheckedPipe
from .application import Constraints
from .building import build_constraints, warn_of_contradictions
from .observations import Observations
from .settings import check_settings, merge_settings


class ConstrainedPipe(CheckedPipe):
    """Base class of a component with constraints on its relations. The settings stand in
    `cfg["constraints"]` and can be changed there at any time; `cfg["observed"]` has the counts that
    "learned" ones go by, and `cfg["configured_constraints"]` the settings that the component was
    made with, so that an override in the config is told from a change at run time. All are saved
    with the component, and checked when it is initialised or loaded: only then the labels are
    known.
    """

    name: str
    cfg: dict[str, Any]

    @property
    def constraints(self) -> Constraints | None:
        """The constraints in force, None if all are off or there is no label yet. They are built
        anew each time, so that a change of the settings tells.
        RAISES (DocreError): If they do not go with the labels."""
        if not self.cfg["labels"]:
            return None
        return build_constraints(
            self.cfg["constraints"],
            labels=self.cfg["labels"],
            entity_types=self.cfg["entity_types"],
            observed=self.cfg["observed"],
            name=self.name,
        )

    def learn_constraints(self, examples: Iterable[Example]) -> None:
        """Count what "learned" constraints go by, as `initialize` does: for a component that was
        saved without, or to learn from other documents than it was trained on.

        examples (Iterable[Example]): The examples.
        RAISES (DocreError): If the constraints do not go with the labels.
        """
        self._set_observed(self._observe(examples))

    def _is_learned_from(self, clusters: ClusterBatch) -> np.ndarray:
        """[P] bool. Which candidate pairs are learned from."""
        settings = self.cfg["constraints"] or {}
        constraints = self.constraints if settings.get("in_training") else None
        if constraints is None:
            return np.ones(len(clusters.pair_head), dtype=bool)
        return constraints.possible(clusters)

    def _configure(self, constraints: dict[str, Any] | None) -> None:
        complete = check_settings(constraints, name=self.name)
        self.cfg |= {
            "constraints": complete,
            "configured_constraints": dict(complete),
            "observed": None,
        }

    def _settle(self, before: Mapping[str, Any]) -> None:
        configured = before["configured_constraints"]
        self.cfg["constraints"] = merge_settings(
            self.cfg["constraints"], self.cfg["configured_constraints"], configured
        )
        self.cfg["configured_constraints"] = configured
        # An error about them is better seen at loading than at the first text.
        _ = self.constraints

    def _observe(self, examples: Iterable[Example]) -> Observations:
        observed = Observations()
        for eg in examples:
            observed.add(eg.reference, prefix=self.cfg["prefix"], attr=self.cfg["attr"])
        return observed

    def _set_observed(self, observed: Observations) -> None:
        self.cfg["observed"] = observed.to_dict()
        constraints = self.constraints
        if constraints is not None:
            warn_of_contradictions(
                constraints,
                observed,
                labels=self.cfg["labels"],
                entity_types=self.cfg["entity_types"],
                name=self.name,
            )
