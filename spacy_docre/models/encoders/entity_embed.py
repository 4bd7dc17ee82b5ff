"""Word embeddings that know the entity clusters."""

from collections.abc import Callable
from typing import cast

import numpy as np
from spacy.tokens import Doc
from thinc.api import (
    HashEmbed,
    Maxout,
    Model,
    chain,
    concatenate,
    list2ragged,
    ragged2list,
    with_array,
)
from thinc.types import Floats2d, Ints2d

from ...data.clusters import DEFAULT_PREFIX, get_clusters

Embed = Model[list[Doc], list[Floats2d]]


def EntityEmbed(
    embed: Embed,
    width: int,
    *,
    type_width: int = 20,
    id_width: int = 20,
    rows: int = 500,
    prefix: str = DEFAULT_PREFIX,
) -> Embed:
    """The embedding "spacy-docre.EntityEmbed.v1", to be named as `embed` of "spacy.Tok2Vec.v2":
    another embedding, joined with embeddings of the type of the entity that a token is in and of
    the entity's number (as in the CNN, LSTM and BiLSTM of Yao et al. 2019, DocRED), mapped to
    the width by a Maxout layer as "spacy.MultiHashEmbed.v2" does. Tokens outside of all entities
    have a type and a number of their own.

    embed (Model[list[Doc], list[Floats2d]]): The words' embedding.
    width (int): The width of the result.
    type_width (int): The width of the types' embedding.
    id_width (int): The width of the numbers' embedding.
    rows (int): The rows of the table of each, which is a hash embedding: any number of types and
        entities fits, but those far above this number share their vectors.
    prefix (str): What the keys of the clusters in `doc.spans` start with.
    RETURNS (Model[list[Doc], list[Floats2d]]): The embedding.
    """
    features: Model = Model("entity_features", forward_features, attrs={"prefix": prefix})
    tables: Model = concatenate(
        HashEmbed(type_width, rows, column=0, seed=1, dropout=0.0),
        HashEmbed(id_width, rows, column=1, seed=2, dropout=0.0),
    )
    entities: Model = chain(features, list2ragged(), with_array(tables))
    mix: Model = with_array(Maxout(width, nP=3, dropout=0.0, normalize=True))
    model: Embed = chain(
        concatenate(chain(embed, list2ragged()), entities),
        mix,
        ragged2list(),
    )
    model.set_dim("nO", width)
    return model


def forward_features(
    model: Model[list[Doc], list[Ints2d]], docs: list[Doc], is_train: bool
) -> tuple[list[Ints2d], Callable[[list[Ints2d]], list]]:
    """Extract the `entity_features` of documents. There is nothing to pass a gradient to."""
    features = [entity_features(doc, model.attrs["prefix"]) for doc in docs]
    arrays = [model.ops.asarray2i(cast(Ints2d, f), dtype="uint64") for f in features]
    return arrays, lambda gradients: []


def entity_features(doc: Doc, prefix: str = DEFAULT_PREFIX) -> np.ndarray:
    """The type and the number of the entity that each token is in. Entities are numbered in the
    order of their first mentions, so that the order of the clusters does not matter. A token in
    several mentions belongs to the shortest, so that a mention within another keeps its tokens.

    doc (Doc): The document.
    prefix (str): What the keys of its clusters start with.
    RETURNS (np.ndarray): [T, 2] uint64. The hash of the entity's type and its number, from 1; 0 and
        0 outside of entities.
    """
    entities = []
    for cluster in get_clusters(doc, prefix):
        spans = sorted((span.start, span.end) for span in cluster.mentions)
        if spans:
            entities.append((spans, doc.vocab.strings[cluster.label]))
    features = np.zeros((len(doc), 2), dtype="uint64")
    mentions = [
        (end - start, number, start, end, label)
        for number, (spans, label) in enumerate(sorted(entities), start=1)
        for start, end in spans
    ]
    for _, number, start, end, label in sorted(mentions, reverse=True):
        features[start:end] = label, number
    return features
