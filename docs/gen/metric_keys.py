"""The keys of the metrics, from the scorers."""

import text

from spacy_docre.cli.stages import METRICS as STAGES
from spacy_docre.scoring.metrics import METRICS, metric_titles
from spacy_docre.scoring.subsets import SUBSET_TITLES, SUBSETS


def page() -> str:
    """The page."""
    subsets = [
        (text.code(key), title, SUBSETS[key].source if key in SUBSETS else "Tan et al. 2022")
        for key, title in SUBSET_TITLES.items()
    ]
    return "\n\n".join(
        [
            "# Metric keys",
            "The keys of what `nlp.evaluate` returns and of the JSON that `evaluate --output` "
            "writes. [Metrics](../explanation/metrics.md) says how each is computed. Values are "
            "between 0 and 1, or `None` where nothing is annotated.",
            "## Relations",
            text.table(
                ["Key", "What", "Source"],
                [(text.code(metric.key), metric.title, metric.source) for metric in METRICS],
            ),
            "`rel_per_type` has `p`, `r`, `f` and the number of gold relations of each type, "
            "`rel_ign_per_source` Ign F1 by the names of the files of training facts. With "
            "`--bootstrap`, `intervals` has the ends of 95 % intervals by the same keys.",
            "## Subsets",
            "Keys within `rel_subsets`, each with `p`, `r`, `f` and the numbers of correct, "
            "predicted and gold relations.",
            text.table(["Key", "What", "Source"], subsets),
            "## End to end",
            "What `evaluate --end-to-end` writes for each stage. For each of these F1 there are "
            "the same keys with `_p` and `_r`.",
            _table({key: title for key, title in STAGES.items() if key not in metric_titles()}),
        ]
    )


def _table(titles: dict[str, str]) -> str:
    return text.table(["Key", "What"], [(text.code(key), what) for key, what in titles.items()])
