"""Training that a killed process can go on with."""

from .loop import train

__all__ = ["train"]
