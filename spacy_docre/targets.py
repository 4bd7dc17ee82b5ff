"""The gold standard of a batch, in the shape of the model's output."""

from collections.abc import Sequence

import numpy as np
from spacy.training import Example

from .alignment import align_clusters
from .clusters import ClusterBatch, describe
from .errors import DocreError, Errors
from .relation import get_relations, has_relations


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
    # Pairs are sorted by head, then tail, so that a relation's row is found by bisection.
    pair_code = clusters.pair_head * n_entities + clusters.pair_tail
    is_known = np.zeros(n_entities, dtype=bool)
    rows: list[int] = []
    columns: list[int] = []
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
            if head in entity_of and tail in entity_of and head != tail:
                code = entity_of[head] * n_entities + entity_of[tail]
                row = int(np.searchsorted(pair_code, code))
                if row < n_pairs and pair_code[row] == code:
                    rows.append(row)
                    columns.append(label_ids[label])
    gold = np.zeros((n_pairs, len(labels)), dtype=bool)
    gold[rows, columns] = True
    return gold, is_known[clusters.pair_head] & is_known[clusters.pair_tail]


def _checked_triples(
    eg: Example, label_ids: dict[str, int], name: str, attr: str
) -> list[tuple[str, str, str]]:
    triples = []
    for relation in get_relations(eg.reference, attr=attr):
        head, label, tail = relation.triple
        if label not in label_ids:
            raise DocreError(
                Errors.D006.format(
                    label=label, doc=describe(eg.reference), n_labels=len(label_ids), name=name
                )
            )
        for key in (head, tail):
            if key not in eg.reference.spans:
                raise DocreError(
                    Errors.D009.format(
                        head=head, label=label, tail=tail, doc=describe(eg.reference), key=key
                    )
                )
        triples.append((head, label, tail))
    return triples
