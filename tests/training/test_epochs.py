import pytest
import spacy
from spacy.training.initialize import init_nlp

from spacy_docre import DocreError
from spacy_docre.training.epochs import train_epochs
from spacy_docre.training.optimizer import warmup_linear

from ..configs import FOLDER, save_births
from ..models.heads import small_kmgre


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return save_births(tmp_path_factory.mktemp("corpus") / "births.spacy", 10)


def initialised(corpus, **overrides):
    overrides = {"paths.train": corpus, "paths.dev": corpus, **overrides}
    config = spacy.util.load_config(FOLDER / "cnn.cfg", overrides=overrides, interpolate=False)
    return init_nlp(config).config.interpolate()["training"]


def test_steps_come_from_the_corpus(corpus):
    training = initialised(corpus, **{"initialize.after_init.epochs": 5})
    # Ten documents in batches of 4 are three steps.
    assert training["optimizer"]["schedule"]["total_steps"] == training["max_steps"] == 15
    # Of the 100 steps between evaluations there are not so many.
    assert training["eval_frequency"] == 1


def test_numbers_that_are_given_stay(corpus):
    training = initialised(
        corpus,
        **{
            "training.optimizer.schedule.total_steps": 7,
            "training.max_steps": 4,
            "training.eval_frequency": 2,
        },
    )
    assert training["optimizer"]["schedule"]["total_steps"] == 7
    assert (training["max_steps"], training["eval_frequency"]) == (4, 2)


def test_max_steps_cut_a_schedule_of_epochs_short(corpus):
    training = initialised(corpus, **{"training.max_steps": 4, "training.eval_frequency": 2})
    assert training["optimizer"]["schedule"]["total_steps"] == 90
    assert (training["max_steps"], training["eval_frequency"]) == (4, 2)


def test_a_schedule_that_nobody_has_told_the_steps_says_so():
    rates = warmup_linear(1.0, 0.5, 0)
    assert next(rates) == 0
    with pytest.raises(DocreError, match="D174"):
        next(rates)


def test_epochs_are_at_least_one():
    with pytest.raises(DocreError, match="`epochs` must be at least 1"):
        train_epochs(0)


def test_tau_learns_of_the_steps_once():
    head = small_kmgre(total_steps=0, step=500)
    head.set_total_steps(500)
    assert head.tau.item() == pytest.approx(0.5 * (1 - 0.999**4605))
    head.set_total_steps(9)
    assert head.tau == small_kmgre(total_steps=500, step=500).tau
    given = small_kmgre(total_steps=None)
    given.set_total_steps(500)
    assert not given.total_steps
