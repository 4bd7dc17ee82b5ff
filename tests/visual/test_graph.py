import re

import pytest
from spacy.vocab import Vocab

from spacy_docre.visual.document import DocumentView
from spacy_docre.visual.graph import MAX_NAME, lay_out

from ..util import make_doc
from .docs import overlapping_doc


def star_doc(n_spokes):
    words = [f"name{i}" for i in range(n_spokes + 1)]
    clusters = [[(i, i + 1)] for i in range(n_spokes + 1)]
    relations = [(0, "r", i) for i in range(1, n_spokes + 1)]
    return make_doc(Vocab(), words, clusters, relations=relations)


def graph_of(doc):
    return lay_out(DocumentView.from_doc(doc))


def test_nodes_and_arrows_are_the_entities_and_pairs_with_relations():
    graph = graph_of(overlapping_doc(Vocab()))
    assert [node.cluster.number for node in graph.nodes] == [0, 1, 2, 5]
    pairs = [(e.relations[0].head.number, e.relations[0].tail.number) for e in graph.edges]
    assert sorted(pairs) == [(0, 1), (0, 2), (0, 5), (1, 1), (2, 5), (5, 2)]


def test_the_same_document_gives_the_same_picture():
    assert graph_of(overlapping_doc(Vocab())) == graph_of(overlapping_doc(Vocab()))


@pytest.mark.parametrize("n_spokes", [1, 5, 11, 30])
def test_names_and_labels_are_inside_the_picture_and_apart(n_spokes):
    graph = graph_of(star_doc(n_spokes))
    for node in graph.nodes:
        assert 0 < node.x < graph.width
        assert 0 < node.y < graph.height - 20
    places = [(node.x, node.y) for node in graph.nodes]
    if not graph.is_dense:
        places += [(edge.x, edge.y) for edge in graph.edges]
    for i, (x, y) in enumerate(places):
        for other_x, other_y in places[:i]:
            assert abs(x - other_x) > 20 or abs(y - other_y) > 10


def test_a_document_without_relations_has_no_graph():
    assert graph_of(make_doc(Vocab(), ["a"], [[(0, 1)]])) is None


def test_arrows_end_at_the_disk_of_their_tail():
    graph = graph_of(star_doc(1))
    head, tail = graph.nodes
    numbers = [float(n) for n in re.findall(r"-?[\d.]+", graph.edges[0].path)]
    for node, (x, y) in ((head, numbers[:2]), (tail, numbers[-2:])):
        assert 7 < ((node.x - x) ** 2 + (node.y - y) ** 2) ** 0.5 < 17


def test_long_names_are_shortened():
    doc = make_doc(Vocab(), ["x" * 99, "y"], [[(0, 1)], [(1, 2)]], relations=[(0, "r", 1)])
    assert len(graph_of(doc).nodes[0].name) == MAX_NAME
