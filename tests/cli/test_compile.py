"""`compile`: a pipeline that loads as any other, with the scores that are printed."""

import numpy as np
import pytest
import spacy

from spacy_docre.models import compiling

from ..commands import run
from ..configs import save_births
from ..saved import NAME
from ..util import birth_doc

needs_openvino = pytest.mark.skipif(
    compiling.load_openvino() is None, reason="compiling needs the extra `openvino`"
)


def scores(nlp):
    return nlp.get_pipe(NAME).predict([birth_doc(nlp.vocab, 1)])[0].scores


@needs_openvino
def test_the_change_of_scores_is_printed(saved, tmp_path):
    _, path = saved["transformer"]
    corpus = save_births(tmp_path / "births.spacy", 4)
    output = " ".join(run("compile", path, tmp_path / "fast", "--data", corpus).split())
    assert "Gold clusters, in fp32" in output
    assert "The largest change of a pair's score: 0.00000" in output
    assert f"{NAME} 0." in output
    fast = spacy.load(tmp_path / "fast")
    np.testing.assert_allclose(scores(fast), scores(spacy.load(path)), rtol=0, atol=1e-5)
    assert fast.get_pipe(NAME).model.get_ref("encoder").shims[0].compiled is not None


@needs_openvino
@pytest.mark.slow
def test_integers(saved, tmp_path):
    if compiling._load_nncf() is None:
        pytest.skip("8-bit integers need the extra `int8`")
    _, path = saved["transformer"]
    corpus = save_births(tmp_path / "births.spacy", 4)
    output = run("compile", path, tmp_path / "fast", "--precision", "int8", "--data", corpus)
    assert "in int8" in output
    fast = spacy.load(tmp_path / "fast")
    np.testing.assert_allclose(scores(fast), scores(spacy.load(path)), rtol=0, atol=0.05)


@needs_openvino
def test_what_is_refused(saved, tmp_path):
    _, path = saved["transformer"]
    (tmp_path / "thesis.txt").write_text("three years")
    assert "D175" in run("compile", path, tmp_path, code=1)
    assert (tmp_path / "thesis.txt").read_text() == "three years"
    out = tmp_path / "out"
    assert "fp32, bf16, int8" in run("compile", path, out, "--precision", "int4", code=2)
    assert "D201" in run("compile", path, out, "--precision", "int8", code=1)
    assert "D200" in run("compile", saved["cnn"][1], out, code=1)
    assert not out.exists()


def test_without_openvino(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "load_openvino", lambda: None)
    output = run("compile", saved["transformer"][1], tmp_path / "out", code=1)
    assert "D021" in output
    assert "pip install -e '.[openvino]'" in output
