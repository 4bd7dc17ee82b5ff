"""Subsets of relations, as papers on document-level relation extraction have them. A relation,
predicted or gold, falls in a subset by the gold document: by the mentions that its two entities
have there, or by its type. So a wrong relation counts against the precision of the subset that its
own entities (or its type) are in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .judgement import Judgement

RSMAN = "Yu et al. 2022 (RSMAN), section 4.4"
KMGRE = "Jiang et al. 2022 (KMGRE), section 4.6"
GLRE_DISTANCE = "Wang et al. 2020 (GLRE), figure 3"
GLRE_MENTIONS = "Wang et al. 2020 (GLRE), figure 4"
FREQUENCY = "Tan et al. 2022"

# How many of the most frequent relation types are not the long tail.
N_FREQUENT = 10
# Macro F1 over the types with fewer training instances than that.
MACRO_LIMITS = (500, 200, 100)


@dataclass(frozen=True)
class Subset:
    """A subset of relations that depends on their entities.

    title (str): What people read.
    source (str): The paper that has it.
    where (Callable[[Judgement], np.ndarray]): From judged relations to [N] bool.
    """

    title: str
    source: str
    where: Callable[[Judgement], np.ndarray]


def _distance(low: int, high: float) -> Callable[[Judgement], np.ndarray]:
    return lambda j: (j.distance >= low) & (j.distance < high)


def _mean_mentions(low: float, high: float) -> Callable[[Judgement], np.ndarray]:
    return lambda j: (j.mentions.mean(axis=1) >= low) & (j.mentions.mean(axis=1) < high)


SUBSETS: dict[str, Subset] = {
    "single": Subset("Both entities one mention", "", lambda j: (j.mentions == 1).all(axis=1)),
    "rsman_m1": Subset("RSMAN M1: either > 1 mention", RSMAN, lambda j: j.mentions.max(axis=1) > 1),
    "rsman_m2": Subset(
        "RSMAN M2: either > 2 mentions", RSMAN, lambda j: j.mentions.max(axis=1) > 2
    ),
    "kmgre_m1": Subset("KMGRE M1: either > 1 mention", KMGRE, lambda j: j.mentions.max(axis=1) > 1),
    "kmgre_m2": Subset("KMGRE M2: both > 1 mention", KMGRE, lambda j: j.mentions.min(axis=1) > 1),
    "distance_0": Subset("Distance 0 sentences", GLRE_DISTANCE, _distance(0, 1)),
    "distance_1": Subset("Distance 1", GLRE_DISTANCE, _distance(1, 2)),
    "distance_2": Subset("Distance 2", GLRE_DISTANCE, _distance(2, 3)),
    "distance_3_up": Subset("Distance 3 and more", GLRE_DISTANCE, _distance(3, np.inf)),
    "mentions_1_2": Subset("Mean mentions [1, 2)", GLRE_MENTIONS, _mean_mentions(1, 2)),
    "mentions_2_3": Subset("Mean mentions [2, 3)", GLRE_MENTIONS, _mean_mentions(2, 3)),
    "mentions_3_4": Subset("Mean mentions [3, 4)", GLRE_MENTIONS, _mean_mentions(3, 4)),
    "mentions_4_up": Subset("Mean mentions 4 and more", GLRE_MENTIONS, _mean_mentions(4, np.inf)),
}
FREQUENCY_TITLES = {
    "frequent": f"{N_FREQUENT} most frequent types",
    "long_tail": "The other types",
}
SUBSET_TITLES = {name: subset.title for name, subset in SUBSETS.items()} | FREQUENCY_TITLES


def relation_subsets(
    judgement: Judgement, train_counts: Mapping[str, int] | None = None
) -> dict[str, np.ndarray]:
    """Which subsets judged relations are in.

    judgement (Judgement): The relations.
    train_counts (Optional[Mapping[str, int]]): How often each type occurs in the training data, see
        `count_types`; None leaves out the subsets by frequency.
    RETURNS (dict[str, np.ndarray]): For each subset [N] bool.
    """
    found = {name: subset.where(judgement) for name, subset in SUBSETS.items()}
    if train_counts is not None:
        frequent = frequent_types(train_counts)
        is_frequent = np.array([label in frequent for label in judgement.labels], dtype=bool)
        found["frequent"] = is_frequent[judgement.label]
        found["long_tail"] = ~found["frequent"]
    return found


def frequent_types(train_counts: Mapping[str, int]) -> set[str]:
    """The most frequent relation types of the training data; of equally frequent ones those first
    in the alphabet.

    train_counts (Mapping[str, int]): How often each type occurs there.
    RETURNS (set[str]): At most 10 types.
    """
    ranked = sorted(train_counts, key=lambda label: (-train_counts[label], label))
    return set(ranked[:N_FREQUENT])


def rare_types(judgement: Judgement, train_counts: Mapping[str, int], limit: int) -> np.ndarray:
    """The types with few training instances, those without any among them.

    judgement (Judgement): The relations, which say what types there are.
    train_counts (Mapping[str, int]): How often each type occurs in the training data.
    limit (int): Fewer than that is few.
    RETURNS (np.ndarray): [T] bool.
    """
    return np.array([train_counts.get(label, 0) < limit for label in judgement.labels], dtype=bool)
