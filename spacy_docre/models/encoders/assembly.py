"""From the outputs of windows to the vectors and attention of documents."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..encoding import to_device
from ..layers.segments import segment_mean
from .layout import WindowBatch, WindowLayout


@dataclass(frozen=True)
class WindowOutput:
    """What an encoder gives for some windows.

    batch (WindowBatch): The windows.
    hidden (Tensor): [w, l, d] Their hidden states.
    attention (Tensor): [w, K, i, l] The attention rows of each window's mentions.
    """

    batch: WindowBatch
    hidden: Tensor
    attention: Tensor


def assemble(
    layout: WindowLayout, outputs: Sequence[WindowOutput]
) -> tuple[Tensor, Tensor, Tensor]:
    """Put the windows of a batch together. A wordpiece in several windows has the mean of its
    states. A mention has the mean of its anchors' states, one start marker or all wordpieces. The
    attention rows of its anchors in all windows are summed, each in its window's columns, and
    normalised.

    layout (WindowLayout): The layout of the batch.
    outputs (Sequence[WindowOutput]): The outputs of all its windows.
    RETURNS (tuple[Tensor, Tensor, Tensor]): [B, L, d] the tokens, [M, d] the mentions and
        [K, M, L] their attention.
    """
    n_docs, n_mentions = len(layout.lengths), len(layout.marked.mention_position)
    n_columns = int(layout.lengths.max())
    hidden, attention = outputs[0].hidden, outputs[0].attention
    # Positions that no document keeps go to one more cell behind the last.
    states = hidden.new_zeros(n_docs * n_columns + 1, hidden.shape[2])
    rows = attention.new_zeros(n_mentions * n_columns + 1, attention.shape[1])
    counts = np.zeros(len(states), dtype=np.int64)
    for output in outputs:
        columns, anchors = output.batch.columns, output.batch.anchors
        cells = _cells(output.batch.doc, columns, n_columns, len(states) - 1)
        counts += np.bincount(cells, minlength=len(counts))
        index = to_device(
            states.device,
            state=cells,
            row=_cells(anchors.mention, columns[anchors.window], n_columns, len(rows) - 1),
            window=anchors.window,
            slot=anchors.slot,
        )
        # In place: a copy for each window would make the time grow with the square of the windows.
        states.index_add_(0, index["state"], output.hidden.flatten(0, 1))
        by_column = output.attention[index["window"], :, index["slot"]]  # [I, K, l]
        rows.index_add_(0, index["row"], by_column.transpose(1, 2).flatten(0, 1))
    of_mention, anchor_cells = layout.anchor_cells
    index = to_device(
        states.device,
        counts=np.maximum(counts[:-1, None], 1),
        of_mention=of_mention,
        anchor_cells=anchor_cells,
    )
    states = states[:-1] / index["counts"].to(states.dtype)
    mention = segment_mean(states[index["anchor_cells"]], index["of_mention"], n_mentions)
    rows = rows[:-1].unflatten(0, (n_mentions, n_columns)).permute(2, 0, 1)
    total = rows.sum(dim=2, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny)
    return states.unflatten(0, (n_docs, n_columns)), mention, rows / total


def _cells(owner: np.ndarray, columns: np.ndarray, n_columns: int, dump: int) -> np.ndarray:
    return np.where(columns < 0, dump, owner[:, None] * n_columns + columns).ravel()
