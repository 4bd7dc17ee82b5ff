"""Evidence as DocRED's official script counts it: by sentences."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from .relation import Relation

Triple = tuple[str, str, str]


def sentence_numbers(relation: Relation, ends: Sequence[int]) -> list[int]:
    """The sentences that the evidence of a relation overlaps, be it sentences or mentions, and
    whatever the tokens and sentences of the relation's document.

    relation (Relation): The relation, bound to a document.
    ends (Sequence[int]): Where sentences end, see `sentence_ends`.
    RETURNS (list[int]): The numbers of the sentences, strongest evidence first, each once.
    """
    numbers: dict[int, None] = {}
    for span in relation.evidence:
        first = bisect_right(ends, span.start_char)
        last = bisect_left(ends, span.end_char)
        # White space at the very end belongs to no sentence.
        numbers.update(dict.fromkeys(range(first, min(last + 1, len(ends)))))
    return list(numbers)
