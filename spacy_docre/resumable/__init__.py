"""Training that a killed process can go on with."""

from .checkpoint import read_history, write_folder
from .loop import train
from .state import Evaluation, History

__all__ = ["Evaluation", "History", "read_history", "train", "write_folder"]
