"""The commands; importing this package registers them with the app."""

from . import (
    annotate,
    benchmark,
    benchmark_growth,
    benchmark_tables,
    calibrate,
    compare,
    convert,
    debug_data,
    evaluate,
    extract,
    find_threshold,
    model_card,
    plot,
    predict,
    significance,
    train,
    view,
)
from .app import app

__all__ = [
    "annotate",
    "app",
    "benchmark",
    "benchmark_growth",
    "benchmark_tables",
    "calibrate",
    "compare",
    "convert",
    "debug_data",
    "evaluate",
    "extract",
    "find_threshold",
    "model_card",
    "plot",
    "predict",
    "significance",
    "train",
    "view",
]
