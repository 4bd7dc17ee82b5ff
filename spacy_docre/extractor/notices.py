"""What the extractor says of documents in which it can find nothing, or knows too little: one
warning a cause, not one a document."""

import re
import warnings
from collections.abc import Sequence
from typing import Any, Protocol

from spacy.tokens import Doc

from ..data.clusters import describe, get_clusters
from ..errors import Warnings, first_of
from ..models.batch import ClusterBatch, unknown_types

# So many documents in a row without a cluster or an entity are no accident.
MANY_DOCS = 32
NUMBERED = re.compile(r"(.+)_[0-9]{1,18}")
SHOWN_TYPES = 20


class Noticing(Protocol):
    """A component that reads clusters. Its `cfg` has `prefix` and the `entity_types`."""

    name: str
    cfg: dict[str, Any]


class InputNotices:
    """Tells a user's mistakes from documents that hold nothing.

    pipe (Noticing): The component.
    """

    def __init__(self, pipe: Noticing) -> None:
        self.pipe = pipe
        self._told: set[tuple[str, ...]] = set()
        self._n_without = 0

    def look_at(self, docs: Sequence[Doc]) -> None:
        """Warn if none of the documents has clusters, where they have entities or clusters of
        another prefix, or where there are many documents.

        docs (Sequence[Doc]): The documents that are to be read.
        """
        texts = [doc for doc in docs if len(doc)]
        if any(get_clusters(doc, self.pipe.cfg["prefix"]) for doc in texts):
            self._n_without = 0
            return
        self._n_without += len(texts)
        prefixes = {m[1] for doc in texts for m in map(NUMBERED.fullmatch, doc.spans) if m}
        with_entities = next((doc for doc in texts if doc.ents), None)
        prefix, name = self.pipe.cfg["prefix"], self.pipe.name
        if prefixes:
            found = first_of([repr(p) for p in sorted(prefixes)], SHOWN_TYPES)
            self._tell(("prefix",), Warnings.DW62.format(name=name, prefix=prefix, found=found))
        elif with_entities is not None:
            doc = describe(with_entities)
            self._tell(("clusters",), Warnings.DW63.format(name=name, prefix=prefix, doc=doc))
        elif self._n_without >= MANY_DOCS:
            message = Warnings.DW64.format(name=name, prefix=prefix, n_docs=self._n_without)
            self._tell(("documents",), message)

    def look_at_types(self, docs: Sequence[Doc], clusters: ClusterBatch) -> None:
        """Warn of types of entities that were not seen in training.

        docs (Sequence[Doc]): The documents.
        clusters (ClusterBatch): Their clusters.
        """
        known = first_of([repr(t) for t in self.pipe.cfg["entity_types"]], SHOWN_TYPES)
        for label in filter(None, unknown_types(docs, clusters)):
            message = Warnings.DW65.format(name=self.pipe.name, entity_type=label, known=known)
            self._tell(("type", label), message)

    def _tell(self, cause: tuple[str, ...], message: str) -> None:
        if cause not in self._told:
            self._told.add(cause)
            warnings.warn(message, stacklevel=4)
