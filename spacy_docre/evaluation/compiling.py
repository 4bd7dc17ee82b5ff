"""Compiling the encoder of a pipeline's relation extractor."""

from collections.abc import Sequence

from spacy.language import Language
from spacy.training import Example

from ..errors import DocreError, Errors
from ..extractor.pipeline import find_extractor
from ..models.compiled import Precision
from ..models.compiling import compile_encoders
from .run import annotate_examples


def compile_pipeline(nlp: Language, precision: Precision, examples: Sequence[Example] = ()) -> None:
    """Compile the encoder of a pipeline's relation extractor, which is used at inference on a CPU
    from now on, and saved with the pipeline.

    nlp (Language): The pipeline.
    precision (str): "fp32"; "bf16", for processors that have it; or "int8".
    examples (Sequence[Example]): Documents by which the ranges of 8-bit integers are chosen.
    RAISES (DocreError): If there is no relation extractor, if its encoder cannot be compiled, or if
        there are no documents for integers.
    """
    _, extractor = find_extractor(nlp)
    if precision == "int8" and not examples:
        raise DocreError(Errors.D201)

    def run() -> None:
        for _ in annotate_examples(nlp, examples):
            pass

    compile_encoders(extractor.model, precision, run)
