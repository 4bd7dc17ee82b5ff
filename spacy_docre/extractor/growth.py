"""Relation types that an extractor is given after its model was built."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import torch
from spacy.errors import Errors as SpacyErrors
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Model

from ..data.labels import means_no_relation
from ..data.relation import get_relations
from ..errors import DocreError, Errors, Warnings, first_of
from ..models.relation_model import relation_head
from .constraints import ConstraintRules
from .targets import Supervision

SHOWN_LABELS = 20


class Growing(Protocol):
    """A component that has relation types. Its `cfg` has `labels`, `attr` and "observed"; its
    `model` has the ref "head"."""

    name: str
    cfg: dict[str, Any]
    model: Model
    vocab: Vocab
    rules: ConstraintRules
    supervision: Supervision

    @property
    def is_initialized(self) -> bool:
        """Whether the model is built."""


class LabelGrowth:
    """Adds relation types to a component, and outputs for them to its model.

    pipe (Growing): The component.
    """

    def __init__(self, pipe: Growing) -> None:
        self.pipe = pipe
        # Whether training data may bring new types: those of a pipeline that is loaded to be
        # trained on are what it was trained with, not what somebody has chosen.
        self.is_open = False

    def add(self, labels: Iterable[str]) -> int:
        """Add relation types, those that are there already excepted.

        labels (Iterable[str]): The types.
        RETURNS (int): How many are new.
        RAISES (DocreError): If the model is built and cannot grow.
        """
        new = []
        for label in labels:
            if not isinstance(label, str):
                raise ValueError(SpacyErrors.E187)
            if label not in self.pipe.cfg["labels"] and label not in new:
                new.append(label)
        if not new:
            return 0
        known = self.pipe.cfg["labels"]
        if self.pipe.is_initialized:
            resize = self.pipe.model.attrs.get("resize_output")
            if resize is None:
                name, label = self.pipe.name, new[0]
                raise DocreError(Errors.D008.format(label=label, name=name, n_labels=len(known)))
            resize(self.pipe.model, len(known) + len(new))
        # Not in place: a component that fails to load goes back to the list of before.
        self.pipe.cfg["labels"] = [*known, *new]
        for label in new:
            self.pipe.vocab.strings.add(label)
            if means_no_relation(label):
                message = Warnings.DW67.format(label=label, name=self.pipe.name)
                warnings.warn(message, stacklevel=3)
        return len(new)

    def learn_from_batch(self, examples: Sequence[Example]) -> None:
        """Add the types of a batch that is about to be learned from, if training data may bring
        some.

        examples (Sequence[Example]): The batch.
        """
        if self.is_open:
            attr = self.pipe.cfg["attr"]
            found = {r.label for eg in examples for r in get_relations(eg.reference, attr=attr)}
            self._start(sorted(found), lambda: examples)

    def learn(
        self, get_examples: Callable[[], Iterable[Example]], labels: Iterable[str] | None = None
    ) -> None:
        """Add the types of training data, and count their relations for constraints that are
        learned. Of the known types nothing is counted again, so that their scores stay.

        get_examples (Callable[[], Iterable[Example]]): Gives the data.
        labels (Optional[Iterable[str]]): The types to add. None takes all of the data.
        RAISES (DocreError): If a relation names a cluster that is not there.
        """
        observed = self.pipe.rules.observe(get_examples())
        new = self._start(sorted(observed.labels) if labels is None else labels, get_examples)
        if new:
            self.pipe.rules.learn_more(observed, new)

    def _start(
        self, labels: Iterable[str], get_examples: Callable[[], Iterable[Example]]
    ) -> list[str]:
        """Add types and start their outputs. Returns those that are new."""
        first = len(self.pipe.cfg["labels"])
        if not self.add(labels):
            return []
        new: list[str] = self.pipe.cfg["labels"][first:]
        names = first_of([repr(label) for label in new], SHOWN_LABELS)
        message = Warnings.DW66.format(name=self.pipe.name, labels=names, n_labels=first)
        warnings.warn(message, stacklevel=4)
        head = relation_head(self.pipe.model.get_ref("head"))
        if head.uses_prior:
            prior = torch.from_numpy(self.pipe.supervision.prior(get_examples()))
            head.start_at(prior, first=first)
        return new
