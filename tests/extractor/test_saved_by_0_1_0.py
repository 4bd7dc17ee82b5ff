"""Folders that 0.1.0 saved load, and give the scores that they gave."""

from pathlib import Path

import numpy as np
import pytest
import spacy
import srsly
from spacy.language import Language

from ..util import birth_examples

FOLDER = Path(__file__).parents[1] / "fixtures" / "saved_0_1_0"
HEADS = sorted(path.parent.name for path in FOLDER.glob("*/config.cfg"))
NAME = "doc_relation_extractor"


def check_scores(nlp: Language, folder: Path) -> None:
    docs = [example.reference for example in birth_examples(nlp.vocab)]
    expected = srsly.read_json(folder / "scores.json")
    found = nlp.get_pipe(NAME).predict(docs)
    assert len(found) == len(expected) == 8
    for scores, old in zip(found, expected, strict=True):
        np.testing.assert_allclose(scores.scores, old, rtol=0, atol=1e-6)


@pytest.mark.parametrize("head", HEADS)
def test_a_component_gives_the_same_scores(head):
    folder = FOLDER / head
    config = spacy.util.load_config(folder / "config.cfg")
    nlp = spacy.util.load_model_from_config(config)
    extractor = nlp.get_pipe(NAME)
    extractor.from_disk(folder / NAME, exclude=["vocab"])
    assert extractor.labels == ("born", "died")
    assert extractor.cfg["threshold"] == pytest.approx(0.3)
    check_scores(nlp, folder)


def test_a_pipeline_gives_the_same_scores():
    nlp = spacy.load(FOLDER / "atlop")
    assert nlp.pipe_names == [NAME]
    check_scores(nlp, FOLDER / "atlop")
