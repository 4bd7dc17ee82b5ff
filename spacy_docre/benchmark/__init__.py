"""What extractors cost beside their bare encoders, and how that grows with the documents."""

from .budget import Budget
from .growth import DIMENSIONS, Point, measure_growth
from .steps import STEPS, benchmark
from .synthetic import Sizes, docred_sizes, synthetic_doc, whole_words
from .timing import Samples, Timing

__all__ = [
    "DIMENSIONS",
    "STEPS",
    "Budget",
    "Point",
    "Samples",
    "Sizes",
    "Timing",
    "benchmark",
    "docred_sizes",
    "measure_growth",
    "synthetic_doc",
    "whole_words",
]
