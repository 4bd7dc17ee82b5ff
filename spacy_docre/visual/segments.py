"""How overlapping spans are drawn: the text is cut wherever a span begins or ends, since elements
of HTML nest and spans need not."""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Offsets = tuple[int, int]


@dataclass(frozen=True)
class Segment:
    """A part of a text in which no span begins or ends.

    start (int): Its first character.
    end (int): The character after its last.
    spans (tuple[int, ...]): The numbers of the spans that cover it, ascending.
    """

    start: int
    end: int
    spans: tuple[int, ...]


def cut(length: int, spans: Sequence[Offsets]) -> list[Segment]:
    """Cut a text at all boundaries of spans.

    length (int): The number of characters of the text.
    spans (Sequence[tuple[int, int]]): First character and the one after the last of each span,
        inside the text. Empty spans cover nothing.
    RETURNS (list[Segment]): The parts, which joined are the text; none of them is empty.
    """
    starts: dict[int, list[int]] = {}
    ends: dict[int, list[int]] = {}
    for number, (start, end) in enumerate(spans):
        if start < end:
            starts.setdefault(start, []).append(number)
            ends.setdefault(end, []).append(number)
    bounds = sorted({0, length, *starts, *ends})
    segments, covering = [], set[int]()
    for start, end in pairwise(bounds):
        covering.difference_update(ends.get(start, ()))
        covering.update(starts.get(start, ()))
        segments.append(Segment(start, end, tuple(sorted(covering))))
    return segments


def lanes(spans: Sequence[Offsets]) -> list[int]:
    """Give each span a lane below the line of text, so that spans which overlap never share one.
    Short spans come first: they are drawn inside the longer ones.

    spans (Sequence[tuple[int, int]]): First character and the one after the last of each span.
    RETURNS (list[int]): The lane of each span; 0 is next to the text.
    """
    result = [0] * len(spans)
    # The spans of each lane in order, and the first lane that may have room for a span like it.
    placed: list[list[Offsets]] = []
    room: dict[Offsets, int] = {}
    for number in sorted(range(len(spans)), key=lambda i: (spans[i][1] - spans[i][0], i)):
        start, end = spans[number]
        lane = room.get((start, end), 0)
        while lane < len(placed) and _has_overlap(placed[lane], start, end):
            lane += 1
        if lane == len(placed):
            placed.append([])
        insort(placed[lane], (start, end))
        result[number] = lane
        room[start, end] = lane + (start < end)
    return result


def _has_overlap(placed: Sequence[Offsets], start: int, end: int) -> bool:
    # None of them overlap, so the last that begins before the end is the last to end.
    n_before = bisect_left(placed, (end,))
    return n_before > 0 and placed[n_before - 1][1] > start
