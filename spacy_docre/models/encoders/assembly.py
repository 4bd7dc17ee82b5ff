"""From the outputs of windows to the vectors and attention of documents."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .layout import MentionsInWindows, WindowLayout


@dataclass(frozen=True)
class WindowOutput:
    """What an encoder gives for some windows.

    chunk (np.ndarray): [w] int64. The windows.
    hidden (Tensor): [w, l, d] Their hidden states.
    found (MentionsInWindows): The mentions in them.
    attention (Tensor): [w, K, i, l] The attention rows of each window's mentions.
    """

    chunk: np.ndarray
    hidden: Tensor
    found: MentionsInWindows
    attention: Tensor


def assemble(
    layout: WindowLayout, outputs: Sequence[WindowOutput]
) -> tuple[Tensor, Tensor, Tensor]:
    """Put the windows of a batch together. A wordpiece in several windows has the mean of its
    states. The attention rows of a mention in several windows are summed, each in its window's
    columns, and normalised.

    layout (WindowLayout): The layout of the batch.
    outputs (Sequence[WindowOutput]): The outputs of all its windows.
    RETURNS (tuple[Tensor, Tensor, Tensor]): [B, L, d] the tokens, [M, d] the mentions (their start
        markers) and [K, M, L] their attention.
    """
    n_docs, n_mentions = len(layout.lengths), len(layout.mention_doc)
    n_columns = int(layout.lengths.max())
    hidden, attention = outputs[0].hidden, outputs[0].attention
    # Positions that no document keeps go to one more cell behind the last.
    states = hidden.new_zeros(n_docs * n_columns + 1, hidden.shape[2])
    rows = attention.new_zeros(n_mentions * n_columns + 1, attention.shape[1])
    counts = np.zeros(len(states))
    for output in outputs:
        columns = layout.columns(output.chunk, output.hidden.shape[1])
        cells = _cells(layout.windows.doc[output.chunk], columns, n_columns, len(states) - 1)
        np.add.at(counts, cells, 1)
        states = states.index_add(0, _tensor(cells, states), output.hidden.flatten(0, 1))
        found = output.found
        cells = _cells(found.mention, columns[found.window], n_columns, len(rows) - 1)
        window, slot = _tensor(found.window, rows), _tensor(found.slot, rows)
        by_column = output.attention[window, :, slot].transpose(1, 2).flatten(0, 1)  # [I * l, K]
        rows = rows.index_add(0, _tensor(cells, rows), by_column)
    states = states[:-1] / _tensor(np.maximum(counts[:-1, None], 1), states).to(states.dtype)
    mention = states[_tensor(layout.mention_doc * n_columns + layout.mention_column, states)]
    rows = rows[:-1].unflatten(0, (n_mentions, n_columns)).permute(2, 0, 1)
    total = rows.sum(dim=2, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny)
    return states.unflatten(0, (n_docs, n_columns)), mention, rows / total


def _cells(owner: np.ndarray, columns: np.ndarray, n_columns: int, dump: int) -> np.ndarray:
    return np.where(columns < 0, dump, owner[:, None] * n_columns + columns).ravel()


def _tensor(array: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(array).to(like.device)
