"""The commands; importing this package registers them with the app."""

from . import (
    annotate,
    benchmark,
    convert,
    debug_data,
    evaluate,
    export,
    extract,
    find_threshold,
    model_card,
    plot,
    predict,
    view,
)
from .app import app

__all__ = [
    "annotate",
    "app",
    "benchmark",
    "convert",
    "debug_data",
    "evaluate",
    "export",
    "extract",
    "find_threshold",
    "model_card",
    "plot",
    "predict",
    "view",
]
