"""Annotating a corpus: from records of any source, through a pipeline, to files of any format."""

from .engine import Annotation, annotate, annotate_rows
from .records import Failure, Record

__all__ = ["Annotation", "Failure", "Record", "annotate", "annotate_rows"]
