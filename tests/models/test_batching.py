import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spacy_docre.models.batching import batches_by_length


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(1, 120))
def test_batches_hold_every_sequence_once_and_are_bounded(lengths, max_items):
    batches = [batch.tolist() for batch in batches_by_length(np.array(lengths), max_items)]
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= max_items
    longest = [lengths[i] for batch in batches for i in batch]
    assert longest == sorted(longest)
