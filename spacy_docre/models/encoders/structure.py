"""Which entity structure holds between any two wordpieces of a window."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from .layout import WindowLayout


class Structure(IntEnum):
    """The relation between two wordpieces (Xu et al. 2021, SSAN): both are in mentions
    of the same entity (`COREF`) or of different entities (`RELATE`), in the same sentence (`INTRA`)
    or in two (`INTER`); or one is in a mention and the other is not, in the same sentence
    (`INTRA_NE`). Special tokens and padding have none."""

    NONE = 0
    INTRA_COREF = 1
    INTRA_RELATE = 2
    INTER_COREF = 3
    INTER_RELATE = 4
    INTRA_NE = 5


N_STRUCTURES = len(Structure) - 1


@dataclass(frozen=True)
class WindowStructure:
    """The structure of some windows. It is symmetric, and none of it holds between two wordpieces
    outside of mentions, so that the rows of the wordpieces in mentions say everything. An order of
    the wordpieces in which those come first makes them one block.

    order (np.ndarray): [w, l] int64. The position of each wordpiece, in the new order: wordpieces
        in mentions, other wordpieces and special tokens, padding.
    rows (np.ndarray): [w, e, l] uint8. The `Structure` between each window's first e wordpieces and
        all, in the new order; e is the largest number of wordpieces in mentions in a window.
    """

    order: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, layout: WindowLayout, chunk: np.ndarray) -> "WindowStructure":
        """Two wordpieces that share an entity count as coreferent, even if they are in mentions of
        different entities as well: mentions overlap.

        layout (WindowLayout): The layout of the batch.
        chunk (np.ndarray): [w] int64. The windows.
        RETURNS (WindowStructure): The structure.
        """
        sentence = _sentences(layout, chunk)
        clusters = layout.clusters
        window, mention, position = layout.occurrences(chunk, *layout.marked.mention_pieces)
        is_entity = np.zeros(sentence.shape, dtype=bool)
        is_entity[window, position] = True
        order = np.argsort(~is_entity, axis=1, kind="stable")
        n_first = int(is_entity.sum(axis=1).max(initial=0))
        place = np.argsort(order, axis=1)[window, position]
        slot = clusters.entity_slot[clusters.mention_entity[mention]]
        member = np.zeros((len(chunk), n_first, clusters.max_entities), dtype=np.float32)
        member[window, place, slot] = 1
        sentence = np.take_along_axis(sentence, order, axis=1)
        is_entity = np.take_along_axis(is_entity, order, axis=1)
        is_intra = sentence[:, :n_first, None] == sentence[:, None, :]
        is_any = is_entity[:, :n_first, None] | is_entity[:, None, :]
        rows = np.where(is_any & is_intra, Structure.INTRA_NE, Structure.NONE).astype(np.uint8)
        near = is_intra[:, :, :n_first]
        is_coref = member @ member.transpose(0, 2, 1) > 0
        both = np.where(
            is_coref,
            np.where(near, Structure.INTRA_COREF, Structure.INTER_COREF),
            np.where(near, Structure.INTRA_RELATE, Structure.INTER_RELATE),
        )
        is_both = is_entity[:, :n_first, None] & is_entity[:, None, :n_first]
        rows[:, :, :n_first] = np.where(is_both, both, rows[:, :, :n_first])
        return cls(order, rows)


def _sentences(layout: WindowLayout, chunk: np.ndarray) -> np.ndarray:
    """[w, l] int64. The sentence of each wordpiece and marker in some windows, -1 for special
    tokens and padding."""
    start, end = layout.windows.start[chunk, None], layout.windows.end[chunk, None]
    width = int(layout.window_lengths[chunk].max(initial=0))
    within = np.arange(width) - len(layout.specials.prefix)
    offset = np.cumsum(layout.marked.lengths) - layout.marked.lengths
    is_content = (within >= 0) & (within < end - start)
    position = offset[layout.windows.doc[chunk], None] + start + within
    sentence = np.append(layout.marked.sentence, -1)
    return sentence[np.where(is_content, position, -1)]
