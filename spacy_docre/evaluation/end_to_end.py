"""Where a pipeline loses quality between a text and its relations."""

from collections.abc import Mapping, Sequence
from typing import Any

from spacy.language import Language
from spacy.training import Example

from ..extractor.pipeline import find_extractor
from ..scoring.clusters import score_clusters
from ..scoring.judgement import Fact, judge_relations
from ..scoring.scorer import score_judgement
from ..scoring.significance import bootstrap_intervals, cluster_intervals
from .run import annotate_examples

Scores = dict[str, Any]

RELATION_METRICS = ("rel_f", "rel_strict_f", "rel_soft_f")
CLUSTERER_FACTORY = "entity_clusters"


def possible_stages(nlp: Language) -> list[str]:
    """Which stages a pipeline can be scored in. With gold mentions: if it has an "entity_clusters"
    before its relation extractor. From raw text: if it has any component there.

    nlp (Language): The pipeline.
    RETURNS (list[str]): The stages, in their order.
    """
    name, _ = find_extractor(nlp)
    before = nlp.pipe_names[: nlp.pipe_names.index(name)]
    stages: list[str] = ["gold_clusters"]
    if any(nlp.get_pipe_meta(n).factory == CLUSTERER_FACTORY for n in before):
        stages.append("gold_mentions")
    if before:
        stages.append("raw_text")
    return stages


def score_stages(
    nlp: Language,
    examples: Sequence[Example],
    *,
    names_only: bool = False,
    train_facts: set[Fact] | Mapping[str, set[Fact]] | None = None,
    bootstrap: int = 0,
    seed: int = 0,
) -> dict[str, Scores]:
    """Score a pipeline with gold clusters, with gold mentions and its own clusters, and from raw
    text.

    nlp (Language): The pipeline.
    examples (Sequence[Example]): What `read_examples` gave. The predicted documents are replaced.
    names_only (bool): Let nothing but names count as mentions, see `score_clusters`.
    train_facts (Optional[Union[set, Mapping[str, set]]]): For Ign F1, see `score_relations`.
    bootstrap (int): Give 95 % confidence intervals by so many samples, too.
    seed (int): Of the random samples.
    RETURNS (dict[str, dict[str, Any]]): For each possible stage what `score_relations` and
        `score_clusters` return, and with samples "intervals".
    """
    _, extractor = find_extractor(nlp)
    settings = {name: extractor.cfg[name] for name in ("prefix", "attr")}
    scores: dict[str, Scores] = {}
    for stage in possible_stages(nlp):
        annotated = annotate_examples(
            nlp,
            examples,
            gold_clusters=stage == "gold_clusters",
            gold_mentions=stage == "gold_mentions",
        )
        examples = [example for example, _ in annotated]
        judgement = judge_relations(examples, train_facts=train_facts, **settings)
        scores[stage] = {
            **score_judgement(judgement),
            **score_clusters(examples, names_only=names_only, **settings),
        }
        if bootstrap:
            scores[stage]["intervals"] = {
                **bootstrap_intervals(judgement, n=bootstrap, seed=seed),
                **cluster_intervals(
                    examples, n=bootstrap, seed=seed, names_only=names_only, **settings
                ),
            }
    return scores


def lost_by_step(scores: dict[str, Scores]) -> dict[str, dict[str, float]]:
    """How much of the relations' F1 each step of a pipeline loses: the relation model against all
    relations, coreference against gold clusters, the recogniser against gold mentions. A stage that
    is missing adds its step to the next.

    scores (dict[str, dict[str, Any]]): What `score_stages` gave.
    RETURNS (dict[str, dict[str, float]]): For each of the relations' F1 the loss by step; empty if
        no relation is annotated.
    """
    if scores["gold_clusters"]["rel_f"] is None:
        return {}
    steps = {"gold_clusters": "relation_model", "gold_mentions": "coreference"}
    if "gold_mentions" in scores:
        steps["raw_text"] = "recogniser"
    else:
        steps["raw_text"] = "recogniser_and_coreference"
    lost: dict[str, dict[str, float]] = {}
    for metric in RELATION_METRICS:
        former = 1.0
        for stage in scores:
            value = scores[stage][metric]
            lost.setdefault(metric, {})[steps[stage]] = former - value
            former = value
    return lost
