"""Entity clusters from named entities, coreference chains and rules."""

from .anaphors import english_anaphors
from .component import EntityClusterer

__all__ = ["EntityClusterer", "english_anaphors"]
