"""Settings that are found on data."""

import pytest
import spacy

from spacy_docre.extractor.pipeline import change_settings, find_extractor

from ..methods import add_extractor
from ..util import birth_examples


@pytest.mark.parametrize(
    "labels",
    [
        ("born in", "died: when"),
        (":", " "),
        ("", "\n"),
        ("[x]", "a = b"),
        ("${paths.train}", "%(x)s"),
    ],
)
def test_thresholds_of_any_labels_are_saved(labels, tmp_path):
    nlp = spacy.blank("xx")
    extractor = add_extractor(nlp, "bilinear", "cnn")
    examples = birth_examples(nlp.vocab, 1)
    for eg in examples:
        eg.reference._.relations = []
    extractor.initialize(lambda: examples, nlp=nlp, labels=labels)
    own = dict(zip(labels, (0.25, 0.75), strict=True))
    change_settings(nlp, threshold=0.4, thresholds=own)
    nlp.to_disk(tmp_path)
    _, loaded = find_extractor(spacy.load(tmp_path))
    assert loaded.cfg["threshold"] == 0.4
    assert loaded.cfg["thresholds"] == own
