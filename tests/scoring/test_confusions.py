from spacy.training import Example
from spacy.vocab import Vocab

from spacy_docre.scoring.confusions import confused_types
from spacy_docre.scoring.judgement import judge_relations

from ..util import make_doc

VOCAB = Vocab()


def example(gold, predicted):
    docs = (
        make_doc(VOCAB, ["a"] * 3, [[(i, i + 1)] for i in range(3)], relations=relations)
        for relations in (predicted, gold)
    )
    return Example(*docs)


def test_a_missed_type_and_a_wrong_one_of_the_same_pair_are_confused():
    examples = [
        example([(0, "born", 1)], [(0, "died", 1)]),
        # Of the other direction, right beside wrong, and missed alone: no confusion.
        example([(0, "born", 1)], [(1, "died", 0)]),
        example([(0, "born", 1)], [(0, "born", 1), (0, "died", 1)]),
        example([(0, "born", 1), (0, "in", 2)], [(0, "died", 1)]),
        example([(0, "in", 2)], [(0, "died", 2)]),
    ]
    confused = confused_types(judge_relations(examples))
    assert confused == [
        {"gold": "born", "predicted": "died", "count": 2},
        {"gold": "in", "predicted": "died", "count": 1},
    ]
    assert confused_types(judge_relations(examples), n=1) == confused[:1]
    assert confused_types(judge_relations([])) == []
