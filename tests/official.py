"""Programs outside of the repository import the metric from here."""

from .reference.official import official_scores

__all__ = ["official_scores"]
