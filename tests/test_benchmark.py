import pytest
import spacy

from spacy_docre.benchmark import benchmark
from spacy_docre.errors import DocreError

from .methods import add_extractor
from .util import birth_examples


def make_extractor(encoder, transformer):
    nlp = spacy.blank("en")
    extractor = add_extractor(nlp, "rsman", encoder, transformer)
    examples = birth_examples(nlp.vocab, 3)
    nlp.initialize(lambda: examples)
    return extractor, examples


@pytest.mark.parametrize("encoder", ["transformer", "ssan"])
def test_every_step_is_timed_beside_the_bare_encoder(encoder, tiny_bert):
    extractor, examples = make_extractor(encoder, tiny_bert)
    timings = benchmark(extractor, examples, batch_size=2, repeats=3)
    assert list(timings) == ["inference", "training"]
    for timing in timings.values():
        assert len(timing.bare) == len(timing.full) == 3
        assert min(*timing.bare, *timing.full) > 0
        ratios = sorted(f / b for f, b in zip(timing.full, timing.bare, strict=True))
        assert timing.ratio == ratios[1]
        assert timing.full_memory is None or timing.full_memory > 2**20
    parameters = extractor.model.get_ref("head").shims[0].require_built().parameters()
    assert all(p.grad is None for p in parameters)


def test_encoders_without_a_bare_one_are_refused(tiny_bert):
    extractor, examples = make_extractor("cnn", tiny_bert)
    with pytest.raises(DocreError, match="D022"):
        benchmark(extractor, examples)
