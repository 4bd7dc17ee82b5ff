"""What it costs to store a pipeline's weights in fewer bits."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from spacy.language import Language
from thinc.api import Model

from ..data.keys import DocKeys
from ..extractor.decoding import PairScores
from ..extractor.pipeline import find_extractor
from ..files.folders import regular_files
from ..models.compression import compress_model
from ..models.storage import Bits
from ..scoring.scorer import score_relations
from .end_to_end import possible_stages
from .run import annotate_examples, read_examples


@dataclass(frozen=True)
class Measured:
    """How a pipeline does on a corpus.

    scores (dict[str, dict[str, Any]]): What `score_relations` gave, with "gold_clusters" and, if
        the pipeline makes clusters, from "raw_text".
    pairs (list[PairScores]): The scores of each document's pairs, with gold clusters.
    """

    scores: dict[str, dict[str, Any]]
    pairs: list[PairScores]


def compress_pipeline(nlp: Language, bits: Bits) -> None:
    """Round the weights of all components of a pipeline, see `compress_model`. Static vectors stay
    as they are.

    nlp (Language): The pipeline.
    bits (int): 8 or 16.
    """
    for _, component in nlp.components:
        model = getattr(component, "model", None)
        if isinstance(model, Model):
            compress_model(model, bits)


def measure(nlp: Language, path: str | Path) -> Measured:
    """Run a pipeline over an annotated corpus.

    nlp (Language): The pipeline.
    path (Union[str, Path]): A `.spacy` file or a folder of them.
    RETURNS (Measured): Its scores.
    RAISES (DocreError): If it has no relation extractor, or if no document has entity clusters.
    """
    _, extractor = find_extractor(nlp)
    keys = DocKeys.of(extractor.cfg)
    scored = list(annotate_examples(nlp, read_examples(nlp, path)))
    examples, pairs = [eg for eg, _ in scored], [scores for _, scores in scored]
    scores = {"gold_clusters": score_relations(examples, **keys)}
    if "raw_text" in possible_stages(nlp):
        annotated = annotate_examples(nlp, examples, gold_clusters=False)
        scores["raw_text"] = score_relations((eg for eg, _ in annotated), **keys)
    return Measured(scores, pairs)


def largest_change(before: Sequence[PairScores], after: Sequence[PairScores]) -> float:
    """The largest change of the score of any pair for any type.

    before (Sequence[PairScores]): The scores of documents.
    after (Sequence[PairScores]): Other scores of the same pairs.
    RETURNS (float): The change, in 0..1; 0 without pairs.
    """
    changes = (
        np.abs(old.scores - new.scores).max(initial=0.0)
        for old, new in zip(before, after, strict=True)
    )
    return float(max(changes, default=0.0))


def sizes(folder: Path) -> Mapping[str, tuple[int, int]]:
    """How large a saved pipeline is.

    folder (Path): Its folder.
    RETURNS (Mapping[str, tuple[int, int]]): The bytes of each folder in it and of the other files
        together, which have the key "", as they are and compressed as in a wheel.
    """
    found: dict[str, tuple[int, int]] = {}
    for path in regular_files(folder).files:
        part = path.relative_to(folder).parts[0] if path.parent != folder else ""
        size, zipped = found.get(part, (0, 0))
        data = path.read_bytes()
        found[part] = size + len(data), zipped + len(zlib.compress(data))
    return found
