"""The keys of the metrics, from the scorers."""

import text
from lookup import find

RELATIONS = find("spacy_docre.scoring.scorer:METRIC_TITLES", "spacy_docre.scoring:METRIC_TITLES")
SUBSETS = find("spacy_docre.scoring.subsets:SUBSETS", "spacy_docre.subset_scoring:SUBSETS")
TITLES = find(
    "spacy_docre.scoring.subsets:SUBSET_TITLES", "spacy_docre.subset_scoring:SUBSET_TITLES"
)
STAGES = find("spacy_docre.cli.stages:METRICS")


def page() -> str:
    """The page."""
    subsets = [
        (text.code(key), title, SUBSETS[key].source if key in SUBSETS else "Tan et al. 2022")
        for key, title in TITLES.items()
    ]
    return "\n\n".join(
        [
            "# Metric keys",
            "The keys of what `nlp.evaluate` returns and of the JSON that `evaluate --output` "
            "writes. [Metrics](../explanation/metrics.md) says how each is computed. Values are "
            "between 0 and 1, or `None` where nothing is annotated.",
            "## Relations",
            _table(RELATIONS),
            "`rel_per_type` has `p`, `r` and `f` of each relation type, `rel_ign_per_source` Ign "
            "F1 by the names of the files of training facts.",
            "## Subsets",
            "Keys within `rel_subsets`, each with `p`, `r`, `f` and the numbers of correct, "
            "predicted and gold relations.",
            text.table(["Key", "What", "Source"], subsets),
            "## End to end",
            "What `evaluate --end-to-end` writes for each stage. For each of these F1 there are "
            "the same keys with `_p` and `_r`.",
            _table({key: title for key, title in STAGES.items() if key not in RELATIONS}),
        ]
    )


def _table(titles: dict[str, str]) -> str:
    return text.table(["Key", "What"], [(text.code(key), what) for key, what in titles.items()])
