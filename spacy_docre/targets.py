"""The gold standard of a batch, in the shape of the model's output."""

from collections.abc import Sequence

import numpy as np
from spacy.training import Example

from .alignment import align_clusters
from .clusters import ClusterBatch, describe
from .errors import DocreError, Errors
from .relation import check_clusters, get_relations, has_relations


def gold_labels(
    examples: Sequence[Example],
    clusters: ClusterBatch,
    labels: Sequence[str],
    *,
    name: str,
    prefix: str,
    attr: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Look up which relations the candidate pairs of predicted documents have.

    examples (Sequence[Example]): The examples.
    clusters (ClusterBatch): The clusters of their predicted documents.
    labels (Sequence[str]): The relation types, in the order of the output.
    name (str): The component's name, for messages.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    RETURNS (tuple[np.ndarray, np.ndarray]): [P, R] bool, whether a pair has a type; and [P] bool,
        whether its relations are known: the reference is annotated, and both entities correspond
        to gold clusters.
    RAISES (DocreError): If a gold relation has an unknown label, or names a cluster that is not
        there.
    """
    n_entities, n_pairs = len(clusters.keys), len(clusters.pair_head)
    label_ids = {label: i for i, label in enumerate(labels)}
    is_known = np.zeros(n_entities, dtype=bool)
    found: list[tuple[int, int, int]] = []
    bounds = np.searchsorted(clusters.entity_doc, np.arange(len(examples) + 1))
    for eg, first, last in zip(examples, bounds[:-1], bounds[1:], strict=True):
        if not has_relations(eg.reference, attr=attr):
            continue
        aligned = align_clusters(eg, prefix)
        entity_of = {
            aligned[clusters.keys[i]]: i for i in range(first, last) if clusters.keys[i] in aligned
        }
        is_known[list(entity_of.values())] = True
        for head, label, tail in _checked_triples(eg, label_ids, name, attr):
            if head in entity_of and tail in entity_of:
                found.append((entity_of[head], entity_of[tail], label_ids[label]))
    heads, tails, columns = np.array(found, dtype=np.int64).reshape(-1, 3).T
    rows = clusters.find_pairs(heads, tails)
    gold = np.zeros((n_pairs, len(labels)), dtype=bool)
    gold[rows[rows >= 0], columns[rows >= 0]] = True
    return gold, is_known[clusters.pair_head] & is_known[clusters.pair_tail]


def _checked_triples(
    eg: Example, label_ids: dict[str, int], name: str, attr: str
) -> list[tuple[str, str, str]]:
    triples = []
    for relation in get_relations(eg.reference, attr=attr):
        label = relation.label
        if label not in label_ids:
            raise DocreError(
                Errors.D006.format(
                    label=label, doc=describe(eg.reference), n_labels=len(label_ids), name=name
                )
            )
        check_clusters(relation, eg.reference)
        triples.append(relation.triple)
    return triples
