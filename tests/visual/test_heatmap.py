import warnings

import numpy as np
import pytest
import spacy
from spacy.vocab import Vocab

from spacy_docre import DocreError, get_clusters
from spacy_docre.extractor.pipeline import find_extractor
from spacy_docre.models.batch import ClusterBatch
from spacy_docre.visual.heatmap import find_cluster, plot_key_mentions, plot_mention_attention

from ..methods import add_extractor
from ..util import birth_doc, birth_examples, make_doc

pytest.importorskip("matplotlib")


def pipeline(head):
    nlp = spacy.blank("xx")
    add_extractor(nlp, head, "cnn")
    examples = birth_examples(nlp.vocab, 2)
    nlp.initialize(lambda: examples)
    return nlp


@pytest.fixture(scope="module")
def rsman():
    return pipeline("rsman")


@pytest.fixture(scope="module")
def kmgre():
    return pipeline("kmgre")


def values(figure):
    return figure.axes[0].images[0].get_array().data


def ticks(figure):
    axes = figure.axes[0]
    return tuple(
        [label.get_text() for label in axis.get_ticklabels()] for axis in (axes.yaxis, axes.xaxis)
    )


def test_attention_is_that_of_the_head_and_sums_to_one(rsman):
    doc = birth_doc(rsman.vocab, 0)
    figure = plot_mention_attention(rsman, doc, "entity_clusters_1", ["died", "born"])
    assert ticks(figure) == (["1  Ada", "2  Ada"], ["died", "born"])
    assert values(figure).sum(axis=0) == pytest.approx([1, 1], abs=1e-5)
    _, extractor = find_extractor(rsman)
    batch = ClusterBatch.from_docs([doc], entity_types=extractor.cfg["entity_types"])
    attention = extractor.model.predict(([doc], batch)).aux["attention"].numpy()
    assert values(figure) == pytest.approx(attention[:2, ::-1])


def test_rows_are_in_the_order_of_the_text(rsman):
    words = ["Bob", "met", "Ada", "and", "her"]
    doc = make_doc(rsman.vocab, words, [[(4, 5), (2, 3)], [(0, 1)]])
    rows, columns = ticks(plot_mention_attention(rsman, doc, get_clusters(doc)[0]))
    assert rows == ["1  Ada", "2  her"]
    assert columns == ["born", "died"]


def test_labels_are_those_of_the_entitys_relations(rsman):
    doc = birth_doc(rsman.vocab, 0)
    doc._.relations = [r for r in doc._.relations if r.label == "died"]
    assert ticks(plot_mention_attention(rsman, doc, "entity_clusters_1"))[1] == ["died"]


def test_key_mentions_are_those_of_the_head(kmgre):
    words = ["Oslo", "saw", "Ada", "and", "her", ";", "she", "left", "Oslo"]
    doc = make_doc(kmgre.vocab, words, [[(6, 7), (2, 3), (4, 5)], [(0, 1)], [(8, 9), (0, 1)]])
    figure = plot_key_mentions(kmgre, doc, "entity_clusters_1", "entity_clusters_3")
    assert ticks(figure) == (["1  Ada", "2  her", "3  she"], ["1  Oslo", "2  Oslo"])
    _, extractor = find_extractor(kmgre)
    batch = ClusterBatch.from_docs([doc], entity_types=extractor.cfg["entity_types"])
    output = extractor.model.predict(([doc], batch))
    index = {name: tensor.numpy() for name, tensor in output.index.items()}
    framed = 0
    for row, first in enumerate((1, 2, 0)):
        for column, second in enumerate((5, 4)):
            [pair] = np.flatnonzero((index["first"] == first) & (index["second"] == second))
            expected = 1 / (1 + np.exp(-output.aux["key"][pair].item()))
            assert values(figure)[row, column] == pytest.approx(expected, abs=1e-6)
            framed += index["is_key"][pair]
    assert 0 < framed == len([p for p in figure.axes[0].patches if not p.get_fill()])


def test_other_heads_are_told_which_have_weights(rsman, kmgre):
    doc = birth_doc(rsman.vocab, 0)
    with pytest.raises(DocreError, match=r"KMGRE\.v1'.* has no relation-specific .*RSMAN\.v1'"):
        plot_mention_attention(kmgre, birth_doc(kmgre.vocab, 0), "Ada")
    with pytest.raises(DocreError, match=r"RSMAN\.v1'.* has no probabilities .*KMGRE\.v1'"):
        plot_key_mentions(rsman, doc, "Ada", "Oslo")
    # Its attention from mentions to tokens is something else.
    with pytest.raises(DocreError, match=r"ATLOP\.v1'.* has no relation-specific"):
        plot_mention_attention(pipeline("atlop"), doc, "Ada")


def test_what_is_not_there_is_an_error(rsman, kmgre):
    doc = birth_doc(rsman.vocab, 0)
    with pytest.raises(DocreError, match=r"no entity 'Eve'.*1 Ada, 2 Oslo"):
        plot_mention_attention(rsman, doc, "Eve")
    with pytest.raises(DocreError, match="`labels` must be among born, died"):
        plot_mention_attention(rsman, doc, "Ada", ["wed"])
    with pytest.raises(DocreError, match="at least 2"):
        plot_mention_attention(rsman, make_doc(rsman.vocab, ["a"], [[(0, 1)]]), "a")
    with pytest.raises(DocreError, match="another entity"):
        plot_key_mentions(kmgre, birth_doc(kmgre.vocab, 0), "Ada", "ada")


def test_entities_are_found_as_people_call_them():
    doc = make_doc(Vocab(), ["Ada", "Lovelace", "1", "Ada"], [[(0, 2), (3, 4)], [], [(2, 3)]])
    for name in ("entity_clusters_1", "1", "ada lovelace", "ADA"):
        assert find_cluster(doc, name, prefix="entity_clusters").key == "entity_clusters_1"
    del doc.spans["entity_clusters_2"]
    assert find_cluster(doc, "2", prefix="entity_clusters").key == "entity_clusters_3"
    doc.spans["entity_clusters_2"] = []
    with pytest.raises(DocreError, match="1 Ada Lovelace, 3 1"):
        find_cluster(doc, "2", prefix="entity_clusters")


def test_hostile_names_are_no_formulas(rsman, tmp_path):
    words = ["$\\frac{", "\u202e$x^$", "a\nb"]
    doc = make_doc(rsman.vocab, words, [[(0, 1), (1, 2)], [(2, 3)]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        plot_mention_attention(rsman, doc, "1").savefig(tmp_path / "hostile.png")
    assert (tmp_path / "hostile.png").stat().st_size > 1000
