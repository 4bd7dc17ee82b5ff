"""Successive halving: of several settings, those that fall behind stop early."""

import math
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

Trial = TypeVar("Trial", bound=Hashable)

# The shares of all steps after which the worse half of the trials stops.
RUNGS = (0.25, 0.5)


def successive_halving(
    trials: Sequence[Trial],
    score: Callable[[Trial, int], float],
    *,
    steps: int,
    rungs: Sequence[float] = RUNGS,
) -> dict[Trial, tuple[int, float]]:
    """Successive halving (Jamieson and Talwalkar 2016): all trials are trained for the first share
    of the steps; the better half of them, rounded up, goes on to the next share; and what is left
    after the last goes on to the end. What has the score of the last one that goes on, goes on
    too. The schedules of all trials are those of the whole training, so that one that stops early
    has done what it would have done by then.

    trials (Sequence[Trial]): The trials.
    score (Callable[[Trial, int], float]): Trains a trial up to a step, and gives the best score
        that it has had by then.
    steps (int): The steps of a whole training.
    rungs (Sequence[float]): The shares, rising; none of them trains all trials to the end.
    RETURNS (dict[Trial, tuple[int, float]]): For each trial the steps that it was trained, and its
        score, in the order of the trials.
    """
    found: dict[Trial, tuple[int, float]] = {}
    going = list(trials)
    for share in (*rungs, 1.0):
        until = math.ceil(share * steps)
        for trial in going:
            found[trial] = until, score(trial, until)
        limit = sorted((found[t][1] for t in going), reverse=True)[math.ceil(len(going) / 2) - 1]
        going = [trial for trial in going if found[trial][1] >= limit]
    return {trial: found[trial] for trial in trials}
