from dataclasses import asdict

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc

from spacy_docre import get_clusters
from spacy_docre.benchmark import benchmark
from spacy_docre.benchmark.bare import BareEncoder
from spacy_docre.benchmark.steps import calibrate, make_docs
from spacy_docre.benchmark.timing import Samples, Timing, interleaved
from spacy_docre.data.clusters import set_clusters
from spacy_docre.errors import DocreError

from ..methods import add_extractor
from ..util import birth_examples

CPU = torch.device("cpu")


def make_pipeline(encoder, transformer, lang="xx", **settings):
    nlp = spacy.blank(lang)
    extractor = add_extractor(nlp, "rsman", encoder, transformer, **settings)
    examples = birth_examples(nlp.vocab, 3)
    nlp.initialize(lambda: examples)
    return nlp, extractor, examples


@pytest.mark.parametrize("encoder", ["transformer", "ssan"])
def test_every_step_is_timed_beside_the_bare_encoder(encoder, tiny_bert):
    nlp, extractor, examples = make_pipeline(encoder, tiny_bert)
    timings = benchmark(nlp, examples, batch_size=2, repeats=3)
    assert list(timings) == ["inference", "pipe", "training"]
    assert timings["inference"].bare is timings["pipe"].bare
    for timing in timings.values():
        assert len(timing.bare.seconds) == len(timing.full.seconds) == 3
        assert min(*timing.bare.seconds, *timing.full.seconds) > 0
        assert timing.full.peak is None or timing.full.peak > 2**20
        assert timing.docs == 3
    assert len({timing.wordpieces for timing in timings.values()}) == 1
    parameters = extractor.model.get_ref("head").shims[0].require_built().parameters()
    assert all(p.grad is None for p in parameters)


def test_only_the_wanted_steps_are_timed(tiny_bert):
    nlp, _, examples = make_pipeline("transformer", tiny_bert)
    assert list(benchmark(nlp, examples, steps=["pipe"], repeats=1)) == ["pipe"]


def test_encoders_without_a_bare_one_are_refused(tiny_bert):
    nlp, _, examples = make_pipeline("cnn", tiny_bert)
    with pytest.raises(DocreError, match="D022"):
        benchmark(nlp, examples)


def test_the_bare_encoder_reads_the_wordpieces_that_the_extractor_reads(tiny_bert):
    _, extractor, examples = make_pipeline("transformer", tiny_bert)
    transformer = extractor.model.get_ref("encoder").shims[0]._model
    seen = []

    def record(module, arguments, settings):
        ids, mask = settings["input_ids"], settings["attention_mask"]
        seen.append(np.bincount(ids[mask.bool()].numpy(), minlength=100))

    bare = BareEncoder(extractor, [eg.predicted for eg in examples])
    hook = transformer.register_forward_pre_hook(record, with_kwargs=True)
    extractor.predict([eg.predicted for eg in examples])
    by_extractor, seen = sum(seen), []
    bare.forward()
    by_bare, seen = sum(seen), []
    bare.forward_and_backward()
    hook.remove()
    np.testing.assert_array_equal(by_bare, by_extractor)
    np.testing.assert_array_equal(sum(seen), by_extractor)
    assert bare.wordpieces == by_extractor.sum()
    assert any(p.grad is not None for p in transformer.parameters())


def test_functions_are_timed_in_turn():
    calls = []
    functions = {name: lambda name=name: calls.append(name) for name in "ab"}
    samples = interleaved(functions, device=CPU, repeats=2)
    assert calls == list("ababab")
    assert [len(s.seconds) for s in samples.values()] == [2, 2]
    calls.clear()
    samples = interleaved(functions, device=CPU, repeats=2, min_seconds=3600)
    assert len(calls) == 2 * 11
    assert len(samples["a"].seconds) == 10


def test_what_a_timing_tells():
    timing = Timing(Samples([1, 2, 4, 1], 2**20), Samples([2, 3, 4, 3], 3 * 2**20), 6, 600)
    assert timing.ratios == [2, 1.5, 1, 3]
    assert timing.ratio == 1.75
    assert timing.spread == (1.375, 2.25)
    assert (timing.floor, timing.total) == (1.5, 3)
    assert timing.beside == 1
    assert timing.memory_beside == 2**21
    assert Timing.from_dict(asdict(timing)) == timing
    single = Timing(Samples([2], None), Samples([3], 1), 1, 1)
    assert single.spread == (1.5, 1.5)
    assert single.memory_beside is None


def test_untrained_pipelines_find_as_many_relations_as_there_are(tiny_bert):
    nlp, extractor, examples = make_pipeline("transformer", tiny_bert)
    docs = [eg.predicted for eg in examples]
    calibrate(extractor, docs, 7)
    assert sum(len(doc._.relations) for doc in nlp.pipe(docs)) == 7
    calibrate(extractor, docs, 10**6)
    n_all = sum(len(doc._.relations) for doc in nlp.pipe(docs))
    assert n_all >= 3 * 5 * 4 * 2 - 1


def test_documents_are_tokenised_anew_with_their_clusters(tiny_bert):
    nlp, _, _ = make_pipeline("transformer", tiny_bert, lang="en")
    known = nlp("Ada can't go. Ada stays.")
    known[5].is_sent_start = True
    set_clusters(known, [[known[0:1], known[5:6]], [known[1:3]]])
    unknown = Doc(nlp.vocab, words=["Ada", "can't", "go"])
    set_clusters(unknown, [[unknown[1:2]]])
    new, as_it_was = make_docs(nlp, [known, unknown])
    assert new is not known
    assert [token.text for token in new] == [token.text for token in known]
    assert [c.names for c in get_clusters(new)] == [["Ada", "Ada"], ["can't"]]
    assert [token.i for token in new if token.is_sent_start] == [0, 5]
    assert [token.text for token in as_it_was] == ["Ada", "can't", "go"]
    assert [c.names for c in get_clusters(as_it_was)] == [["can't"]]
