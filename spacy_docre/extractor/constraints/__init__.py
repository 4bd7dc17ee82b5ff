"""Constraints on relations: which types of entities a relation type takes, and which relation types
hold in both directions or are each other's inverse."""

from .application import Constraints
from .pipe import ConstrainedPipe
from .settings import CONSTRAINTS, DEFAULT_CONSTRAINTS, check_settings, switch_settings

__all__ = [
    "CONSTRAINTS",
    "DEFAULT_CONSTRAINTS",
    "ConstrainedPipe",
    "Constraints",
    "check_settings",
    "switch_settings",
]
