"""Where the wordpieces and mentions of windows lie in their documents."""

from dataclasses import dataclass, replace

import numpy as np

from ..batch import ClusterBatch
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
    clusters (ClusterBatch): The documents' entity clusters.
    """

    marked: MarkedWordpieces
    windows: Windows
    specials: Specials
    clusters: ClusterBatch

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
    def anchor_cells(self) -> tuple[np.ndarray, np.ndarray]:
        """The mention of each anchor (see `MarkedWordpieces.anchors`) and the number of its cell in
        the documents' columns, row by row: two of [I] int64."""
        mention, position = self.marked.anchors
        columns = position + len(self.specials.prefix)
        return mention, self.clusters.mention_doc[mention] * int(self.lengths.max()) + columns

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

    def occurrences(
        self, chunk: np.ndarray, mention: np.ndarray, position: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Find wordpieces of mentions in some windows.

        chunk (np.ndarray): [w] int64. The windows.
        mention (np.ndarray): [I] int64. The mention of each wordpiece.
        position (np.ndarray): [I] int64. Where it stands in its document.
        RETURNS (tuple[np.ndarray, np.ndarray, np.ndarray]): [N] int64 each, window by window: the
            window, counted within the chunk, the mention, and the position in the window.
        """
        inside = self.windows.doc[chunk, None] == self.clusters.mention_doc[mention]
        inside &= self.windows.start[chunk, None] <= position
        inside &= position < self.windows.end[chunk, None]
        window, piece = np.nonzero(inside)
        within = position[piece] - self.windows.start[chunk][window]
        return window, mention[piece], within + len(self.specials.prefix)

    def batch(self, chunk: np.ndarray) -> "WindowBatch":
        """Some windows as the encoder reads them.

        chunk (np.ndarray): [w] int64. The windows.
        RETURNS (WindowBatch): Their wordpieces and mentions.
        """
        ids, mask = self.input_ids(chunk)
        window, mention, position = self.occurrences(chunk, *self.marked.anchors)
        slot = np.arange(len(window)) - np.searchsorted(window, window)
        anchors = MentionsInWindows(window, mention, slot, position)
        doc, columns = self.windows.doc[chunk], self.columns(chunk, ids.shape[1])
        return WindowBatch(doc, ids, mask, columns, anchors)


@dataclass(frozen=True)
class MentionsInWindows:
    """Occurrences of the mentions' anchors in windows; one where windows overlap occurs in several.

    window (np.ndarray): [I] int64. The window, counted within its chunk.
    mention (np.ndarray): [I] int64. The mention.
    slot (np.ndarray): [I] int64. The occurrence's place among those of its window, from 0.
    position (np.ndarray): [I] int64. Where the anchor stands in the window.
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


@dataclass(frozen=True)
class WindowBatch:
    """Windows as an encoder reads them.

    doc (np.ndarray): [w] int64. The document of each window.
    ids (np.ndarray): [w, l] int64. The wordpieces, filled up with padding.
    mask (np.ndarray): [w, l] bool. Where there is a wordpiece and not padding.
    columns (np.ndarray): [w, l] int64. See `WindowLayout.columns`.
    anchors (MentionsInWindows): The mentions.
    order (Optional[np.ndarray]): [w, l] int64. Which position in its window each wordpiece has;
        None if they stand in order.
    structure (Optional[np.ndarray]): [w, e, l] uint8. See `WindowStructure.rows`; None for an
        encoder that knows of none.
    """

    doc: np.ndarray
    ids: np.ndarray
    mask: np.ndarray
    columns: np.ndarray
    anchors: MentionsInWindows
    order: np.ndarray | None = None
    structure: np.ndarray | None = None

    def reordered(self, order: np.ndarray) -> "WindowBatch":
        """The same windows with their wordpieces in another order. An encoder that is told the
        positions gives the same result, in that order.

        order (np.ndarray): [w, l] int64. The position of each wordpiece, in the new order.
        RETURNS (WindowBatch): The windows.
        """
        place = np.argsort(order, axis=1)
        ids, mask, columns = (
            np.take_along_axis(array, order, axis=1)
            for array in (self.ids, self.mask, self.columns)
        )
        position = place[self.anchors.window, self.anchors.position]
        anchors = replace(self.anchors, position=position)
        return WindowBatch(self.doc, ids, mask, columns, anchors, order)
