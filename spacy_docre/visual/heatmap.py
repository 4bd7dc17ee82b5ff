"""Heat maps of what a head looked at, drawn by matplotlib."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from spacy.language import Language
from spacy.tokens import Doc

from ..data.clusters import EntityCluster, describe, get_clusters
from ..data.relation import get_relations
from ..errors import DocreError, Errors
from ..extractor.component import DocRelationExtractor
from ..extractor.pipeline import find_extractor
from ..models.batch import ClusterBatch
from ..models.encoding import HeadOutput
from ..models.relation_model import relation_head
from ..models.torch_head import RelationHead
from .document import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# How many relation types are shown where nobody says which.
MAX_LABELS = 12
MAX_NAME = 40
_CELL = 0.5
_CHARACTER = 0.085


def plot_mention_attention(
    nlp: Language,
    doc: Doc,
    cluster: EntityCluster | str,
    labels: Sequence[str] | None = None,
) -> "Figure":
    """Draw which of an entity's mentions each relation type attends to (Yu et al. 2022, figure 5).
    Each column sums to 1.

    nlp (Language): A pipeline with the head "spacy-docre.RSMAN.v1".
    doc (Doc): A document that it has processed.
    cluster (Union[EntityCluster, str]): The entity, or its key in `doc.spans`.
    labels (Optional[Sequence[str]]): The relation types. None takes those of the entity's relations
        in the document, and if it has none those whose attention is furthest from being even.
    RETURNS (Figure): The figure: a row for each mention, a column for each type.
    RAISES (DocreError): If the head has no such attention, the document no such entity, the
        component no such label, or if matplotlib is not installed.
    """
    name, extractor = find_extractor(nlp)
    clusters, output = _run(extractor, doc)
    weights = _head(extractor).mention_attention(output)
    if weights is None:
        raise _no_weights(nlp, name, "relation-specific mention attention", "spacy-docre.RSMAN.v1")
    entity = _entity_number(extractor, doc, clusters, cluster)
    mentions = _mentions(clusters, entity)
    attention = _array(weights)[mentions]
    columns = _columns(extractor, doc, clusters.keys[entity], labels, attention)
    return _heat_map(
        attention[:, columns],
        rows=_mention_names(doc, clusters, mentions),
        columns=[visible(extractor.labels[column]) for column in columns],
        title=f"Mention attention of {_name(doc, clusters, entity)}",
        scale="attention",
        top=float(attention[:, columns].max()),
    )


def plot_key_mentions(
    nlp: Language, doc: Doc, head: EntityCluster | str, tail: EntityCluster | str
) -> "Figure":
    """Draw how likely each pair of mentions of two entities is to say something about their
    relations; key mention pairs, from which the relations are read, have a frame (Jiang et al.
    2022).

    nlp (Language): A pipeline with the head "spacy-docre.KMGRE.v1".
    doc (Doc): A document that it has processed.
    head (Union[EntityCluster, str]): The head entity, or its key in `doc.spans`.
    tail (Union[EntityCluster, str]): The tail entity.
    RETURNS (Figure): The figure: a row for each mention of the head, a column for each of the tail.
    RAISES (DocreError): If the head has no such probabilities, the document no such entities, or if
        matplotlib is not installed.
    """
    name, extractor = find_extractor(nlp)
    clusters, output = _run(extractor, doc)
    pairs = _head(extractor).key_pairs(output)
    if pairs is None:
        raise _no_weights(nlp, name, "probabilities of mention pairs", "spacy-docre.KMGRE.v1")
    entities = [_entity_number(extractor, doc, clusters, entity) for entity in (head, tail)]
    if entities[0] == entities[1]:
        raise DocreError(
            Errors.D020.format(setting="tail", condition="another entity", value="the head itself")
        )
    is_pair = (clusters.pair_head == entities[0]) & (clusters.pair_tail == entities[1])
    rows = _array(pairs.pair) == np.flatnonzero(is_pair)[0]
    mentions = [_mentions(clusters, entity) for entity in entities]
    places = tuple(
        _places(own, _array(side)[rows])
        for own, side in zip(mentions, (pairs.first, pairs.second), strict=True)
    )
    probability = np.zeros([len(own) for own in mentions])
    probability[places] = _array(pairs.probability)[rows]
    is_key = np.zeros(probability.shape, dtype=bool)
    is_key[places] = _array(pairs.is_key)[rows]
    names = " and ".join(_name(doc, clusters, entity) for entity in entities)
    return _heat_map(
        probability,
        rows=_mention_names(doc, clusters, mentions[0]),
        columns=_mention_names(doc, clusters, mentions[1]),
        title=f"Mention pairs of {names} (framed: key)",
        scale="probability",
        framed=is_key,
    )


def find_cluster(doc: Doc, entity: str, *, prefix: str) -> EntityCluster:
    """Find an entity by what a person calls it.

    doc (Doc): The document.
    entity (str): Its key in `doc.spans`, its number on the page (from 1), its canonical name or
        one of its mentions; capitals do not matter.
    prefix (str): What the clusters' keys start with.
    RETURNS (EntityCluster): The first cluster that is called so.
    RAISES (DocreError): If there is none; lists the document's entities.
    """
    numbered = [
        (str(number), cluster)
        for number, cluster in enumerate(get_clusters(doc, prefix), start=1)
        if len(cluster.group)
    ]
    wanted = entity.casefold()
    tests = (
        lambda number, cluster: entity in (cluster.key, number),
        lambda number, cluster: cluster.text.casefold() == wanted,
        lambda number, cluster: wanted in {name.casefold() for name in cluster.names},
    )
    for test in tests:
        for number, cluster in numbered:
            if test(number, cluster):
                return cluster
    names = ", ".join(f"{number} {cluster.text}" for number, cluster in numbered) or "none"
    raise DocreError(Errors.D044.format(doc=describe(doc), entity=entity, names=names))


def _run(extractor: DocRelationExtractor, doc: Doc) -> tuple[ClusterBatch, HeadOutput]:
    clusters = ClusterBatch.from_docs(
        [doc],
        prefix=extractor.cfg["prefix"],
        entity_types=extractor.cfg["entity_types"],
        parts=[limited.part for limited in extractor.reader.read([doc])],
    )
    if len(clusters.keys) < 2:
        raise DocreError(
            Errors.D020.format(
                setting="the number of entities",
                condition="at least 2 for there to be relations",
                value=f"{len(clusters.keys)} in {describe(doc)}",
            )
        )
    return clusters, extractor.model.predict(([doc], clusters))


def _head(extractor: DocRelationExtractor) -> RelationHead:
    return relation_head(extractor.model.get_ref("head"))


def _array(tensor: torch.Tensor) -> np.ndarray:
    array: np.ndarray = tensor.detach().cpu().numpy()
    return array


def _no_weights(nlp: Language, name: str, weights: str, heads: str) -> DocreError:
    head = nlp.get_pipe_config(name)["model"]["head"]["@architectures"]
    return DocreError(Errors.D043.format(head=head, name=name, weights=weights, heads=heads))


def _entity_number(
    extractor: DocRelationExtractor, doc: Doc, clusters: ClusterBatch, cluster: EntityCluster | str
) -> int:
    if isinstance(cluster, str):
        cluster = find_cluster(doc, cluster, prefix=extractor.cfg["prefix"])
    return clusters.keys.index(cluster.key)


def _columns(
    extractor: DocRelationExtractor,
    doc: Doc,
    key: str,
    labels: Sequence[str] | None,
    attention: np.ndarray,
) -> list[int]:
    known = extractor.labels
    if labels is None:
        relations = get_relations(doc, attr=extractor.cfg["attr"])
        own = {r.label for r in relations if key in (r["head"], r["tail"])}
        labels = sorted(own.intersection(known))
        if not labels:
            uneven = np.argsort(-attention.std(axis=0), kind="stable")
            return sorted(uneven[:MAX_LABELS].tolist())
    for label in labels:
        if label not in known:
            raise DocreError(
                Errors.D020.format(
                    setting="labels", condition=f"among {', '.join(known)}", value=repr(label)
                )
            )
    return [known.index(label) for label in labels]


def _mentions(clusters: ClusterBatch, entity: int) -> np.ndarray:
    """The numbers of an entity's mentions, in the order of the text."""
    found = np.flatnonzero(clusters.mention_entity == entity)
    order: np.ndarray = found[np.argsort(clusters.mention_start[found], kind="stable")]
    return order


def _places(mentions: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where each wanted mention stands among others."""
    order = np.argsort(mentions)
    places: np.ndarray = order[np.searchsorted(mentions, wanted, sorter=order)]
    return places


def _name(doc: Doc, clusters: ClusterBatch, entity: int) -> str:
    key = clusters.keys[entity]
    return _shorten(EntityCluster(key, doc.spans[key]).text)


def _mention_names(doc: Doc, clusters: ClusterBatch, mentions: np.ndarray) -> list[str]:
    spans = (doc[clusters.mention_start[m] : clusters.mention_end[m]] for m in mentions)
    return [f"{i}  {_shorten(span.text)}" for i, span in enumerate(spans, start=1)]


def _shorten(name: str) -> str:
    name = " ".join(visible(name).split())
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"


def _heat_map(
    values: np.ndarray,
    *,
    rows: list[str],
    columns: list[str],
    title: str,
    scale: str,
    top: float = 1.0,
    framed: np.ndarray | None = None,
) -> "Figure":
    try:
        from matplotlib.figure import Figure
        from matplotlib.patches import Rectangle
    except ImportError:
        raise DocreError(
            Errors.D021.format(package="matplotlib", purpose="heat maps", extra="visual")
        ) from None
    margins = _CHARACTER * max(map(len, rows)), _CHARACTER * max(map(len, columns))
    width = max(_CELL * len(columns) + margins[0] + 1.6, _CHARACTER * len(title) + 0.5)
    figure = Figure(figsize=(width, _CELL * len(rows) + margins[1] * 0.8 + 1.2), dpi=150)
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    image = axes.imshow(values, cmap="cividis", vmin=0, vmax=top, aspect="equal")
    # Names are no formulas, whatever dollar signs are in them.
    axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right", parse_math=False)
    axes.set_yticks(range(len(rows)), rows, parse_math=False)
    figure.suptitle(title, fontsize=11, parse_math=False)
    for (row, column), value in np.ndenumerate(values):
        ink = "black" if value > 0.55 * top else "white"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=ink, fontsize=7)
        if framed is not None and framed[row, column]:
            box = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, ec="#d55e00", lw=2.5)
            axes.add_patch(box)
    figure.colorbar(image, ax=axes, shrink=0.8, label=scale)
    return figure
