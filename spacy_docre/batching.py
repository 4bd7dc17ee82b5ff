"""Batches without much padding."""

from collections.abc import Iterator

import numpy as np


def batches_by_length(lengths: np.ndarray, max_items: int) -> Iterator[np.ndarray]:
    """Divide sequences so that those of similar length come together and no batch has more than
    `max_items` items, padding included. A sequence that is longer by itself is a batch of its own.

    lengths (np.ndarray): [N] int64. The length of each sequence.
    max_items (int): The largest product of the number of sequences and their greatest length.
    YIELDS (np.ndarray): [n] int64. The sequences of each batch, shortest first.
    """
    batch: list[int] = []
    for i in np.argsort(lengths, kind="stable"):
        if batch and lengths[i] * (len(batch) + 1) > max_items:
            yield np.array(batch)
            batch = []
        batch.append(int(i))
    if batch:
        yield np.array(batch)
