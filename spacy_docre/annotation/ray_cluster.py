"""The Ray cluster that a corpus is annotated on: an existing one, or one of this machine alone."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import ray

from ..errors import DocreError, Errors, Warnings
from .workers import LOCAL, Workers

CLIENT_SCHEME = "ray://"


@contextmanager
def connected(address: str, workers: Workers) -> Iterator[Workers]:
    """Connect to a Ray cluster, unless this process is connected to one already, and leave it, or
    end the local one, afterwards.

    address (str): The address of the cluster, "auto" to find that of this machine, or "local" for
        a new one of this machine alone.
    workers (Workers): The workers that are asked for.
    YIELDS (Workers): The same with their number.
    RAISES (DocreError): If there is no such cluster, or the local one is too small.
    """
    if address.startswith(CLIENT_SCHEME):
        reason = (
            f"'{address}' is one of Ray Client, which leaves this process outside the cluster. Run "
            "the command on a machine of the cluster with --address auto, or by `ray job submit`"
        )
        raise DocreError(Errors.D072.format(reason=reason))
    if ray.is_initialized():
        yield _settle(workers, grows=True)
        return
    is_local = address == LOCAL
    settings: dict[str, Any] = {}
    if is_local:
        # Ray reports to its makers from clusters that it starts, unless it is told not to.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        settings = {"num_cpus": workers.number * workers.cores or None, "include_dashboard": False}
    try:
        ray.init(address, logging_level=logging.WARNING, **settings)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise DocreError(Errors.D072.format(reason=error)) from None
    try:
        yield _settle(workers, grows=not is_local)
    finally:
        ray.shutdown()


def _settle(workers: Workers, *, grows: bool) -> Workers:
    n_fitting = workers.fitting(ray.cluster_resources())
    if workers.number <= n_fitting and n_fitting:
        return replace(workers, number=workers.number or n_fitting)
    needs = {"cores": workers.cores, "gpus": workers.gpus, "n_fitting": n_fitting}
    if not grows:
        reason = "this machine has room for {n_fitting} workers with {cores} cores and {gpus} GPUs"
        raise DocreError(Errors.D072.format(reason=reason.format(**needs)))
    workers = replace(workers, number=workers.number or 1)
    warnings.warn(Warnings.DW25.format(n_workers=workers.number, **needs), stacklevel=3)
    return workers
