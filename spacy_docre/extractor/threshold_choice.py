"""The threshold of a component in training, for heads that learn none."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model

from ..models.relation_model import relation_head
from .decoding import PairScores
from .thresholds import best_threshold, collect_candidates


class Deciding(Protocol):
    """A component that decides by a threshold. Its `cfg` has `threshold`, `max_labels`, `prefix`
    and `attr`; its `model` has the ref "head"."""

    model: Model
    cfg: dict[str, Any]

    @property
    def labels(self) -> tuple[str, ...]:
        """The relation types, in the order of the scores."""

    def predict(self, docs: Iterable[Doc]) -> list[PairScores]:
        """Score documents."""

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[PairScores]) -> None:
        """Write the relations of documents."""


class ThresholdChoice:
    """Chooses a component's threshold in the first evaluation after a step of training, so that the
    best step is picked as the papers without a learned threshold do, and the threshold is saved
    with it. What is evaluated after training, test data for example, changes nothing.

    pipe (Deciding): The component.
    """

    def __init__(self, pipe: Deciding) -> None:
        self.pipe = pipe
        self.is_due = False
        self._scored: WeakKeyDictionary[Doc, PairScores] = WeakKeyDictionary()

    def __getstate__(self) -> dict[str, Any]:
        # A process that is spawned gets the component, and weak references cannot be sent.
        return {key: value for key, value in vars(self).items() if key != "_scored"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _scored=WeakKeyDictionary())

    def note(self, doc: Doc, scores: PairScores) -> None:
        """Keep scores that an evaluation may need, so that it need not predict again.

        doc (Doc): A document.
        scores (PairScores): Its scores.
        """
        if self.is_due:
            self._scored[doc] = scores

    def choose(self, examples: Sequence[Example]) -> float:
        """Take the threshold with the best micro F1 on development data, and give its documents the
        relations above it, if the weights have changed since and the head learns no threshold.

        examples (Sequence[Example]): Examples, with the documents that the pipeline has annotated.
        RETURNS (float): The threshold.
        """
        cfg = self.pipe.cfg
        if self.is_due and relation_head(self.pipe.model.get_ref("head")).needs_threshold:
            docs = [eg.predicted for eg in examples]
            others = [doc for doc in docs if doc not in self._scored]
            self._scored.update(zip(others, self.pipe.predict(others), strict=True))
            scores = [self._scored[doc] for doc in docs]
            settings = {key: cfg[key] for key in ("max_labels", "prefix", "attr")}
            scored = list(zip(examples, scores, strict=True))
            candidates = collect_candidates(scored, self.pipe.labels, **settings)
            if len(candidates.gold_doc):
                cfg["threshold"] = best_threshold(candidates).common
            self.is_due = False
            self.pipe.set_annotations(docs, scores)
            self._scored.clear()
        return float(cfg["threshold"])
