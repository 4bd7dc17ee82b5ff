"""Models that were saved before heads had a version keep what they were trained with."""

import pytest
import spacy
import srsly
from safetensors.torch import load, save

from spacy_docre.models.relation_model import relation_head
from spacy_docre.models.torch_head import HEAD_VERSION
from spacy_docre.models.torch_module import lazy_shim

from ..methods import add_extractor
from ..util import birth_examples


def saved(head, folder):
    """A folder of a pipeline, as today's package saves it."""
    nlp = spacy.blank("xx")
    add_extractor(nlp, head, "cnn")
    nlp.initialize(lambda: birth_examples(nlp.vocab))
    nlp.to_disk(folder)
    return folder


def head_of(nlp):
    return nlp.get_pipe("doc_relation_extractor").model.get_ref("head")


def without_version(folder, *names):
    """Take from a saved head its version, and tensors that it did not have then."""
    file = folder / "doc_relation_extractor" / "model"
    model = srsly.msgpack_loads(file.read_bytes())
    for shims in model["shims"]:
        for i, data in enumerate(shims):
            message = srsly.msgpack_loads(data)
            if "version" in (message["sizes"] or {}):
                del message["sizes"]["version"]
                message["weights"] = _without(message["weights"], names)
                shims[i] = srsly.msgpack_dumps(message)
    file.write_bytes(srsly.msgpack_dumps(model))


def _without(weights, names):
    return save({name: t for name, t in load(weights).items() if name not in names})


def test_new_heads_are_of_the_newest_version_and_stay_so(tmp_path):
    nlp = spacy.load(saved("kmgre", tmp_path / "model"))
    assert lazy_shim(head_of(nlp)).cfg["version"] == HEAD_VERSION
    assert relation_head(head_of(nlp)).relation.context == "sum"


def test_saved_kmgre_takes_the_mean_over_heads(tmp_path):
    folder = saved("kmgre", tmp_path / "model")
    without_version(folder, "is_warming_up")
    for _ in range(2):
        nlp = spacy.load(folder)
        head = relation_head(head_of(nlp))
        assert {head.relation.context, head.key.context} == {"mean"}
        # Saved again, it is still what it was.
        nlp.to_disk(folder)


@pytest.mark.parametrize("is_old", [True, False])
def test_saved_paee_normalises_afterwards_and_has_no_skip_connection(is_old, tmp_path):
    folder = saved("paee", tmp_path / "model")
    if is_old:
        without_version(folder)
    head = relation_head(head_of(spacy.load(folder)))
    (layer,) = head.entities.transformer.layers
    assert layer.norm_first != is_old
    assert head.pairs.pair_map.backbone.skip != is_old
