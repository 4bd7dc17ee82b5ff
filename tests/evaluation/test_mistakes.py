import json

import pytest
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_docre.evaluation.mistakes import analyse_errors
from spacy_docre.visual.mistakes import lay_out_confusions, mistakes_page

from ..util import make_doc

WORDS = ["Ada", "met", "Bela", ".", "She", "knew", "Oslo", ".", "Riga"]
CLUSTERS = [[(0, 1), (4, 5)], [(2, 3)], [(6, 7)], [(8, 9)]]
TYPES = ["PERSON", "PERSON", "GPE", "GPE"]
GOLD = [(0, "born", 2), (0, "knows", 1), (1, "died", 2), (0, "died", 3), (1, "knows", 0)]
# Right; of the wrong type; of the wrong direction; wrong.
PREDICTED = [
    (0, "born", 2, 0.9),
    (1, "born", 2, 0.7),
    (3, "died", 0, 0.8),
    (2, "born", 3, 0.95),
    (1, "knows", 0, 0.6),
]


def doc_of(relations, vocab):
    doc = make_doc(
        vocab,
        WORDS,
        CLUSTERS,
        types=TYPES,
        relations=[r[:3] for r in relations],
        sent_starts=(0, 4, 8),
    )
    doc.user_data["title"] = "<Ada>"
    doc._.relations = [
        {**dict(relation), "score": r[3]} if len(r) > 3 else relation
        for relation, r in zip(doc._.relations, relations, strict=True)
    ]
    return doc


@pytest.fixture(scope="module")
def analysis():
    vocab = Vocab()
    return analyse_errors([Example(doc_of(PREDICTED, vocab), doc_of(GOLD, vocab))])


def test_kinds_of_mistakes_the_surest_first(analysis):
    found = [(m.kind, m.head.name, m.predicted, m.gold, m.tail.name) for m in analysis.mistakes]
    assert found == [
        ("wrong", "Oslo", "born", None, "Riga"),
        ("direction", "Riga", "died", "died", "Ada"),
        ("type", "Bela", "born", "died", "Oslo"),
        ("missed", "Ada", None, "knows", "Bela"),
    ]
    assert [m.score for m in analysis.mistakes] == pytest.approx([0.95, 0.8, 0.7, None])
    assert [m.distance for m in analysis.mistakes] == [1, 1, 1, 0]
    assert analysis.mistakes[3].text == "Ada met Bela ."
    assert analysis.mistakes[1].text == "She knew Oslo . Riga"
    assert analysis.mistakes[1].title == "<Ada>"
    json.dumps([m.to_dict() for m in analysis.mistakes])


def test_counts(analysis):
    total = analysis.total
    assert (total.gold, total.predicted, total.correct, total.f1) == (5, 5, 2, 0.4)
    assert total.mistakes == {"wrong": 1, "type": 1, "direction": 1, "missed": 1}
    died = analysis.by_type["died"]
    assert (died.gold, died.predicted, died.correct) == (2, 1, 0)
    assert died.mistakes == {"wrong": 0, "type": 1, "direction": 1, "missed": 0}
    near = analysis.by_distance["Distance 0 sentences"]
    assert (near.gold, near.predicted, near.mistakes["missed"]) == (3, 2, 1)
    one = analysis.by_mentions["Mean mentions [1, 2)"]
    assert (one.gold, one.predicted) == (5, 5)


def test_confusions_leave_directions_out(analysis):
    assert analysis.confusions == {
        ("born", "born"): 1,
        ("knows", "knows"): 1,
        ("", "born"): 1,
        ("died", "born"): 1,
        ("knows", ""): 1,
    }
    picture = lay_out_confusions(analysis.confusions)
    assert [name for _, name in picture.names] == ["born", "knows", "died", "no relation"]
    cell = next(c for c in picture.cells if c.title == "died, predicted: born: 1")
    assert (cell.x, cell.y) == (picture.margin, picture.margin + 60)


def test_page_escapes_what_documents_hold(analysis):
    page = mistakes_page(analysis, "<m> · dev")
    assert "<bdi>&lt;m&gt; · dev</bdi>" in page
    assert "<Ada>" not in page
    assert "script" not in page


def test_documents_that_are_not_annotated_are_left_out():
    vocab = Vocab()
    bare = make_doc(vocab, WORDS, CLUSTERS)
    found = analyse_errors([Example(bare.copy(), bare)])
    assert found.mistakes == []
    assert mistakes_page(found, "none")
