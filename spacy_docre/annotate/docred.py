"""Annotated documents in the DocRED format."""

from itertools import groupby
from typing import Any

import numpy as np
from spacy.tokens import Doc

from ..data.clusters import get_clusters, sentence_of_token
from ..data.relation import get_relations


def to_docred(doc: Doc, title: str, *, prefix: str, attr: str) -> dict[str, Any]:
    """A document in the DocRED format, which `convert docred` reads again. As a mention there is
    part of one sentence, sentences that share a mention become one.

    doc (Doc): The document.
    title (str): Its title.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    RETURNS (dict[str, Any]): The document. Its labels also have a `score`.
    """
    clusters = get_clusters(doc, prefix)
    sentence_of = _sentences(doc, prefix)
    starts = np.searchsorted(sentence_of, np.arange(sentence_of.max(initial=-1) + 1))
    numbers = {cluster.key: number for number, cluster in enumerate(clusters)}
    entities = []
    for cluster in clusters:
        mentions = []
        for span in cluster.group:
            sentence = int(sentence_of[span.start])
            first = int(starts[sentence])
            mentions.append(
                {
                    "name": span.text,
                    "sent_id": sentence,
                    "pos": [span.start - first, span.end - first],
                    "type": span.label_,
                }
            )
        entities.append(mentions)
    labels = [
        {
            "r": relation.label,
            "h": numbers[relation["head"]],
            "t": numbers[relation["tail"]],
            "evidence": sorted(
                {int(s) for start, end in relation["evidence"] for s in sentence_of[start:end]}
            ),
            "score": relation.score,
        }
        for relation in get_relations(doc, attr=attr)
    ]
    by_sentence = groupby(doc, key=lambda token: sentence_of[token.i])
    sentences = [[token.text for token in tokens] for _, tokens in by_sentence]
    return {"title": title, "sents": sentences, "vertexSet": entities, "labels": labels}


def _sentences(doc: Doc, prefix: str) -> np.ndarray:
    """[T] The sentence of each token, where a mention is inside one."""
    sentence_of = sentence_of_token(doc)
    starts = np.diff(sentence_of, prepend=-1) > 0
    for cluster in get_clusters(doc, prefix):
        for span in cluster.group:
            starts[span.start + 1 : span.end] = False
    return np.cumsum(starts) - 1
