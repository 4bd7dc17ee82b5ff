"""What trained pipelines say of documents, for another to learn from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

from ..data.clusters import describe
from ..data.relation import SOFT_ATTR, Relation, set_relations
from ..errors import DocreError, Errors
from ..extractor.decoding import PairScores
from ..extractor.pipeline import find_extractor
from .run import annotate_examples, read_examples


@dataclass(frozen=True)
class Opinion:
    """What a teacher says of a document.

    name (str): The teacher's name, for messages.
    scores (PairScores): The scores of its pairs, under its constraints and calibration.
    labels (Sequence[str]): Its relation types.
    """

    name: str
    scores: PairScores
    labels: Sequence[str]


def teach(
    teachers: Sequence[tuple[str, Language]], path: str | Path, *, floor: float
) -> Iterator[Doc]:
    """Let pipelines score the pairs of gold clusters, and write the mean of their scores to the
    documents as relations, in `doc._.soft_relations`.

    teachers (Sequence[tuple[str, Language]]): The pipelines, with names for messages.
    path (Union[str, Path]): A `.spacy` file or a folder of them. Relations need not be annotated.
    floor (float): The lowest score that is written; those below count as zero.
    YIELDS (Doc): The documents, all else as it was read.
    RAISES (DocreError): If the teachers read different entities of a document.
    """
    annotated = [annotate_examples(nlp, read_examples(nlp, path)) for _, nlp in teachers]
    labels = [find_extractor(nlp)[1].labels for _, nlp in teachers]
    for rows in zip(*annotated, strict=True):
        doc = rows[0][0].reference
        opinions = [
            Opinion(name, scores, known)
            for (name, _), (_, scores), known in zip(teachers, rows, labels, strict=True)
        ]
        set_relations(doc, vote(opinions, doc, floor=floor), attr=SOFT_ATTR)
        yield doc


def vote(opinions: Sequence[Opinion], doc: Doc, *, floor: float) -> list[Relation]:
    """The mean of scores. A teacher that does not know a type has no voice in it.

    opinions (Sequence[Opinion]): What each teacher says, at least one.
    doc (Doc): The document, for messages.
    floor (float): The lowest score of a relation.
    RETURNS (list[Relation]): The relations, with the evidence of the first teacher that has any.
    RAISES (DocreError): If the teachers read different entities.
    """
    first = opinions[0].scores
    labels = sorted({label for opinion in opinions for label in opinion.labels})
    total = np.zeros((len(first.scores), len(labels)), dtype=np.float64)
    voices = np.zeros(len(labels), dtype=np.int64)
    columns = [[labels.index(label) for label in opinion.labels] for opinion in opinions]
    for opinion, own in zip(opinions, columns, strict=True):
        if opinion.scores.keys != first.keys:
            name, other = opinion.name, opinions[0].name
            raise DocreError(Errors.D191.format(doc=describe(doc), name=name, first=other))
        total[:, own] += opinion.scores.scores
        voices[own] += 1
    mean = total / voices
    evidence = {
        (pair, own[label]): spans
        for opinion, own in reversed(list(zip(opinions, columns, strict=True)))
        for (pair, label), spans in opinion.scores.evidence.items()
    }
    return [
        Relation(
            first.keys[first.pair_head[pair]],
            labels[label],
            first.keys[first.pair_tail[pair]],
            min(float(mean[pair, label]), 1.0),
            evidence.get((pair, label), ()),
        )
        for pair, label in np.argwhere(mean >= floor).tolist()
    ]
