"""How sure a metric is: confidence intervals and the significance of a difference, by resampling
documents. A document is counted once, into a row of numbers; a sample is a weighted sum of rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from spacy.training import Example

from ..data.clusters import DEFAULT_PREFIX
from ..data.relation import DEFAULT_ATTR
from .clusters import share_metrics, tally_clusters
from .judgement import Judgement
from .metrics import metrics_of, tally_relations
from .subsets import relation_subsets

# Of how much probability confidence intervals are.
LEVEL = 0.95
# How many samples are drawn at once, so that memory does not grow with their number.
_BLOCK = 64

Tallies = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Comparison:
    """The difference of two systems in one metric.

    a (float): The metric of the first system.
    b (float): That of the second.
    low (float): Lower end of the 95 % confidence interval of the difference a - b.
    high (float): Its upper end.
    p (float): How probable a difference at least as large is, in either direction, if the two
        systems do not differ.
    """

    a: float
    b: float
    low: float
    high: float
    p: float

    @property
    def difference(self) -> float:
        """The first system's metric less the second's."""
        return self.a - self.b


def bootstrap_intervals(
    judgement: Judgement,
    *,
    n: int,
    seed: int = 0,
    train_counts: Mapping[str, int] | None = None,
    subsets: bool = False,
) -> dict[str, Any]:
    """Confidence intervals of metrics by the bootstrap over documents (percentile method; Efron and
    Tibshirani 1993): as many documents as there are, drawn with replacement, n times.

    judgement (Judgement): The relations.
    n (int): How many samples.
    seed (int): Of the random numbers.
    train_counts (Optional[Mapping[str, int]]): See `score_relations`.
    subsets (bool): Whether to give those of subsets, too.
    RETURNS (dict[str, Any]): For each metric of `score_relations` lower and upper end of the 95 %
        interval; Ign F1 under `rel_ign_per_source`, subsets under `rel_subsets`.
    """
    chosen = relation_subsets(judgement, train_counts) if subsets else {}
    tallies = tally_relations(judgement, chosen, train_counts)
    sums = _join(list(bootstrap_sums(tallies, n=n, seed=seed))) if judgement.n_docs else {}
    intervals: dict[str, Any] = {}
    for name, values in metrics_of(sums).items() if sums else ():
        group, _, rest = name.partition(" ")
        if group == "rel_ign":
            intervals.setdefault("rel_ign_per_source", {})[rest] = _interval(values)
        elif name in chosen:
            intervals.setdefault("rel_subsets", {})[name] = _interval(values)
        else:
            intervals[name] = _interval(values)
    return intervals


def cluster_intervals(
    examples: Iterable[Example],
    *,
    n: int,
    seed: int = 0,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
    names_only: bool = False,
) -> dict[str, list[float]]:
    """Confidence intervals of the metrics of `score_clusters`, see `bootstrap_intervals`.

    examples (Iterable[Example]): Predicted and reference documents.
    n (int): How many samples.
    seed (int): Of the random numbers.
    prefix (str): See `score_clusters`.
    attr (str): See `score_clusters`.
    names_only (bool): See `score_clusters`.
    RETURNS (dict[str, list[float]]): For each metric lower and upper end of the 95 % interval.
    """
    tallies = tally_clusters(examples, prefix=prefix, attr=attr, names_only=names_only)
    intervals = {}
    for name, rows in tallies.items():
        sums = _join(list(bootstrap_sums({name: rows}, n=n, seed=seed))) if len(rows) else {}
        for key, values in share_metrics(name, sums[name]).items() if sums else ():
            intervals[key] = _interval(values)
    return intervals


def compare(
    first: Judgement,
    second: Judgement,
    *,
    n: int,
    seed: int = 0,
    train_counts: Mapping[str, int] | None = None,
    subsets: bool = False,
) -> dict[str, Comparison]:
    """Compare two systems on the same documents. The p-value is that of approximate randomisation
    (Noreen 1989; Yeh 2000, for F1): if the systems do not differ, the outputs for a document can
    just as well be exchanged; p is the share of n random exchanges (and the observed order) that
    make a difference at least as large as the observed one. The interval is that of the paired
    bootstrap (Koehn 2004): both systems on the same samples of documents.

    first (Judgement): The relations of the first system.
    second (Judgement): Those of the second, for the same documents in the same order.
    n (int): How many samples, and how many exchanges.
    seed (int): Of the random numbers.
    train_counts (Optional[Mapping[str, int]]): See `score_relations`.
    subsets (bool): Whether to compare subsets, too.
    RETURNS (dict[str, Comparison]): For each metric; Ign F1 under "rel_ign SOURCE".
    """
    # The same types in the same columns, for the outputs to be exchanged.
    labels = sorted({*first.labels, *second.labels})
    judgements = [judgement.with_labels(labels) for judgement in (first, second)]
    tallies = [
        tally_relations(j, relation_subsets(j, train_counts) if subsets else {}, train_counts)
        for j in judgements
    ]
    observed, sampled, exchanged = (
        [metrics_of(_join(side)) for side in zip(*sides, strict=True)]
        for sides in (
            [[{k: t.sum(axis=0, keepdims=True) for k, t in side.items()} for side in tallies]],
            _paired_bootstrap(tallies, n=n, seed=seed),
            _exchanges(tallies, n=n, seed=seed),
        )
    )
    comparisons = {}
    for name in observed[0]:
        a, b = (float(values[name][0]) for values in observed)
        low, high = _interval(sampled[0][name] - sampled[1][name])
        differences = np.abs(exchanged[0][name] - exchanged[1][name])
        # Sums in another order differ in the last digits.
        as_large = int((differences >= abs(a - b) - 1e-12).sum())
        comparisons[name] = Comparison(a, b, low, high, (as_large + 1) / (n + 1))
    return comparisons


def bootstrap_sums(tallies: Tallies, *, n: int, seed: int) -> Iterator[dict[str, np.ndarray]]:
    """Sum tallies over samples of documents. The samples depend on the number of documents and the
    seed alone, so that two systems get the same.

    tallies (Mapping[str, np.ndarray]): [D, ...] float64 each.
    n (int): How many samples.
    seed (int): Of the random numbers.
    YIELDS (dict[str, np.ndarray]): [n', ...] float64 each, the sums of some of the samples.
    """
    n_docs = len(next(iter(tallies.values())))
    rng = np.random.default_rng(seed)
    for start in range(0, n, _BLOCK):
        size = min(_BLOCK, n - start)
        draws = rng.multinomial(n_docs, np.full(n_docs, 1 / n_docs), size=size)
        yield _weighted_sums(draws.astype(np.float64), tallies)


def _paired_bootstrap(
    tallies: list[dict[str, np.ndarray]], *, n: int, seed: int
) -> Iterator[list[dict[str, np.ndarray]]]:
    samples = (bootstrap_sums(side, n=n, seed=seed) for side in tallies)
    yield from map(list, zip(*samples, strict=True))


def _exchanges(
    tallies: list[dict[str, np.ndarray]], *, n: int, seed: int
) -> Iterator[list[dict[str, np.ndarray]]]:
    n_docs = len(next(iter(tallies[0].values())))
    rng = np.random.default_rng(seed)
    for start in range(0, n, _BLOCK):
        kept = rng.integers(2, size=(min(_BLOCK, n - start), n_docs)).astype(np.float64)
        own, other = ([_weighted_sums(w, side) for side in tallies] for w in (kept, 1 - kept))
        yield [
            {name: own[i][name] + other[1 - i][name] for name in own[i]} for i in range(len(own))
        ]


def _weighted_sums(weights: np.ndarray, tallies: Tallies) -> dict[str, np.ndarray]:
    return {
        name: (weights @ tally.reshape(len(tally), -1)).reshape(len(weights), *tally.shape[1:])
        for name, tally in tallies.items()
    }


def _join(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _interval(values: np.ndarray) -> list[float]:
    tail = (1 - LEVEL) / 2
    interval: list[float] = np.quantile(values, [tail, 1 - tail]).tolist()
    return interval
