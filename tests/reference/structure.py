"""SSAN's structure of a window without what spares memory."""

import numpy as np


def dense(structure, w):
    """[l, l] The structure of a window in the order of the document."""
    order = structure.order[w]
    n_first, length = structure.rows.shape[1:]
    full = np.zeros((length, length), dtype=int)
    full[order[:n_first]] = structure.rows[w][:, np.argsort(order)]
    full[:, order[:n_first]] = full[order[:n_first]].T
    return full
