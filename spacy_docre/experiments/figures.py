"""What a method does besides finding relations: whether its idea is at work."""

from collections.abc import Sequence

import torch
from spacy.tokens import Doc
from torch import Tensor

from ..data.relation import get_relations
from ..extractor.component import DocRelationExtractor
from ..models.batch import ClusterBatch
from ..models.encoding import Encoding, HeadOutput
from ..models.layers.segments import segment_sum
from ..models.relation_model import relation_head
from ..models.torch_head import RelationHead

BATCH_SIZE = 4

TITLES = {
    "attention_entropy": "Entropy of the attention over mentions",
    "key_share": "Share of mention pairs kept",
    "n_types": "Types predicted",
}


class HeadFigures:
    """Adds up the figures of a head over batches.

    head (RelationHead): The head.
    """

    def __init__(self, head: RelationHead) -> None:
        self.head = head
        self._entropy: list[Tensor] = []
        self._is_key: list[Tensor] = []

    def add(self, encoding: Encoding, output: HeadOutput) -> None:
        """encoding (Encoding): A batch.
        output (HeadOutput): What the head returned for it.
        """
        attention = self.head.mention_attention(output)
        if attention is not None:
            self._entropy.append(attention_entropy(attention, encoding.index.mention_entity))
        pairs = self.head.key_pairs(output)
        if pairs is not None:
            self._is_key.append(pairs.is_key)

    def values(self) -> dict[str, float]:
        """RETURNS (dict[str, float]): Those of the figures that the head has: "attention_entropy",
        the mean over entities and types, and "key_share", the share of all mention pairs that are
        key.
        """
        found = {}
        entropy, is_key = _joined(self._entropy), _joined(self._is_key)
        if entropy.numel():
            found["attention_entropy"] = entropy.mean().item()
        if is_key.numel():
            found["key_share"] = is_key.double().mean().item()
        return found


def extractor_figures(extractor: DocRelationExtractor, docs: Sequence[Doc]) -> dict[str, float]:
    """The figures of a trained extractor.

    extractor (DocRelationExtractor): The extractor.
    docs (Sequence[Doc]): Documents with entity clusters, and the relations that it has set.
    RETURNS (dict[str, float]): What `HeadFigures.values` says, and "n_types", the number of types
        among the relations.
    """
    encoder, head = (extractor.model.get_ref(name) for name in ("encoder", "head"))
    figures = HeadFigures(relation_head(head))
    for start in range(0, len(docs), BATCH_SIZE):
        batch = list(docs[start : start + BATCH_SIZE])
        clusters = ClusterBatch.from_docs(
            batch, prefix=extractor.cfg["prefix"], entity_types=extractor.cfg["entity_types"]
        )
        encoding = encoder.predict((batch, clusters))
        figures.add(encoding, head.predict(encoding))
    relations = (get_relations(doc, attr=extractor.cfg["attr"]) for doc in docs)
    n_types = len({relation.label for found in relations for relation in found})
    return {"n_types": n_types, **figures.values()}


def attention_entropy(attention: Tensor, entity: Tensor) -> Tensor:
    """How evenly each type attends to the mentions of each entity that has several: the entropy as
    a share of its largest value, the logarithm of the number of mentions.

    attention (Tensor): [M, R] float. Sums to 1 over the mentions of each entity.
    entity (Tensor): [M] int64. The entity of each mention.
    RETURNS (Tensor): [N', R] float. In 0..1: 1 where all mentions count the same.
    """
    counts = torch.bincount(entity)
    entropy = -segment_sum(torch.xlogy(attention, attention), entity, len(counts))
    has_several = counts > 1
    return entropy[has_several] / counts[has_several].log().to(entropy.dtype)[:, None]


def _joined(parts: list[Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts]) if parts else torch.empty(0)
