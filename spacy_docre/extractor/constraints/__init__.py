"""Constraints on relations: which types of entities a relation type takes, and which relation types
hold in both directions or are each other's inverse."""

from .application import Constraints
from .rules import ConstraintRules
from .settings import CONSTRAINTS, DEFAULT_CONSTRAINTS, switch_settings

__all__ = [
    "CONSTRAINTS",
    "DEFAULT_CONSTRAINTS",
    "ConstraintRules",
    "Constraints",
    "switch_settings",
]
