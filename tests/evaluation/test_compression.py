"""`compress`: any pipeline, smaller, with the scores that are printed."""

import itertools

import numpy as np
import pytest
import safetensors.torch
import spacy
import srsly

from spacy_docre import DocreError
from spacy_docre.evaluation.compression import largest_change, sizes
from spacy_docre.extractor.decoding import PairScores

from ..commands import run
from ..configs import save_births
from ..saved import NAME, PIPELINES
from ..util import birth_doc, birth_examples, rest_slow


def scores(nlp):
    return nlp.get_pipe(NAME).predict([birth_doc(nlp.vocab, 1)])[0].scores


def stored(folder):
    """The names in the files of all PyTorch modules of an extractor."""
    shims = srsly.msgpack_loads((folder / NAME / "model").read_bytes())["shims"]
    messages = [srsly.msgpack_loads(data) for node in shims for data in node]
    weights = [m.get("weights") or m.get("state") for m in messages]
    return {name for data in weights for name in safetensors.torch.load(data)}


@pytest.mark.parametrize(
    ("encoder", "bits"),
    rest_slow(
        itertools.product(PIPELINES, [8, 16]),
        lambda pair: pair[0] != "twin" and pair != ("cnn", 16),
    ),
)
def test_a_compressed_pipeline_loads_with_its_own_scores(encoder, bits, saved, tmp_path):
    _, path = saved[encoder]
    run("compress", path, tmp_path / "small", "--bits", bits)
    small = spacy.load(tmp_path / "small")
    assert any(name.endswith(":int8" if bits == 8 else ":float16") for name in stored(small.path))
    assert sizes(small.path)[NAME][1] < sizes(path)[NAME][1]
    np.testing.assert_allclose(scores(small), scores(spacy.load(path)), atol=0.1)
    # Saved again, and compressed again, it is the same.
    small.to_disk(tmp_path / "again")
    run("compress", tmp_path / "small", tmp_path / "twice", "--bits", bits)
    for name in ("again", "twice"):
        model = (tmp_path / name / NAME / "model").read_bytes()
        assert model == (tmp_path / "small" / NAME / "model").read_bytes()
        np.testing.assert_array_equal(scores(spacy.load(tmp_path / name)), scores(small))


def test_training_goes_on_with_all_bits(saved, tmp_path):
    _, path = saved["cnn"]
    run("compress", path, tmp_path / "small")
    nlp = spacy.load(tmp_path / "small")
    nlp.update(birth_examples(nlp.vocab, 4), sgd=nlp.resume_training())
    nlp.to_disk(tmp_path / "trained")
    np.testing.assert_array_equal(scores(spacy.load(tmp_path / "trained")), scores(nlp))
    integers = [
        {name for name in stored(tmp_path / folder) if name.endswith(":int8")}
        for folder in ("small", "trained")
    ]
    assert integers[1] < integers[0], "what has no gradient stays as it was"


def test_broken_scales_name_the_file(saved, tmp_path):
    _, path = saved["cnn"]
    run("compress", path, tmp_path / "small")
    file = tmp_path / "small" / NAME / "model"
    data = file.read_bytes()
    assert b":scales" in data
    file.write_bytes(data.replace(b":scales", b":scale_", 1))
    with pytest.raises(DocreError, match="the scales of the tensor") as error:
        spacy.load(tmp_path / "small")
    assert str(file) in str(error.value)


def test_other_components_keep_their_form(tmp_path):
    nlp = spacy.blank("xx")
    tagger = nlp.add_pipe("tagger")
    tagger.add_label("N")
    nlp.initialize()
    nlp.to_disk(tmp_path / "tagger")
    output = run("compress", tmp_path / "tagger", tmp_path / "small")
    assert "tagger" in output
    small = spacy.load(tmp_path / "small").get_pipe("tagger")
    params = [p for node in small.model.walk() for p in map(node.get_param, node.param_names)]
    matrices = [p for p in params if p.ndim > 1 and p.shape[-1] >= 16]
    assert matrices
    assert all(not (p.view(np.int32) & 0xFFFF).any() for p in matrices)
    before, after = sizes(tmp_path / "tagger")["tagger"], sizes(tmp_path / "small")["tagger"]
    assert before[0] == after[0]
    assert after[1] < 0.45 * before[1]


def test_the_change_of_scores_is_printed(saved, tmp_path):
    _, path = saved["cnn"]
    corpus = save_births(tmp_path / "births.spacy", 4)
    output = " ".join(run("compress", path, tmp_path / "small", "--data", corpus).split())
    assert "Gold clusters, in 8 bits" in output
    assert "The largest change of a pair's score: 0.0" in output


def test_largest_change_by_hand():
    def document(*rows):
        return PairScores([], np.zeros(0), np.zeros(0), np.array(rows, dtype=np.float32))

    before = [document([0.5, 0.25], [0.0, 1.0]), document()]
    after = [document([0.5, 0.5], [0.125, 1.0]), document()]
    assert largest_change(before, after) == 0.25
    assert largest_change([], []) == 0


def test_nothing_but_a_pipeline_is_replaced(saved, tmp_path):
    _, path = saved["cnn"]
    (tmp_path / "thesis.txt").write_text("three years")
    output = run("compress", path, tmp_path, code=1)
    assert "D175" in output
    assert (tmp_path / "thesis.txt").read_text() == "three years"
    assert "must be 8 or 16" in run("compress", path, tmp_path / "x", "--bits", 4, code=2)
