"""Document-level relation extraction for spaCy."""

from typing import TYPE_CHECKING, Any

from .data.clusters import EntityCluster, get_clusters, set_clusters
from .data.relation import Relation, has_relations, install_extension
from .errors import DocreError

if TYPE_CHECKING:
    from .visual.page import render

__version__ = "0.1.0"
__all__ = [
    "DocreError",
    "EntityCluster",
    "Relation",
    "get_clusters",
    "has_relations",
    "install_extension",
    "render",
    "set_clusters",
]


def __getattr__(name: str) -> Any:
    # Pipelines that nobody looks at need not wait for templates.
    if name == "render":
        from .visual.page import render

        return render
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
