"""Training that a killed process can go on with."""

from .checkpoint import read_history
from .loop import train
from .state import Evaluation, History

__all__ = ["Evaluation", "History", "read_history", "train"]
