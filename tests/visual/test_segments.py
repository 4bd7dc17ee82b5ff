from hypothesis import given
from hypothesis import strategies as st

from spacy_docre.visual.segments import cut, lanes

LENGTH = 30
SPANS = st.lists(
    st.tuples(st.integers(0, LENGTH), st.integers(0, LENGTH)).map(lambda s: (min(s), max(s))),
    max_size=9,
)


@given(SPANS)
def test_joined_segments_are_the_text_and_know_what_covers_each_character(spans):
    text = "".join(chr(0x4E00 + i) for i in range(LENGTH))
    segments = cut(len(text), spans)
    assert "".join(text[segment.start : segment.end] for segment in segments) == text
    assert all(segment.start < segment.end for segment in segments)
    for segment in segments:
        for character in range(segment.start, segment.end):
            covering = {i for i, (start, end) in enumerate(spans) if start <= character < end}
            assert set(segment.spans) == covering


@given(SPANS)
def test_no_more_is_cut_than_needed(spans):
    bounds = {bound for start, end in spans if start < end for bound in (start, end)}
    assert {segment.start for segment in cut(LENGTH, spans)} - {0} == bounds - {0, LENGTH}


def test_empty_text_has_no_segment():
    assert cut(0, []) == []


@given(SPANS)
def test_overlapping_spans_have_lanes_of_their_own(spans):
    found = lanes(spans)
    for i, (start, end) in enumerate(spans):
        for j in range(i):
            if spans[j][0] < end and start < spans[j][1]:
                assert found[i] != found[j]


@given(SPANS)
def test_lanes_equal_a_loop_over_all_spans(spans):
    expected = {}
    for number in sorted(range(len(spans)), key=lambda i: (spans[i][1] - spans[i][0], i)):
        start, end = spans[number]
        taken = {lane for i, lane in expected.items() if spans[i][0] < end and start < spans[i][1]}
        expected[number] = min(set(range(len(spans))) - taken)
    assert lanes(spans) == [expected[number] for number in range(len(spans))]


def test_what_lies_inside_is_nearer_to_the_text():
    assert lanes([(0, 9), (2, 4), (2, 4), (20, 30)]) == [2, 0, 1, 0]
