"""The graph of a document with very many entities."""

import numpy as np
import pytest

from spacy_docre.visual import graph


def test_nodes_are_compared_with_each_other_only_where_they_are_few(monkeypatch):
    monkeypatch.setattr(graph, "_separate", lambda *_: pytest.fail("each was compared with all"))
    sizes, links = np.ones((500, 2)), [(slot, slot + 1) for slot in range(499)]
    assert len(graph._place(sizes, links, 400)) == 500
