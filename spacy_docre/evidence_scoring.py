"""Evidence as DocRED's official script counts it: by sentences."""

from collections.abc import Mapping

import numpy as np
from spacy.tokens import Doc

from .relation import Relation

Triple = tuple[str, str, str]
EvidenceItem = tuple[Triple, int]


def evidence_items(relations: Mapping[Triple, Relation], reference: Doc) -> set[EvidenceItem]:
    """The evidence sentences of relations, by the numbers of the gold document.

    relations (Mapping[tuple[str, str, str], Relation]): Relations by the keys of the gold clusters.
    reference (Doc): The gold document.
    RETURNS (set[tuple[tuple[str, str, str], int]]): Each relation with each number of a sentence.
    """
    ends = sentence_ends(reference)
    return {
        (triple, sentence)
        for triple, relation in relations.items()
        for sentence in sentence_numbers(relation, ends)
    }


def sentence_numbers(relation: Relation, ends: np.ndarray) -> list[int]:
    """The sentences that the evidence of a relation overlaps, be it sentences or mentions, and
    whatever the tokens and sentences of the relation's document.

    relation (Relation): The relation, bound to a document.
    ends (np.ndarray): Where sentences end, see `sentence_ends`.
    RETURNS (list[int]): The numbers of the sentences, strongest evidence first, each once.
    """
    numbers: dict[int, None] = {}
    for span in relation.evidence:
        first = int(np.searchsorted(ends, span.start_char, side="right"))
        last = int(np.searchsorted(ends, span.end_char, side="left"))
        # White space at the very end belongs to no sentence.
        numbers.update(dict.fromkeys(range(first, min(last + 1, len(ends)))))
    return list(numbers)


def sentence_ends(doc: Doc) -> np.ndarray:
    """Where the sentences of a document end.

    doc (Doc): The document. Without marked sentences it is one.
    RETURNS (np.ndarray): [S] int64. The ends, in characters.
    """
    if not doc.has_annotation("SENT_START"):
        return np.array([len(doc.text)])
    return np.array([sent.end_char for sent in doc.sents])
