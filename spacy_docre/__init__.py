"""Document-level relation extraction for spaCy. What is exported here is imported when it is asked
for, so that nobody waits for what is not used."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import wrapt

from .about import __version__
from .moved import MovedModules

if TYPE_CHECKING:
    from .annotation.engine import annotate
    from .coref.component import EntityClusterer
    from .data.clusters import EntityCluster, get_clusters, set_clusters
    from .data.keys import DocKeys
    from .data.relation import Relation, has_relations, install_extension
    from .errors import DocreError
    from .evaluation.evaluate import evaluate
    from .evaluation.run import read_examples
    from .extractor.component import DocRelationExtractor
    from .scoring.scorer import score_relations
    from .visual.page import render

__all__ = [
    "DocKeys",
    "DocRelationExtractor",
    "DocreError",
    "EntityCluster",
    "EntityClusterer",
    "Relation",
    "__version__",
    "annotate",
    "evaluate",
    "get_clusters",
    "has_relations",
    "install_extension",
    "read_examples",
    "render",
    "score_relations",
    "set_clusters",
]

_MODULES = {
    "DocKeys": ".data.keys",
    "DocRelationExtractor": ".extractor.component",
    "DocreError": ".errors",
    "EntityCluster": ".data.clusters",
    "EntityClusterer": ".coref.component",
    "Relation": ".data.relation",
    "annotate": ".annotation.engine",
    "evaluate": ".evaluation.evaluate",
    "get_clusters": ".data.clusters",
    "has_relations": ".data.relation",
    "install_extension": ".data.relation",
    "read_examples": ".evaluation.run",
    "render": ".visual.page",
    "score_relations": ".scoring.scorer",
    "set_clusters": ".data.clusters",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)


@wrapt.when_imported("spacy")
def _set_up(spacy: Any) -> None:
    # `doc._.relations` is there as soon as there are documents, so that a DocBin can be read
    # without a pipeline. spaCy brings PyTorch along, which is why it is not imported for this.
    from .data.msgpack_plugins import look_up_once
    from .data.relation import set_up_extension

    set_up_extension()
    look_up_once()


sys.meta_path.insert(0, MovedModules())
