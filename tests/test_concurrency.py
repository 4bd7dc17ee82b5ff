"""Processes, threads, and pipelines beside each other give what they give one by one."""

import functools
import inspect
import json
import multiprocessing
import pickle
import pkgutil
import subprocess
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Span

import spacy_docre
from spacy_docre import set_clusters
from spacy_docre.data.relation import get_relations
from spacy_docre.models.precision import set_precision

from .concurrent_runs import relations_of
from .methods import add_extractor
from .util import birth_doc, birth_examples, make_doc

pytest.importorskip("spacy_transformers")

from spacy_docre.models.encoders.wordpieces import WordpieceMarker

ROOT = Path(__file__).parent.parent
N_THREADS = 8
NAME = "doc_relation_extractor"


@pytest.fixture(autouse=True)
def _frequent_switches():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def make_pipeline(head, encoder, transformer, seed=0, **settings):
    spacy.util.fix_random_seed(seed)
    nlp = spacy.blank("xx")
    add_extractor(nlp, head, encoder, transformer, threshold=0.0, **settings)
    nlp.initialize(lambda: birth_examples(nlp.vocab, 2))
    return nlp


def scores_of(nlp, docs):
    _, extractor = nlp.pipeline[-1]
    return [pair_scores.scores for pair_scores in extractor.predict(docs)]


def in_threads(function, items: Iterable, n_threads=N_THREADS):
    """Call a function in threads that all begin at the same time."""
    barrier = threading.Barrier(n_threads)

    def start():
        barrier.wait()

    with ThreadPoolExecutor(n_threads, initializer=start) as pool:
        return list(pool.map(function, items))


def fresh_copy(nlp):
    """The pipeline, saved and loaded: whatever is made at first use is still to be made."""
    return spacy.util.load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())


def mixed_batches(vocab, n):
    """Batches of one or two documents of different lengths and mentions."""
    docs = [birth_doc(vocab, number) for number in range(6)]
    docs += [make_doc(vocab, ["Ada", "was", "in", "Oslo"], [[(0, 1)], [(3, 4)]])]
    return [[docs[i % 7], docs[(i * 5 + 1) % 7]][: 1 + i % 2] for i in range(n)]


def assert_equal_scores(found, expected):
    for batch, wanted in zip(found, expected, strict=True):
        for scores, own in zip(batch, wanted, strict=True):
            np.testing.assert_allclose(scores, own, atol=1e-6)


def assert_equal_relations(found, expected):
    for scores, wanted in zip(found, expected, strict=True):
        assert scores == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(
    ("head", "encoder"),
    [("atlop", "transformer"), ("kmgre", "ssan"), ("paee", "bilstm"), ("glre", "cnn")],
)
def test_threads_share_a_pipeline(head, encoder, tiny_bert):
    nlp = make_pipeline(head, encoder, tiny_bert)
    batches = mixed_batches(nlp.vocab, 40)
    expected = [scores_of(nlp, batch) for batch in batches]
    shared = fresh_copy(nlp)
    assert_equal_scores(in_threads(lambda batch: scores_of(shared, batch), batches), expected)


def test_threads_call_and_pipe(tiny_bert):
    nlp = make_pipeline("atlop", "transformer", tiny_bert)
    batches = mixed_batches(nlp.vocab, 24)
    expected = [relations_of(nlp(doc.copy()) for doc in batch) for batch in batches]

    def run(number):
        docs = [doc.copy() for doc in batches[number]]
        return relations_of(nlp.pipe(docs) if number % 2 else map(nlp, docs))

    for found, wanted in zip(in_threads(run, range(24)), expected, strict=True):
        assert_equal_relations(found, wanted)


def test_a_thread_may_empty_the_cache_of_wordpieces(tiny_bert, monkeypatch):
    nlp = make_pipeline("bilinear", "transformer", tiny_bert)
    batches = mixed_batches(nlp.vocab, 40)
    expected = [scores_of(nlp, batch) for batch in batches]
    monkeypatch.setattr(WordpieceMarker, "CACHE_SIZE", 3)
    assert_equal_scores(in_threads(lambda batch: scores_of(nlp, batch), batches), expected)


def test_new_words_cost_the_same_however_many_are_known(tiny_bert):
    nlp = make_pipeline("bilinear", "transformer", tiny_bert)
    (batch,) = mixed_batches(nlp.vocab, 1)
    scores_of(nlp, batch)
    marker = nlp.get_pipe(NAME).model.get_ref("encoder").attrs["marker"]

    class Unsearched(dict):
        def __iter__(self):
            raise AssertionError("the whole cache is looked through")

        keys = values = items = __iter__

    marker._cache = Unsearched(marker._cache)
    assert len(scores_of(nlp, batch)) == len(batch)


def two_pipelines(transformer):
    """Different methods, labels, attributes, limits and precisions."""
    first = make_pipeline("atlop", "transformer", transformer)
    second = spacy.blank("xx")
    extractor = add_extractor(
        second, "rsman", "ssan", transformer, threshold=0.0, attr="facts", max_pairs=12
    )
    examples = birth_examples(second.vocab, 2)
    for eg in examples:
        eg.reference._.facts = [{**r, "label": r.label.upper()} for r in eg.reference._.relations]
    second.initialize(lambda: examples)
    set_precision(extractor.model, gpu="fp32", cpu="bf16")
    return first, second


@pytest.mark.filterwarnings("ignore:.*DW50")
def test_two_pipelines_do_not_know_each_other(tiny_bert):
    pipelines = two_pipelines(tiny_bert)
    batches = [mixed_batches(nlp.vocab, 12) for nlp in pipelines]
    expected = [
        [scores_of(nlp, batch) for batch in own]
        for nlp, own in zip(pipelines, batches, strict=True)
    ]
    turns = [(number, i) for i in range(12) for number in (0, 1)]

    def run(turn):
        number, i = turn
        return scores_of(pipelines[number], batches[number][i])

    wanted = [expected[number][i] for number, i in turns]
    assert_equal_scores(map(run, turns), wanted)
    assert_equal_scores(in_threads(run, turns), wanted)
    first, second = (nlp(birth_doc(nlp.vocab, 0)) for nlp in pipelines)
    assert {r["label"] for r in first._.relations} == {"born", "died"}
    assert {r["label"] for r in second._.facts} == {"BORN", "DIED"}


def test_a_component_is_sent_to_a_process_that_is_spawned(tiny_bert):
    extractor = make_pipeline("atlop", "transformer", tiny_bert).get_pipe("doc_relation_extractor")
    sent = pickle.loads(pickle.dumps(extractor))
    assert sent.threshold_choice.pipe is sent
    assert sent.score([]).keys() == extractor.score([]).keys()


@pytest.mark.slow
@pytest.mark.parametrize("start_method", ["fork", "spawn"])
@pytest.mark.parametrize(("head", "encoder"), [("atlop", "transformer"), ("rsman", "bilstm")])
def test_worker_processes(head, encoder, start_method, tiny_bert, tmp_path):
    if start_method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no start method {start_method!r}")
    nlp = make_pipeline(head, encoder, tiny_bert)
    nlp.to_disk(tmp_path)
    command = [sys.executable, "-m", "tests.concurrent_runs", str(tmp_path), start_method]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout.splitlines()[-1])
    assert_equal_relations(results["piped"], results["alone"])
    assert all(results["alone"])


def test_a_memory_zone_forgets_words_and_keeps_relations(tiny_bert):
    nlp = make_pipeline("atlop", "transformer", tiny_bert)
    text = "Ada was born in Oslo ."
    make = add_clusters_by_position

    def relations(word):
        return [dict(r) for r in nlp(make(nlp.make_doc(f"{text} {word}")))._.relations]

    expected = relations("first")
    n_strings = len(nlp.vocab.strings)
    kept = []
    for number in range(3):
        with nlp.memory_zone():
            kept.append(relations(f"new{number}"))
            assert len(nlp.vocab.strings) > n_strings
        assert len(nlp.vocab.strings) == n_strings
    # What comes after a zone does not depend on what was in it: words are known by their hashes.
    assert relations("first") == expected
    assert relations("new1") == kept[1]


def add_clusters_by_position(doc):
    set_clusters(doc, [[Span(doc, i, i + 1, label="THING")] for i in (0, 4)])
    return doc


def own_modules() -> list[ModuleType]:
    modules = []
    for found in pkgutil.walk_packages(spacy_docre.__path__, "spacy_docre."):
        if not found.name.startswith("spacy_docre.cli"):
            try:
                modules.append(import_module(found.name))
            except ModuleNotFoundError as error:
                # One of an extra that is not installed.
                if str(error.name).startswith("spacy_docre"):
                    raise
    return modules


def mutable_objects():
    """A picture of whatever could change in the package's modules and classes: containers, and the
    values of context variables."""
    state = {}
    for module in own_modules():
        places = [(module.__name__, vars(module))]
        places += [
            (f"{module.__name__}.{name}", vars(value))
            for name, value in vars(module).items()
            if inspect.isclass(value) and value.__module__ == module.__name__
        ]
        for place, names in places:
            for name, value in list(names.items()):
                if name.startswith("__"):
                    continue
                if isinstance(value, ContextVar):
                    state[f"{place}.{name}"] = repr(value.get(None))
                elif isinstance(value, functools._lru_cache_wrapper):
                    state[f"{place}.{name}"] = repr(value.cache_info())
                elif isinstance(value, dict | list | set | bytearray | int | float | str):
                    state[f"{place}.{name}"] = repr(value)
    return state


@pytest.mark.filterwarnings("ignore:.*DW50")
def test_nothing_global_changes(tiny_bert):
    before = mutable_objects()
    assert {"spacy_docre.models.layers.blocks._max_items", "spacy_docre.coref.names.TITLES"} <= set(
        before
    )
    threads = torch.get_num_threads()
    for nlp in two_pipelines(tiny_bert):
        examples = birth_examples(nlp.vocab, 2)
        for eg in examples:
            relations = get_relations(eg.reference)
            eg.reference._.facts = [{**r, "label": r.label.upper()} for r in relations]
        nlp.update(examples, sgd=nlp.create_optimizer())
        list(nlp.pipe([birth_doc(nlp.vocab, n) for n in range(3)]))
    assert mutable_objects() == before
    assert torch.get_num_threads() == threads
