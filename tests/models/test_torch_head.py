"""What makes one file of a method."""

import inspect
import pickle
from itertools import product
from typing import get_args

import pytest
import spacy
import torch
from confection import ConfigValidationError
from spacy.util import registry

from spacy_docre.models.encoding import Targets
from spacy_docre.models.heads.rsman import RSMAN, RSMANHead, Similarity
from spacy_docre.models.layers.pooled_bilinear import PooledBilinear
from spacy_docre.models.objective import PairLoss
from spacy_docre.models.relation_model import relation_head
from spacy_docre.models.torch_head import HeadSizes, TypewiseHead, head_factory

from ..methods import HEADS, OF_HEADS
from ..util import birth_examples, random_encoding, rest_slow


class FourthHead(TypewiseHead):
    """A method of somebody else.

    sizes (HeadSizes): The sizes of encoder and data.
    width (int): A setting.
    """

    def __init__(self, sizes: HeadSizes, *, width: int = 4) -> None:
        super().__init__(sizes.n_labels)
        self.pairs = PooledBilinear(
            sizes.width, sizes.n_labels, reduced_width=width, distance_width=0
        )

    def logits(self, encoding):
        return self.pairs(encoding)


Fourth = head_factory("fourth", FourthHead)


def test_factory_has_the_settings_of_the_class():
    sizes, *settings = inspect.signature(RSMANHead).parameters.values()
    assert sizes.name == "sizes"
    assert list(inspect.signature(RSMAN).parameters.values()) == settings
    assert inspect.signature(RSMAN).parameters["similarity"].annotation is Similarity
    assert inspect.unwrap(RSMAN) is RSMANHead
    assert "prototype_width (int)" in RSMAN.__doc__
    assert "HeadSizes" not in RSMAN.__doc__
    assert pickle.loads(pickle.dumps(RSMAN)) is RSMAN


def test_defaults_are_filled_in_and_settings_are_checked():
    config = {"head": {"@architectures": "spacy-docre.RSMAN.v1"}}
    filled = registry.fill(config)["head"]
    assert filled.pop("@architectures") == "spacy-docre.RSMAN.v1"
    assert filled == {
        name: parameter.default for name, parameter in inspect.signature(RSMAN).parameters.items()
    }
    assert registry.resolve(config)["head"].name == "rsman"
    for wrong in ({"similarity": "cosine"}, {"prototype_width": "wide"}, {"unknown": 1}):
        with pytest.raises(ConfigValidationError, match=next(iter(wrong))):
            registry.resolve({"head": {**config["head"], **wrong}})
    with pytest.raises(TypeError, match="unknown"):
        RSMAN(unknown=1)


def test_a_method_is_one_file(tmp_path):
    """This one: a class, its factory, and a name in the registry."""
    registry.architectures("tests.Fourth.v1", func=Fourth)
    nlp = spacy.blank("xx")
    head = {"@architectures": "tests.Fourth.v1", "width": 5}
    nlp.add_pipe("doc_relation_extractor", config={"model": {"head": head}})
    examples = birth_examples(nlp.vocab, 2)
    nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=nlp.create_optimizer())
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path).get_pipe("doc_relation_extractor")
    assert loaded.model.get_ref("head").name == "fourth"
    module = relation_head(loaded.model.get_ref("head"))
    assert isinstance(module, FourthHead)
    assert module.pairs.reduction.out_features == 5


def test_every_method_is_put_through_the_contract_tests():
    names = {head["@architectures"] for head in HEADS.values()}
    points = spacy.util.registry.architectures.get_entry_points()
    modules = {name: point.__module__ for name, point in points.items()}
    heads = {name for name, module in modules.items() if "docre.models.heads." in module}
    assert names == heads


@pytest.mark.parametrize(
    ("name", "loss"),
    rest_slow(
        product(sorted(HEADS.keys() - OF_HEADS), get_args(PairLoss)),
        lambda pair: pair[0] == "atlop" or pair[1] == "adaptive_threshold",
    ),
)
def test_every_head_learns_by_every_loss(name, loss):
    settings = dict(HEADS[name])
    head_class = inspect.unwrap(registry.architectures.get(settings.pop("@architectures")))
    encoding = random_encoding(0, [4, 3], width=8, max_length=15, dtype=torch.float32)
    sizes = HeadSizes(width=8, n_heads=2, n_labels=5, n_types=3)
    torch.manual_seed(0)
    head = head_class(sizes, **{**settings, "loss": loss})
    assert head.needs_threshold == loss.startswith("bce")
    prior = torch.tensor([0.1, 0.02, 0.3, 0.01, 0.05])
    head.start_at(prior)
    if head.needs_threshold:
        torch.testing.assert_close(torch.sigmoid(head.output_bias), prior)
    torch.manual_seed(1)
    targets = Targets(torch.rand(18, 5) < 0.2, torch.rand(18) < 0.9)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    losses = []
    for _ in range(12):
        output = head(encoding)
        assert output.logits.shape == (18, 5)
        value = head.loss(output, targets)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert head.output_bias.grad.any()
    assert min(losses[6:]) < losses[0]
