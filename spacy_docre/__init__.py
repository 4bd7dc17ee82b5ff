"""Document-level relation extraction for spaCy."""

from .clusters import EntityCluster, get_clusters, set_clusters
from .errors import DocreError
from .relation import Relation, has_relations, install_extension

__version__ = "0.1.0"
__all__ = [
    "DocreError",
    "EntityCluster",
    "Relation",
    "get_clusters",
    "has_relations",
    "install_extension",
    "set_clusters",
]
