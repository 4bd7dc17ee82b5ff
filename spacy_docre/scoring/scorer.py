"""Relation metrics, and the scorer of the component."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
from spacy.training import Example

from ..data.clusters import DEFAULT_PREFIX
from ..data.relation import DEFAULT_ATTR
from .judgement import Fact, Judgement, judge_relations
from .metrics import METRICS, metrics_of, tally_relations
from .subsets import relation_subsets
from .tallies import CORRECT, GOLD, PREDICTED, TYPES, precision_recall_f1


def make_relation_scorer(
    subsets: bool = False, tuned_threshold: bool = False
) -> Callable[..., dict[str, Any]]:
    """The scorer "spacy-docre.relation_scorer.v1"; see `score_relations`.

    subsets (bool): Whether to score subsets of the relations, too.
    tuned_threshold (bool): Whether to choose the threshold at each evaluation while training, for a
        head that learns none: so the best step is that with the best threshold, which is saved with
        it.
    """
    return partial(score_relations, subsets=subsets, tuned_threshold=tuned_threshold)


def score_relations(
    examples: Iterable[Example],
    *,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
    train_facts: set[Fact] | Mapping[str, set[Fact]] | None = None,
    train_counts: Mapping[str, int] | None = None,
    subsets: bool = False,
    tuned_threshold: bool = False,
    choose_threshold: Callable[[Sequence[Example]], float] | None = None,
    **_: Any,
) -> dict[str, Any]:
    """Score relations over the documents whose references are annotated. Predicted clusters are
    aligned with gold ones one to one; a relation is correct if its clusters are aligned with those
    of a gold relation of the same type. A gold relation that was never a candidate counts as
    missed, a relation of a cluster that no gold cluster corresponds to as wrong, a relation that
    is listed twice once.

    examples (Iterable[Example]): Predicted and reference documents.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    train_facts (Optional[Union[set, Mapping[str, set]]]): What `collect_facts` gave for the
        training data, for Ign F1; for several training corpora by their names.
    train_counts (Optional[Mapping[str, int]]): What `count_types` gave for the training data, for
        frequent and rare types.
    subsets (bool): Whether to score the subsets of `subset_scoring`, too.
    tuned_threshold (bool): Whether to let the component choose its threshold first.
    choose_threshold (Optional[Callable[[Sequence[Example]], float]]): How it does that, see
        `ThresholdChoice.choose`.
    RETURNS (dict[str, Any]): `rel_p`, `rel_r`, `rel_f` (micro), `rel_intra_f` and `rel_inter_f`
        (entities with and without mentions in a common sentence), `rel_pair_f` (any relation or
        none, PAEE's Rela), `rel_macro_f` and `rel_per_type` (p, r, f, gold of each type), with
        `train_facts` `rel_ign_f` (of the first corpus) and `rel_ign_per_source`;
        `rel_evidence_p`, `rel_evidence_r` and `rel_evidence_f` as in the official DocRED script,
        and `rel_evidence_correct_f`, over correct relations whose evidence is known (None where
        the gold relations have no evidence at all); with `train_counts` `rel_macro_500_f`, ...;
        with `subsets` `rel_subsets` (p, r, f and counts of each); with a tuned threshold
        `rel_threshold`. All in 0..1, all None if no
        reference is annotated. `docs/explanation/metrics.md` has the formulas.
    """
    examples = list(examples)
    chosen = {}
    if tuned_threshold and choose_threshold is not None:
        chosen["rel_threshold"] = choose_threshold(examples)
    judgement = judge_relations(examples, prefix=prefix, attr=attr, train_facts=train_facts)
    return score_judgement(judgement, train_counts=train_counts, subsets=subsets) | chosen


def score_judgement(
    judgement: Judgement, *, train_counts: Mapping[str, int] | None = None, subsets: bool = False
) -> dict[str, Any]:
    """Score relations that were judged already.

    judgement (Judgement): The relations.
    train_counts (Optional[Mapping[str, int]]): See `score_relations`.
    subsets (bool): See `score_relations`.
    RETURNS (dict[str, Any]): See `score_relations`.
    """
    chosen = relation_subsets(judgement, train_counts) if subsets else {}
    tallies = tally_relations(judgement, chosen, train_counts)
    totals = {name: tally.sum(axis=0) for name, tally in tallies.items()}
    scores: dict[str, Any] = {
        name: value.item() for name, value in metrics_of(totals).items() if name not in chosen
    }
    undefined = {metric.key for metric in METRICS if not metric.defined(judgement)}
    scores |= dict.fromkeys(undefined & scores.keys())
    types = totals[TYPES.name]
    per_type = zip(judgement.labels, precision_recall_f1(types).tolist(), types, strict=True)
    scores["rel_per_type"] = {
        label: {**dict(zip("prf", values, strict=True)), "gold": int(counts[GOLD])}
        for label, values, counts in sorted(per_type, key=itemgetter(0))
    }
    if judgement.sources:
        scores["rel_ign_per_source"] = {
            source: scores.pop(f"rel_ign {source}") for source in judgement.sources
        }
    if subsets:
        scores["rel_subsets"] = {name: _subset_scores(totals[name]) for name in chosen}
    return scores if judgement.n_docs else dict.fromkeys(scores)


def _subset_scores(total: np.ndarray) -> dict[str, float]:
    p, r, f = precision_recall_f1(total).tolist()
    counts = {"correct": CORRECT, "predicted": PREDICTED, "gold": GOLD}
    return {"p": p, "r": r, "f": f, **{name: int(total[i]) for name, i in counts.items()}}
