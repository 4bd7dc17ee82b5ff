"""Batches without much padding."""

from collections.abc import Callable, Iterator

import numpy as np


def batches_by_length(lengths: np.ndarray, max_items: int) -> Iterator[np.ndarray]:
    """Divide sequences so that those of similar length come together and no batch has more than
    `max_items` items, padding included. A sequence that is longer by itself is a batch of its own.

    lengths (np.ndarray): [N] int64. The length of each sequence.
    max_items (int): The largest product of the number of sequences and their greatest length.
    YIELDS (np.ndarray): [n] int64. The sequences of each batch, shortest first.
    """

    def fits(n: int, largest: np.ndarray) -> bool:
        return bool(n * largest[0] <= max_items)

    return batches_that_fit(lengths.reshape(-1, 1), fits)


def batches_that_fit(
    sizes: np.ndarray, fits: Callable[[int, np.ndarray], bool]
) -> Iterator[np.ndarray]:
    """Divide things so that those of similar first size come together and every batch fits. One
    that does not fit by itself is a batch of its own.

    sizes (np.ndarray): [N, K] int64. The K sizes of each.
    fits (Callable[[int, np.ndarray], bool]): Whether so many things together fit, the largest of
        whose sizes are these, [K] int64.
    YIELDS (np.ndarray): [n] int64. The things of each batch, that of the smallest first size first.
    """
    batch: list[int] = []
    largest = np.zeros(sizes.shape[1], dtype=np.int64)
    for i in np.argsort(sizes[:, 0], kind="stable"):
        larger = np.maximum(largest, sizes[i])
        if batch and not fits(len(batch) + 1, larger):
            yield np.array(batch)
            batch, larger = [], sizes[i]
        batch.append(int(i))
        largest = larger
    if batch:
        yield np.array(batch)
