"""What `evaluate --end-to-end` prints."""

from collections.abc import Mapping

from spacy.language import Language

from ..errors import Warnings
from ..evaluation.end_to_end import Scores
from .messages import msg, percent
from .reports import interval

STAGE_NAMES: dict[str, str] = {
    "gold_clusters": "Gold clusters",
    "gold_mentions": "Gold mentions",
    "raw_text": "Raw text",
}
NEEDS: dict[str, str] = {
    "gold_mentions": "a component of the factory 'entity_clusters'",
    "raw_text": "components that find entities and clusters",
}
METRICS = {
    "mention_f": "Mentions",
    "mention_typed_f": "Mentions, typed",
    "cluster_strict_f": "Clusters, strict",
    "cluster_soft_f": "Clusters, soft (CEAF-e)",
    "entity_strict_f": "Entities, typed, strict (DWIE)",
    "entity_soft_f": "Entities, typed, soft (DWIE)",
    "rel_f": "Relations, aligned",
    "rel_ign_f": "Relations, aligned, Ign F1",
    "rel_strict_f": "Relations, strict (DWIE)",
    "rel_soft_f": "Relations, soft (DWIE)",
    "rel_evidence_f": "Evidence",
    "rel_evidence_correct_f": "Evidence of correct relations",
}
STEP_NAMES = {
    "recogniser": "Recogniser",
    "coreference": "Coreference",
    "recogniser_and_coreference": "Recogniser and coreference",
    "relation_model": "Relation model",
}


def print_stages(
    nlp: Language, stages: Mapping[str, Scores], lost: Mapping[str, Mapping[str, float]]
) -> None:
    """Print the F1 of all stages side by side, with their intervals if there are any, and where the
    relations' F1 is lost.

    nlp (Language): The pipeline.
    stages (Mapping[str, dict[str, Any]]): What `score_stages` gave.
    lost (Mapping[str, Mapping[str, float]]): What `lost_by_step` gave.
    """
    for stage, needs in NEEDS.items():
        if stage not in stages:
            names = ", ".join(nlp.pipe_names)
            msg.warn(Warnings.DW12.format(stage=STAGE_NAMES[stage], needs=needs, names=names))
    rows = [
        (name, *(_value(scores, metric) for scores in stages.values()))
        for metric, name in METRICS.items()
        if metric in stages["gold_clusters"]
    ]
    header = ("F1", *(STAGE_NAMES[stage] for stage in stages))
    msg.table(rows, title="End to end", header=header, aligns=("l", *"r" * len(stages)))
    if not lost:
        return
    steps = [step for step in STEP_NAMES if step in lost["rel_f"]]
    rows = [
        (METRICS[m], *(percent(by_step[step]) for step in steps)) for m, by_step in lost.items()
    ]
    header = ("Lost by", *(STEP_NAMES[step] for step in steps))
    msg.table(rows, title="Where F1 is lost", header=header, aligns=("l", *"r" * len(steps)))


def _value(scores: Scores, metric: str) -> str:
    ends = interval(scores.get("intervals", {}).get(metric))
    return f"{percent(scores[metric])} ({ends})" if ends else percent(scores[metric])
