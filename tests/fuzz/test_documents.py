"""Random documents through every head: `python -m tests.fuzz` has more of them."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .documents import random_plan
from .pipelines import EXTRACTORS, MANY_ENTITIES, pipeline
from .runs import run_documents, run_texts
from .texts import random_text

randoms = st.randoms(use_true_random=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXTRACTORS)
@settings(max_examples=15)
@given(rng=randoms)
def test_documents_get_relations_or_errors_of_the_package(name, rng):
    plans = [random_plan(rng, small=True) for _ in range(3)]
    outcomes = run_documents(pipeline(name), plans, rng)
    assert outcomes.total() == len(plans)


@pytest.mark.slow
@settings(max_examples=15)
@given(rng=randoms)
def test_texts_get_relations(rng):
    texts = [random_text(rng, rng.randint(0, 8)) for _ in range(3)]
    assert run_texts(pipeline("text"), texts, rng).total() == len(texts)


@pytest.mark.slow
@pytest.mark.parametrize("name", MANY_ENTITIES)
def test_a_document_with_thousands_of_clusters_among_others(name):
    rng = random.Random(1)
    plans = [random_plan(rng, many=i == 1) for i in range(3)]
    assert len(plans[1].groups) > 1000
    assert run_documents(pipeline(name), plans, rng).total() == len(plans)
