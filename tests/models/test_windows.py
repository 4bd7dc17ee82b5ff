from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_docre.errors import DocreError
from spacy_docre.models.encoders.windows import cut_windows


@given(
    lengths=st.lists(st.integers(0, 60), min_size=1, max_size=4),
    capacity=st.integers(2, 20),
    data=st.data(),
)
def test_windows_cover_every_token_and_overlap(lengths, capacity, data):
    stride = data.draw(st.integers(0, capacity - 1))
    windows = cut_windows(np.array(lengths), capacity, stride)
    for doc, length in enumerate(lengths):
        own = [
            (s, e)
            for d, s, e in zip(windows.doc, windows.start, windows.end, strict=True)
            if d == doc
        ]
        assert own[0][0] == 0
        assert own[-1][1] == length
        assert all(end - start == min(length, capacity) for start, end in own)
        for (_, end), (start, _) in pairwise(own):
            assert end - start >= stride
        assert len({start for start, _ in own}) == len(own), "no window twice"


def test_two_windows_are_those_of_the_public_code():
    windows = cut_windows(np.array([700]), 510, 128)
    assert windows.start.tolist() == [0, 190]
    assert windows.end.tolist() == [510, 700]


@pytest.mark.parametrize("stride", [-1, 8, 9])
def test_overlap_must_leave_room(stride):
    with pytest.raises(DocreError, match="D011"):
        cut_windows(np.array([20]), 8, stride)
