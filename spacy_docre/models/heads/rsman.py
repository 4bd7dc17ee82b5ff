"""RSMAN: a relation-specific mention attention network (Yu et al., Findings of NAACL 2022)."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ...data.relation import Evidence
from ..batch import ClusterBatch
from ..encoding import Encoding, HeadOutput
from ..evidence import mention_spans
from ..layers.bilinear import PairContextBilinear, RelationBilinear
from ..layers.blocks import in_blocks
from ..layers.context import localized_context as pool_context
from ..layers.pooling import document_means
from ..layers.reduction import Reduced, reduce_vectors, reduced_mentions
from ..layers.segments import segment_softmax, segment_sum
from ..objective import PairLoss
from ..torch_head import HeadSizes, TypewiseHead, head_factory

Similarity = Literal["dot", "mlp"]


class RSMANHead(TypewiseHead):
    """The classifier of RSMAN: each relation type looks at an entity's mentions in its own way.

    With a prototype p_r for each type and mentions m_j of entity i,

        s_ij^r = p_r . tanh(W_a m_j + b_a)      (equation 3; or v . tanh(W [p_r; m_j]))
        alpha_ij^r = softmax over the mentions j of i    (equation 4)
        e_i^r = sum_j alpha_ij^r m_j                     (equation 5)
        P(r | s, o) = sigmoid(e_s^r' W_r e_o^r + b_r)    (equation 6)

    Representations are made for each entity and type, and the bilinear forms are matrix products
    over all entities of a document: nothing is gathered for each pair but its logits.

    The paper leaves open into what width mentions are projected; as its code does, the encoder's
    vectors are first reduced to `reduced_width`. It minimises cross-entropy; with the adaptive
    threshold of ATLOP instead, the threshold class has a prototype of its own.

    sizes (HeadSizes): The sizes of encoder and data.
    prototype_width (int): Width of the prototypes.
    reduced_width (int): Width that mentions are reduced to, by a linear layer and ReLU; 0 leaves
        them as they are.
    reduce (Reduced): What is reduced: the encoder's vectors of "mentions", or all "words", see
        `reduced_mentions`. It makes a difference where a mention is the mean of its words.
    similarity (Similarity): "dot" or "mlp".
    document_context (bool): Join each entity's representations with the mean of the means of the
        document's sentences, over their words, reduced as the mentions are. Not in the paper; its
        code has a special token before each sentence, which attends within the sentence, and
        averages these.
    localized_context (bool): Join the pair's localized context (ATLOP, equations 9 to 11), reduced
        by a layer of its own, to both entities' representations: the method as a plug-in of ATLOP.
    dropout (float): The dropout rate in training of what the bilinear forms get.
    loss (PairLoss): The loss, see `PairObjective`. With "bce", the paper's, the threshold is chosen
        on development data.
    """

    def __init__(
        self,
        sizes: HeadSizes,
        *,
        prototype_width: int = 256,
        reduced_width: int = 128,
        reduce: Reduced = "mentions",
        similarity: Similarity = "dot",
        document_context: bool = False,
        localized_context: bool = False,
        dropout: float = 0.1,
        loss: PairLoss = "bce",
    ) -> None:
        super().__init__(sizes.n_labels, loss)
        width = reduced_width or sizes.width
        self.reduce = reduce
        self.dropout = nn.Dropout(dropout)
        self.reduction = nn.Linear(sizes.width, reduced_width) if reduced_width else None
        self.prototypes = nn.Parameter(torch.empty(self.n_outputs, prototype_width))
        nn.init.xavier_normal_(self.prototypes)
        self.similarity: nn.Module
        if similarity == "mlp":
            self.similarity = PrototypeMLP(prototype_width, width)
        else:
            self.similarity = PrototypeProduct(prototype_width, width)
        self.document_context = document_context
        # Models of version 1 were trained with the mean of all tokens.
        self.by_sentence = sizes.version >= 2
        self.bilinear = RelationBilinear(width * (1 + document_context), self.n_outputs)
        self.context_reduction: nn.Linear | None = None
        if localized_context:
            self.context_reduction = nn.Linear(sizes.width, width)
            self.context_bilinear = PairContextBilinear(
                width * (1 + document_context), width, self.n_outputs
            )

    @classmethod
    def small_settings(cls) -> dict[str, Any]:
        """See `RelationHead.small_settings`."""
        return {
            "prototype_width": 16,
            "reduced_width": 32,
            "loss": "adaptive_threshold",
            "dropout": 0.0,
        }

    @property
    def can_leave_out_pairs(self) -> bool:
        """See `RelationHead.can_leave_out_pairs`. What is a product over all entities, the
        bilinear forms of their representations, is made of all pairs; of the context's part only
        the quadratic term, which is not, is made of those that are wanted."""
        return True

    @property
    def output_bias(self) -> nn.Parameter:
        """See `TypewiseHead.output_bias`."""
        return self.bilinear.bias

    def forward(self, encoding: Encoding) -> HeadOutput:
        """encoding (Encoding): The batch.
        RETURNS (HeadOutput): Logits [P, R], thresholds [P], and the attention of each type to each
            mention as `aux["attention"]` [M, R].
        """
        index = encoding.index
        mention = reduced_mentions(encoding, self.reduction, self.reduce)
        similarity = self.similarity(self.prototypes, mention)
        attention = segment_softmax(similarity, index.mention_entity, index.n_entities)
        entity = segment_sum(
            attention[:, :, None] * mention[:, None], index.mention_entity, index.n_entities
        )
        if self.document_context:
            context = self._document(encoding)[index.entity_doc]
            entity = torch.cat([entity, context[:, None].expand_as(entity)], dim=2)
        entity = self.dropout(entity)
        logits = self.bilinear(entity, index)
        if self.context_reduction is not None:
            pair_context = torch.tanh(self.context_reduction(pool_context(encoding)))
            logits = logits + self.context_bilinear(entity, pair_context, index)
        return self.output(logits, attention=attention[:, self.has_threshold :])

    def evidence(
        self, output: HeadOutput, clusters: ClusterBatch, pairs: np.ndarray, labels: np.ndarray
    ) -> Evidence:
        """The mention of the head and that of the tail that a relation's type attends to most, the
        one with more attention first; see `RelationHead.evidence`."""
        attention = self.mention_attention(output).cpu().numpy()
        entities = np.arange(len(clusters.entity_doc) + 1)
        bounds = np.searchsorted(clusters.mention_entity, entities)
        found = {}
        for pair, label in zip(pairs.tolist(), labels.tolist(), strict=True):
            mentions = []
            for entity in (clusters.pair_head[pair], clusters.pair_tail[pair]):
                first, last = bounds[entity], bounds[entity + 1]
                mentions.append(int(first + np.argmax(attention[first:last, label])))
            mentions.sort(key=lambda m: -attention[m, label])
            found[pair, label] = mention_spans(clusters, mentions)
        return found

    def mention_attention(self, output: HeadOutput) -> Tensor:
        """See `RelationHead.mention_attention`."""
        return output.aux["attention"]

    def _document(self, encoding: Encoding) -> Tensor:
        words = reduce_vectors(self.reduction, encoding.tokens)
        if self.by_sentence:
            return document_means(replace(encoding, tokens=words))
        columns = torch.arange(words.shape[1], device=words.device)
        is_token = columns < encoding.index.lengths[:, None]
        total = (words * is_token[:, :, None]).sum(dim=1)
        return total / encoding.index.lengths.clamp(min=1)[:, None]


class PrototypeProduct(nn.Module):
    """The similarity of prototypes and mentions by a product: p_r . tanh(W_a m_j + b_a).

    prototype_width (int): Width of the prototypes.
    width (int): Width of the mentions.
    """

    def __init__(self, prototype_width: int, width: int) -> None:
        super().__init__()
        self.projection = nn.Linear(width, prototype_width)

    def forward(self, prototypes: Tensor, mention: Tensor) -> Tensor:
        """prototypes (Tensor): [R, p] float.
        mention (Tensor): [M, d] float.
        RETURNS (Tensor): [M, R] The similarities.
        """
        return torch.tanh(self.projection(mention)) @ prototypes.T


class PrototypeMLP(nn.Module):
    """The similarity of prototypes and mentions by a layer over both: v . tanh(W [p_r; m_j] + b).

    prototype_width (int): Width of the prototypes and of the hidden layer.
    width (int): Width of the mentions.
    """

    def __init__(self, prototype_width: int, width: int) -> None:
        super().__init__()
        self.from_prototype = nn.Linear(prototype_width, prototype_width)
        self.from_mention = nn.Linear(width, prototype_width, bias=False)
        self.output = nn.Linear(prototype_width, 1, bias=False)

    def forward(self, prototypes: Tensor, mention: Tensor) -> Tensor:
        """prototypes (Tensor): [R, p] float.
        mention (Tensor): [M, d] float.
        RETURNS (Tensor): [M, R] The similarities.
        """
        # W [p; m] = W_p p + W_m m: neither is computed for each combination.
        prototype = self.from_prototype(prototypes)

        def similarities(mention: Tensor) -> Tensor:
            joined = mention[:, None] + prototype
            return self.output(torch.tanh(joined)).squeeze(2)

        mention = self.from_mention(mention)
        return in_blocks(similarities, mention, items_per_row=prototype.numel())


RSMAN = head_factory("rsman", RSMANHead)
