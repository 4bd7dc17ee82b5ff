"""Where the wordpieces and mentions of windows lie in their documents."""

from dataclasses import dataclass

import numpy as np

from ..encoding import ranges
from .windows import Windows
from .wordpieces import MarkedWordpieces, Specials


@dataclass(frozen=True)
class WindowLayout:
    """The layout of a batch. A document's columns are the special tokens before it (those of its
    first window), its wordpieces, the special tokens after it (those of its last window).

    marked (MarkedWordpieces): The documents' wordpieces.
    windows (Windows): The windows over them.
    specials (Specials): The special tokens around each window.
    mention_doc (np.ndarray): [M] int64. The document of each mention.
    """

    marked: MarkedWordpieces
    windows: Windows
    specials: Specials
    mention_doc: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """[B] The number of columns of each document."""
        return self.marked.lengths + len(self.specials)

    @property
    def window_lengths(self) -> np.ndarray:
        """[W] The length of each window, special tokens included."""
        return self.windows.end - self.windows.start + len(self.specials)

    def input_ids(self, chunk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The encoder's input for some windows.

        chunk (np.ndarray): [w] int64. The windows.
        RETURNS (tuple[np.ndarray, np.ndarray]): [w, l] int64, the ids, and [w, l] bool, where
            there is a token and not padding.
        """
        lengths = self.window_lengths[chunk]
        width = int(lengths.max(initial=0))
        ids = np.full((len(chunk), width), self.specials.pad, dtype=np.int64)
        offsets = np.cumsum(self.marked.lengths) - self.marked.lengths
        prefix, suffix = self.specials.prefix, self.specials.suffix
        for row, w in enumerate(chunk):
            offset = offsets[self.windows.doc[w]]
            content = self.marked.ids[offset + self.windows.start[w] : offset + self.windows.end[w]]
            ids[row, : lengths[row]] = np.concatenate([prefix, content, suffix])
        return ids, np.arange(width) < lengths[:, None]

    def columns(self, chunk: np.ndarray, width: int) -> np.ndarray:
        """The column of its document that each position of some windows is, or -1 for padding and
        for the special tokens between windows of the same document.

        chunk (np.ndarray): [w] int64. The windows.
        width (int): The length of the longest of them, l.
        RETURNS (np.ndarray): [w, l] int64.
        """
        start, end = self.windows.start[chunk, None], self.windows.end[chunk, None]
        doc_length = self.marked.lengths[self.windows.doc[chunk], None]
        position = np.arange(width)[None, :]
        n_prefix = len(self.specials.prefix)
        content_end = n_prefix + end - start
        is_prefix = position < n_prefix
        is_suffix = (position >= content_end) & (position < content_end + len(self.specials.suffix))
        is_content = (position >= n_prefix) & (position < content_end)
        keep = is_content | (is_prefix & (start == 0)) | (is_suffix & (end == doc_length))
        return np.where(keep, position + start, -1)

    @property
    def mention_column(self) -> np.ndarray:
        """[M] The column of the start marker of each mention in its document."""
        return self.marked.mention_position + len(self.specials.prefix)

    @property
    def column_token(self) -> np.ndarray:
        """[B, L] int64. The token that each column is a part of, -1 for special tokens, markers
        and padding."""
        tokens = np.full((len(self.lengths), int(self.lengths.max(initial=0))), -1, dtype=np.int64)
        lengths = self.marked.lengths
        doc = np.repeat(np.arange(len(lengths)), lengths)
        column = ranges(np.full_like(lengths, len(self.specials.prefix)), lengths)
        tokens[doc, column] = self.marked.token
        return tokens

    def mentions_in(self, chunk: np.ndarray) -> "MentionsInWindows":
        """Which start markers stand in some windows.

        chunk (np.ndarray): [w] int64. The windows.
        RETURNS (MentionsInWindows): The occurrences, window by window.
        """
        position = self.marked.mention_position
        inside = self.windows.doc[chunk, None] == self.mention_doc
        inside &= self.windows.start[chunk, None] <= position
        inside &= position < self.windows.end[chunk, None]
        window, mention = np.nonzero(inside)
        slot = np.arange(len(window)) - np.searchsorted(window, window)
        within = position[mention] - self.windows.start[chunk][window]
        return MentionsInWindows(window, mention, slot, within + len(self.specials.prefix))


@dataclass(frozen=True)
class MentionsInWindows:
    """Occurrences of mentions in windows; a mention where windows overlap occurs in several.

    window (np.ndarray): [I] int64. The window, counted within its chunk.
    mention (np.ndarray): [I] int64. The mention.
    slot (np.ndarray): [I] int64. The occurrence's place among those of its window, from 0.
    position (np.ndarray): [I] int64. Where the start marker stands in the window.
    """

    window: np.ndarray
    mention: np.ndarray
    slot: np.ndarray
    position: np.ndarray

    def padded_positions(self, n_windows: int) -> np.ndarray:
        """[w, i] int64. The positions of each window's mentions, filled up with 0."""
        padded = np.zeros((n_windows, int(self.slot.max(initial=-1)) + 1), dtype=np.int64)
        padded[self.window, self.slot] = self.position
        return padded
