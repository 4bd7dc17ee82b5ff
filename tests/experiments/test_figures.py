"""The figures of heads, against loops over entities and mention pairs."""

import math

import pytest
import torch

from spacy_docre.experiments.figures import HeadFigures, attention_entropy, extractor_figures

from ..methods import initialised
from ..models.heads import small_kmgre, twin_encoding
from ..util import birth_examples


def slow_entropy(weights):
    return -sum(w * math.log(w) for w in weights if w) / math.log(len(weights))


def test_entropy_equals_a_loop():
    entity = torch.tensor([0, 0, 1, 2, 2, 2])
    attention = torch.tensor(
        [[0.5, 1.0], [0.5, 0.0], [1, 1], [0.2, 1 / 3], [0.3, 1 / 3], [0.5, 1 / 3]]
    )
    expected = [
        [slow_entropy(attention[entity == i, label].tolist()) for label in (0, 1)] for i in (0, 2)
    ]
    torch.testing.assert_close(attention_entropy(attention, entity), torch.tensor(expected))
    assert expected[0] == [1.0, 0.0]


def test_share_of_mention_pairs_is_over_all_batches():
    head = small_kmgre()
    figures, is_key = HeadFigures(head), []
    for seed, entities in enumerate([[2, 5], [0], [3]]):
        encoding = twin_encoding(seed, entities)
        output = head(encoding)
        figures.add(encoding, output)
        is_key += output.index["is_key"].tolist()
    assert figures.values() == {"key_share": pytest.approx(sum(is_key) / len(is_key))}


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ("rsman", {"n_types", "attention_entropy"}),
        ("kmgre", {"n_types", "key_share"}),
        ("atlop", {"n_types"}),
    ],
)
def test_figures_of_a_pipeline(head, names):
    nlp = initialised(head, "cnn")
    extractor = nlp.get_pipe("doc_relation_extractor")
    docs = [eg.reference.copy() for eg in birth_examples(nlp.vocab, 5)]
    figures = extractor_figures(extractor, docs)
    assert set(figures) == names
    assert figures["n_types"] == 2
