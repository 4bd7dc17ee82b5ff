"""The metrics of relations. A metric is an entry of `METRICS`: the scorer gives it, `evaluate`
prints it with its confidence interval, `compare` tests a difference in it, and the model card and
the pages on metrics list it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .judgement import Judgement
from .subsets import MACRO_LIMITS
from .tallies import (
    ALL,
    EVIDENCE,
    EVIDENCE_CORRECT,
    IGN,
    INTER,
    INTRA,
    PAIRS,
    TYPES,
    Tally,
    ignoring_known,
    macro_f1,
    precision_recall_f1,
    rare_types_tally,
    tally_where,
)

DOCRED = "Yao et al. 2019 (DocRED)"
ERACL = "Du et al. 2022 (ERACL)"
PAEE = "Huang et al. 2022 (PAEE)"


def _always(judgement: Judgement) -> bool:
    return True


@dataclass(frozen=True)
class Metric:
    """A metric of relations.

    key (str): What it is called in scores.
    title (str): What people read.
    tally (Tally): What is counted of each document.
    reduce (Callable[[np.ndarray], np.ndarray]): From tallies that were summed over documents to the
        metric: from [...] and the axes of a document's tally to [...] float64.
    source (str): The paper that has it.
    defined (Callable[[Judgement], bool]): Whether it says anything of these relations; where it
        does not, it is None.
    listed (bool): Whether the `score_weights` of a training config name it.
    weight (Optional[float]): Its weight there by default.
    """

    key: str
    title: str
    tally: Tally
    reduce: Callable[[np.ndarray], np.ndarray]
    source: str = ""
    defined: Callable[[Judgement], bool] = _always
    listed: bool = False
    weight: float | None = None


def precision(tally: np.ndarray) -> np.ndarray:
    """See `precision_recall_f1`."""
    return precision_recall_f1(tally)[..., 0]


def recall(tally: np.ndarray) -> np.ndarray:
    """See `precision_recall_f1`."""
    return precision_recall_f1(tally)[..., 1]


def f1(tally: np.ndarray) -> np.ndarray:
    """See `precision_recall_f1`."""
    return precision_recall_f1(tally)[..., 2]


def _has_evidence(judgement: Judgement) -> bool:
    return bool(judgement.evidence[:, 2].any())


METRICS: list[Metric] = [
    Metric("rel_p", "Precision", ALL, precision, DOCRED, listed=True),
    Metric("rel_r", "Recall", ALL, recall, DOCRED, listed=True),
    Metric("rel_f", "F1", ALL, f1, DOCRED, listed=True, weight=1.0),
    Metric("rel_ign_f", "Ign F1", IGN, f1, DOCRED),
    Metric("rel_intra_f", "F1, intra-sentence", INTRA, f1, DOCRED, listed=True),
    Metric("rel_inter_f", "F1, inter-sentence", INTER, f1, DOCRED, listed=True),
    Metric("rel_pair_f", "F1 of related pairs (Rela)", PAIRS, f1, PAEE, listed=True),
    Metric("rel_macro_f", "Macro F1", TYPES, macro_f1),
    *(
        Metric(
            f"rel_macro_{limit}_f",
            f"Macro F1, types of < {limit} in training",
            rare_types_tally(limit),
            macro_f1,
            ERACL,
        )
        for limit in MACRO_LIMITS
    ),
    *(
        Metric(
            f"rel_evidence_{letter}", title, EVIDENCE, reduce, DOCRED, _has_evidence, letter == "f"
        )
        for letter, title, reduce in (
            ("p", "Evidence precision", precision),
            ("r", "Evidence recall", recall),
            ("f", "Evidence F1", f1),
        )
    ),
    Metric(
        "rel_evidence_correct_f",
        "Evidence F1 of correct relations",
        EVIDENCE_CORRECT,
        f1,
        defined=_has_evidence,
    ),
]


def metric_titles() -> dict[str, str]:
    """RETURNS (dict[str, str]): What people read, by the metrics' keys."""
    return {metric.key: metric.title for metric in METRICS}


def score_weights() -> dict[str, float | None]:
    """RETURNS (dict[str, Optional[float]]): What the `score_weights` of a training config list."""
    return {metric.key: metric.weight for metric in METRICS if metric.listed}


def tally_relations(
    judgement: Judgement,
    subsets: Mapping[str, np.ndarray] | None = None,
    train_counts: Mapping[str, int] | None = None,
) -> dict[str, np.ndarray]:
    """Count the relations of each document.

    judgement (Judgement): The relations.
    subsets (Optional[Mapping[str, np.ndarray]]): Further subsets, [N] bool each, by their names.
    train_counts (Optional[Mapping[str, int]]): See `score_relations`.
    RETURNS (dict[str, np.ndarray]): For each group of relations [D, 4] float64, the numbers of
        correct, predicted, gold and known ones: the tallies of the metrics by their names, "rel_ign
        SOURCE" for each training corpus, and the subsets. Tallies by types are [D, T, 4].
    """
    tallies = {}
    for tally in dict.fromkeys(metric.tally for metric in METRICS):
        counted = tally.count(judgement, train_counts)
        if counted is not None:
            tallies[tally.name] = counted
    for i, source in enumerate(judgement.sources):
        tallies[f"rel_ign {source}"] = ignoring_known(judgement, i)
    tallies |= {name: tally_where(judgement, where) for name, where in (subsets or {}).items()}
    return tallies


def metrics_of(tallies: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The metrics of tallies that were summed over documents, be it once or for each of many
    samples.

    tallies (Mapping[str, np.ndarray]): What `tally_relations` gave, without the axis of documents
        or with that of samples in its place.
    RETURNS (dict[str, np.ndarray]): [...] float64 each: the metrics by their keys, the F1 of
        subsets under their names and Ign F1 under "rel_ign SOURCE".
    """
    found = {m.key: m.reduce(tallies[m.tally.name]) for m in METRICS if m.tally.name in tallies}
    others = tallies.keys() - {metric.tally.name for metric in METRICS}
    return found | {name: f1(tallies[name]) for name in tallies if name in others}
