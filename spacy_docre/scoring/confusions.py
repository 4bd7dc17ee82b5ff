"""Which relation types a pipeline takes for which."""

from collections import Counter, defaultdict
from typing import Any

import numpy as np

from .judgement import Judgement


def confused_types(judgement: Judgement, n: int = 15) -> list[dict[str, Any]]:
    """The most frequent confusions: a pair of entities has a gold relation that was missed, and was
    given another that is wrong. A relation may take part in several.

    judgement (Judgement): The relations.
    n (int): How many confusions at most.
    RETURNS (list[dict[str, Any]]): For each the types `gold` and `predicted` and the `count`, the
        most frequent first, equally frequent ones in alphabetical order.
    """
    wrong_of: defaultdict[int, list[int]] = defaultdict(list)
    for row in np.flatnonzero(judgement.predicted & ~judgement.gold).tolist():
        wrong_of[judgement.pair[row]].append(judgement.label[row])
    counts = Counter(
        (judgement.labels[judgement.label[row]], judgement.labels[label])
        for row in np.flatnonzero(judgement.gold & ~judgement.predicted).tolist()
        for label in wrong_of.get(judgement.pair[row], ())
    )
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"gold": gold, "predicted": predicted, "count": count}
        for (gold, predicted), count in ranked[:n]
    ]
