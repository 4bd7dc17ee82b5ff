"""What the extractor reads of documents: as much as its limits allow, in batches that fit."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model

from ..data.clusters import describe
from ..errors import Warnings, enumerate_words
from ..models.batch import ClusterBatch
from ..models.relation_model import count_wordpieces
from .limits import LimitedDoc, Limits


class Reading(Protocol):
    """A component that reads documents. Its `cfg` has the limits, `max_batch_items`, `prefix` and
    the `entity_types`; its `model` has the ref "encoder"."""

    name: str
    model: Model
    cfg: dict[str, Any]


class DocReader:
    """Reads no more of a document than the limits in the component's `cfg` allow. They can be
    changed there at any time.

    pipe (Reading): The component.
    """

    def __init__(self, pipe: Reading) -> None:
        self.pipe = pipe

    @property
    def limits(self) -> Limits:
        """The limits in force.
        RAISES (DocreError): If one of them is too small."""
        return Limits.of(self.pipe.cfg)

    def read(self, docs: Iterable[Doc]) -> list[LimitedDoc]:
        """Decide what is read of documents, and warn of what is not.

        docs (Iterable[Doc]): The documents.
        RETURNS (list[LimitedDoc]): For each what is read.
        """
        limits, prefix = self.limits, self.pipe.cfg["prefix"]
        count = partial(count_wordpieces, self.pipe.model.get_ref("encoder"))
        limited = []
        for doc in docs:
            limited.append(limits.apply(doc, prefix, count))
            if limited[-1].reached:
                self._warn(doc, limited[-1])
        return limited

    def clusters(
        self, docs: Sequence[Doc], limited: Sequence[LimitedDoc] | None = None
    ) -> ClusterBatch:
        """The entity clusters of documents, as far as they are read.

        docs (Sequence[Doc]): The documents.
        limited (Optional[Sequence[LimitedDoc]]): What `read` gave for them.
        RETURNS (ClusterBatch): The batch.
        """
        return ClusterBatch.from_docs(
            docs,
            prefix=self.pipe.cfg["prefix"],
            entity_types=self.pipe.cfg["entity_types"],
            parts=[doc.part for doc in limited or self.read(docs)],
        )

    def batches(self, limited: Sequence[LimitedDoc]) -> Iterator[np.ndarray]:
        """Divide documents that have pairs into batches, see `Limits.batches`.

        limited (Sequence[LimitedDoc]): What is read of each document.
        YIELDS (np.ndarray): [n] int64. The documents of each batch.
        """
        with_pairs = np.array([i for i, doc in enumerate(limited) if doc.part.n_pairs], dtype=int)
        to_read = [limited[i] for i in with_pairs]
        for numbers in self.limits.batches(to_read, self.pipe.cfg["max_batch_items"]):
            yield with_pairs[numbers]

    def _warn(self, doc: Doc, limited: LimitedDoc) -> None:
        reached = [f"`{setting}` ({self.pipe.cfg[setting]})" for setting in limited.reached]
        message = Warnings.DW50.format(
            doc=describe(doc),
            name=self.pipe.name,
            limits=enumerate_words(reached),
            left_out=limited.describe(),
        )
        warnings.warn(message, stacklevel=3)
