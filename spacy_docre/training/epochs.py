"""The length of a training in epochs, as a callback of `spacy train`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from spacy.language import Language
from spacy.util import dot_to_object, registry, resolve_dot_names
from thinc.api import Config

from ..errors import DocreError, Errors
from ..models.relation_model import relation_head

# The evaluations of a training that would have none after its first step.
N_EVALUATIONS = 10


class Plan(NamedTuple):
    """How long a training is.

    steps (int): All steps.
    eval_frequency (int): The steps between evaluations.
    """

    steps: int
    eval_frequency: int


def train_epochs(epochs: int = 30) -> Callable[[Language], None]:
    """The callback "spacy-docre.train_epochs.v1" for `[initialize.after_init]`: a `total_steps` of
    0 below [training] becomes the number of steps that so many epochs of the training corpus take,
    which is where `max_steps` and the schedule of the learning rate take it from. A number that is
    given stays. Where fewer steps come out than there are between evaluations, these come more
    often. The pipeline's config gets the numbers, and is saved with them.

    epochs (int): How often to go through the corpus.
    RETURNS (Callable[[Language], None]): The callback.
    RAISES (DocreError): If that is less than once.
    """
    if epochs < 1:
        raise DocreError(Errors.D020.format(setting="epochs", condition="at least 1", value=epochs))

    def after_init(nlp: Language) -> None:
        # `nlp.config` is put together anew each time, but for this section.
        training = nlp.config["training"]
        schedules = [part for part in _sections(training) if part.get("total_steps") == 0]
        if not schedules:
            return
        config = nlp.config.interpolate()
        corpus = dot_to_object(config, config["training"]["train_corpus"])
        if corpus.get("path", "") is None or config["training"]["max_epochs"] < 0:
            return
        plan = plan_training(config, nlp, epochs)
        for schedule in schedules:
            schedule["total_steps"] = plan.steps
        training["eval_frequency"] = plan.eval_frequency
        pipes: list[tuple[str, Any]] = nlp.pipeline
        for _, pipe in pipes:
            if hasattr(pipe, "threshold_choice"):
                relation_head(pipe.model.get_ref("head")).set_total_steps(plan.steps)

    return after_init


def plan_training(config: Config, nlp: Language, epochs: int) -> Plan:
    """Count the steps of epochs, by reading the corpus as training does.

    config (Config): A training config, interpolated.
    nlp (Language): The pipeline.
    epochs (int): How many epochs.
    RETURNS (Plan): The length of the training.
    """
    training = config["training"]
    [corpus] = resolve_dot_names(config, [training["train_corpus"]])
    batcher = registry.resolve({"batcher": training["batcher"]})["batcher"]
    steps = epochs * sum(1 for _ in batcher(corpus(nlp)))
    frequency = training["eval_frequency"]
    if frequency >= steps:
        frequency = max(1, steps // N_EVALUATIONS)
    return Plan(steps, frequency)


def _sections(section: Mapping[str, Any]) -> Iterator[Any]:
    for value in section.values():
        if isinstance(value, dict):
            yield value
            yield from _sections(value)
