"""HeterGSAN: document-level relation extraction with reconstruction (Xu et al., AAAI 2021)."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from ..encoding import Encoding, HeadOutput, Targets
from ..layers.blocks import in_blocks
from ..layers.distance import DistanceEmbedding, distance_bins
from ..layers.divisor import check_divides
from ..layers.pair_tables import PairTables
from ..layers.pooling import mention_means, sentence_means
from ..layers.reconstruction import PathReconstructor, find_paths
from ..layers.reduction import reduce_vectors
from ..layers.segments import segment_mean
from ..layers.typed_graph import TypedAttention, TypedGraph
from ..losses import masked_mean
from ..objective import PairLoss
from ..precision import at_least_single, full_precision
from ..torch_head import HeadSizes, TypewiseHead, head_factory


class HeterGSANHead(TypewiseHead):
    """The classifier of HeterGSAN with reconstruction, from the authors' code.

    Entities, mentions and sentences are nodes of a graph: the mean of their words, after a linear
    layer and ReLU (of its mentions, for an entity). Layers of attention go along its edges (see
    `TypedGraph` and `TypedAttention`), each of which reads the nodes and what the layers before
    made of them; all of that together becomes a node n, by a linear layer and ReLU. A pair is

        z = [ReLU(W_h n_h + b_h); D(d_ht); ReLU(W_t n_t + b_t); D(d_th)]
        P(r | z) = sigmoid(W_2 ReLU(W_1 z + b_1) + b_2)

    with embeddings of the distance as in GLRE (see `distance_bins`). For each pair there is a path
    through the graph (see `find_paths`), of each step of which a network says how likely it is (see
    `PathReconstructor`). It learns to find the paths of the related pairs, and not to find those of
    the others; relations are scored by

        P(r | z) (prod_k P(step k)) ^ (indicator_weight / steps)

    sizes (HeadSizes): The sizes of encoder and data.
    width (int): The width of a node before the graph and of what a layer adds to it.
    hidden (int): The width of a node behind the graph and of the LSTM.
    distance_width (int): The width of the embeddings of distances.
    layers (int): The number of layers of the graph.
    heads (int): The number of their heads, a divisor of `width`.
    dropout (float): The dropout rate of nodes behind each layer, in training.
    path_dropout (float): That of the nodes that the LSTM reads.
    reconstruction_weight (float): The weight of the loss of paths, the mean over their steps.
    indicator_weight (float): The weight of a path in the scores of relations; 0 for none.
    loss (PairLoss): The loss of relations, see `PairObjective`.
    """

    def __init__(
        self,
        sizes: HeadSizes,
        *,
        width: int = 128,
        hidden: int = 256,
        distance_width: int = 20,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.2,
        path_dropout: float = 0.2,
        reconstruction_weight: float = 0.4,
        indicator_weight: float = 0.4,
        loss: PairLoss = "bce_sum",
    ) -> None:
        super().__init__(sizes.n_labels, loss)
        check_divides("heads", heads, width)
        self.reconstruction_weight = reconstruction_weight
        self.indicator_weight = indicator_weight
        self.reduction = nn.Linear(sizes.width, width)
        self.layers = nn.ModuleList(
            TypedAttention((n + 1) * width, width, heads) for n in range(layers)
        )
        self.mapping = nn.Linear((layers + 1) * width, hidden)
        self.as_head = nn.Linear(hidden, hidden)
        self.as_tail = nn.Linear(hidden, hidden)
        self.distance = DistanceEmbedding(distance_width)
        pair_width = 2 * (hidden + distance_width)
        self.of_pair = nn.Linear(pair_width, pair_width)
        self.classifier = nn.Linear(pair_width, self.n_outputs)
        self.reconstructor = PathReconstructor(hidden, pair_width, path_dropout)
        self.dropout = nn.Dropout(dropout)

    @classmethod
    def small_settings(cls) -> dict[str, Any]:
        """See `RelationHead.small_settings`."""
        return {
            "width": 16,
            "hidden": 16,
            "distance_width": 4,
            "dropout": 0.0,
            "path_dropout": 0.0,
        }

    @property
    def can_leave_out_pairs(self) -> bool:
        """See `RelationHead.can_leave_out_pairs`. Graph and paths are those of all entities."""
        return True

    @property
    def output_bias(self) -> nn.Parameter:
        """See `TypewiseHead.output_bias`."""
        return self.classifier.bias

    def forward(self, encoding: Encoding) -> HeadOutput:
        """encoding (Encoding): The batch. The vectors and attention of mentions are not used.
        RETURNS (HeadOutput): Logits [P, R] of the scores above and thresholds [P]; as auxiliaries
            "relation" [P, R], the logits of P(r | z), and "path" [P, 6], the log-odds of the
            path's steps; as index "is_step" [P, 6], which of these there are.
        """
        index = encoding.index
        if not index.n_entities:
            none = encoding.tokens.new_zeros(0, self.n_outputs)
            return self._scored(none, none.new_zeros(0, 6), none.new_zeros(0, 6) > 0)
        graph = TypedGraph.from_index(index)
        # Nodes are few, and in half precision their small differences would be lost.
        with full_precision(encoding.tokens):
            node = self._nodes(encoding, graph)
            entity = node[index.entity_doc, index.entity_slot]
            head, tail = (torch.relu(layer(entity)) for layer in (self.as_head, self.as_tail))
            of_pair, hidden, cell = (
                PairTables.of(layer, head, tail, self.distance.weight)
                for layer in (self.of_pair, self.reconstructor.hidden, self.reconstructor.cell)
            )
        forth, back = distance_bins(index)
        key = torch.stack([index.pair_head, forth, index.pair_tail, back], dim=1)
        logits = in_blocks(
            lambda rows: self.classifier(torch.relu(of_pair.rows(rows))),
            key,
            items_per_row=2 * of_pair.head.shape[1] + self.n_outputs,
        )
        paths = find_paths(index, graph)
        steps = self.reconstructor(node, hidden, cell, key, paths, graph, index)
        return self._scored(logits, steps, paths.is_step)

    def loss(self, output: HeadOutput, targets: Targets) -> Tensor:
        """The loss of relations, and that of paths: of each step the cross-entropy of its
        probability with whether the pair has any relation.

        output (HeadOutput): What `forward` returned.
        targets (Targets): The gold standard.
        RETURNS (Tensor): [] The loss.
        """
        loss: Tensor = self.objective(replace(output, logits=output.aux["relation"]), targets)
        steps, is_step = output.aux["path"], output.index["is_step"]
        related = targets.labels.any(dim=1, keepdim=True).to(steps.dtype).expand_as(steps)
        of_steps = binary_cross_entropy_with_logits(steps, related, reduction="none")
        of_paths = masked_mean(of_steps.flatten(), (is_step & targets.mask[:, None]).flatten())
        return loss + self.reconstruction_weight * of_paths

    def _scored(self, outputs: Tensor, steps: Tensor, is_step: Tensor) -> HeadOutput:
        # In half precision the logarithms of likely steps would be zero.
        steps = at_least_single(steps)
        relation, threshold = self.objective.split(at_least_single(outputs))
        of_path = (logsigmoid(steps) * is_step).sum(dim=1) / is_step.sum(dim=1)
        path = self.indicator_weight * of_path[:, None]
        logits = relation
        if self.indicator_weight:
            logits = threshold[:, None] + damped(relation - threshold[:, None], path)
        aux = {"relation": relation, "path": steps}
        return HeadOutput(logits, threshold, aux, {"is_step": is_step})

    def _nodes(self, encoding: Encoding, graph: TypedGraph) -> Tensor:
        """[B, n, hidden] The nodes behind the graph."""
        index = encoding.index
        tokens = reduce_vectors(self.reduction, at_least_single(encoding.tokens))
        words = replace(encoding, tokens=tokens)
        mention = mention_means(words)
        entity = segment_mean(mention, index.mention_entity, index.n_entities)
        node = graph.nodes(entity, mention, sentence_means(words), index)
        for layer in self.layers:
            node = self.dropout(torch.cat([node, layer(node, graph.kind)], dim=2))
        return torch.relu(self.mapping(node))


def damped(logit: Tensor, factor: Tensor) -> Tensor:
    """The logit of a probability times a factor.

    logit (Tensor): [...] float. The logit of the probability.
    factor (Tensor): [...] float, not above zero. The logarithm of the factor.
    RETURNS (Tensor): [...] float.
    """
    # A factor of 1 has a logarithm of which the gradient is none.
    factor = factor.clamp(max=-1e-30)
    # p f / (1 - p f), divided by p: f / ((1 - p) / p + 1 - f).
    return factor - torch.logaddexp(-logit, torch.log(-torch.expm1(factor)))


HeterGSAN = head_factory("heter_gsan", HeterGSANHead)
