"""Running pipelines over annotated corpora, and what can be said of the outcome."""

from ..moved import former

__getattr__ = former(__name__)
