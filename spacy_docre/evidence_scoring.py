"""Evidence as DocRED's official script counts it: by the sentences of the gold document."""

from collections.abc import Mapping

import numpy as np
from spacy.tokens import Doc

from .relation import Relation

Triple = tuple[str, str, str]
EvidenceItem = tuple[Triple, int]


def evidence_items(relations: Mapping[Triple, Relation], reference: Doc) -> set[EvidenceItem]:
    """The evidence sentences of relations: those of the gold document that an evidence span
    overlaps, be it a sentence or a mention, and whatever the tokens of the relations' document.

    relations (Mapping[tuple[str, str, str], Relation]): Relations by the keys of the gold clusters.
    reference (Doc): The gold document. Without marked sentences it is one.
    RETURNS (set[tuple[tuple[str, str, str], int]]): Each relation with each number of a sentence.
    """
    ends = _sentence_ends(reference)
    items: set[EvidenceItem] = set()
    for triple, relation in relations.items():
        for span in relation.evidence:
            first = int(np.searchsorted(ends, span.start_char, side="right"))
            last = int(np.searchsorted(ends, span.end_char, side="left"))
            # White space at the very end belongs to no sentence.
            sentences = range(first, min(last + 1, len(ends)))
            items.update((triple, sentence) for sentence in sentences)
    return items


def _sentence_ends(doc: Doc) -> np.ndarray:
    """[S] Where each sentence of the document ends, in characters."""
    if not doc.has_annotation("SENT_START"):
        return np.array([len(doc.text)])
    return np.array([sent.end_char for sent in doc.sents])
