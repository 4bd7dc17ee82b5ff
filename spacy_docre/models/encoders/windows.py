"""Overlapping windows over documents that are longer than an encoder can read at once."""

from dataclasses import dataclass

import numpy as np

from ...errors import DocreError, Errors


@dataclass(frozen=True)
class Windows:
    """Where the windows of a batch of documents lie.

    doc (np.ndarray): [W] int64. The document that each window is cut from.
    start (np.ndarray): [W] int64. The first token of the window, counted within its document.
    end (np.ndarray): [W] int64. The token after its last.
    """

    doc: np.ndarray
    start: np.ndarray
    end: np.ndarray


def cut_windows(lengths: np.ndarray, capacity: int, stride: int) -> Windows:
    """Cover each document by windows of equal size that overlap by `stride` tokens; the last one
    ends with the document and so may overlap more. A document that fits has one window. With two
    windows this is the scheme of ATLOP's public code; any number is possible.

    lengths (np.ndarray): [B] int64. The length of each document.
    capacity (int): How many tokens a window holds.
    stride (int): How many tokens two neighbouring windows share at least.
    RETURNS (Windows): The windows, document by document and from left to right.
    RAISES (DocreError): If the overlap does not leave room to move forward.
    """
    if not 0 <= stride < capacity:
        raise DocreError(Errors.D011.format(stride=stride, capacity=capacity))
    step = capacity - stride
    counts = 1 + np.maximum(0, -(-(lengths - capacity) // step))
    doc = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(doc)) - np.repeat(np.cumsum(counts) - counts, counts)
    start = np.minimum(number * step, np.maximum(0, lengths[doc] - capacity))
    return Windows(doc, start, np.minimum(start + capacity, lengths[doc]))
