"""The optimizer, the resumable loop and its checkpoints."""

from ..moved import former

__getattr__ = former(__name__)
