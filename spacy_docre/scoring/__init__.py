"""From predicted and gold relations to metrics, and how sure they are."""

from ..moved import former

__getattr__ = former(__name__)
