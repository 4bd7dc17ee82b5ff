"""Random documents through every head."""

import os
import random

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from . import TIMES, examples
from .checks import limited
from .documents import random_plan
from .pipelines import EXTRACTORS, MANY_ENTITIES, pipeline
from .runs import run_documents, run_texts
from .texts import random_text

# A pipeline that finds its entities by itself: "text", a path or the name of a package.
MODEL = os.environ.get("DOCRE_FUZZ_MODEL", "text")
randoms = st.randoms(use_true_random=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXTRACTORS)
@examples(15)
@given(rng=randoms)
def test_documents_get_relations_or_errors_of_the_package(name, rng):
    # Three large ones are more than Hypothesis keeps in mind.
    plans = [random_plan(rng, small=i > 0 or TIMES == 1) for i in range(3)]
    note(str(plans))
    with limited():
        outcomes = run_documents(pipeline(name), plans, rng)
    assert outcomes.total() == len(plans)


@pytest.mark.slow
@examples(15)
@given(rng=randoms)
def test_texts_get_relations(rng):
    texts = [random_text(rng, rng.randint(0, 8 if TIMES == 1 else 30)) for _ in range(3)]
    note(str(texts))
    with limited():
        assert run_texts(pipeline(MODEL), texts, rng).total() == len(texts)


@pytest.mark.slow
@pytest.mark.parametrize("name", MANY_ENTITIES)
def test_a_document_with_thousands_of_clusters_among_others(name):
    rng = random.Random(1)
    plans = [random_plan(rng, many=i == 1) for i in range(3)]
    assert len(plans[1].groups) > 1000
    assert run_documents(pipeline(name), plans, rng).total() == len(plans)


@pytest.mark.slow
def test_a_document_of_a_finding_is_made_small():
    """A fault that is planted for documents with a cluster of two mentions."""
    sizes = []

    @examples(50)
    @given(rng=randoms)
    def documents(rng):
        plan = random_plan(rng, small=True)
        n_mentions = [len(group.mentions) for group in plan.groups]
        if max(n_mentions, default=0) > 1:
            sizes.append((len(plan.words), sum(n_mentions)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        documents()
    # What Hypothesis makes of it depends on its version: fewer mentions, or fewer words as well.
    assert sum(sizes[-1]) < sum(sizes[0])
    assert sizes[-1][1] == min(n_mentions for _, n_mentions in sizes)
