"""Encoders, heads, and the model that joins them."""

from .encoders.trust import allow_encoders

__all__ = ["allow_encoders"]
