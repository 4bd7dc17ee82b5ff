"""The Pair-Aware Representation of PAEE."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from ..encoding import Encoding
from ..torch_head import HeadSizes
from .context import context_matrix, localized_weights
from .convolution import Backbone
from .distance import small_embedding
from .pair_map import Fill, PairMap, in_order_of_mention, shares_sentence

ContextWeights = Literal["softmax", "localized"]


class PairAware(nn.Module):
    """The matrix of a document's pairs (PAEE, Huang et al. 2022, sections 2.1 and 2.2):

        a_so = softmax(sum_k A_s^k * A_o^k);  V = [W_1 H a_so; pos; type_s; type_o]       (3)
        Y = TNet(W_2 Sliding(V))                                                         (4)
        potential_so = w [P_so; pos; type_s; type_o] + b                                 (5)

    "We add the position and type information" to V is read as in equation 5: beside it. `pos` is 1
    if a sentence mentions both entities, and P_so is the mean of Y over those of the 3 x 3 cells
    around the pair that the document's matrix has. What is linear is applied where it is cheapest:
    W_2 W_1 to the tokens, w to Y.

    The softmax of equation 3 is over products of probabilities, which are so small that its weights
    are almost equal: all pairs of a document get nearly the mean of its tokens. With "localized",
    the default, the product is divided by its sum, as in ATLOP and DocuNet, from which the equation
    derives.

    sizes (HeadSizes): The sizes of encoder and data.
    backbone (Backbone): The network, in place of which `TNet` stands in equation 4.
    channels (int): Channels of W_2 V.
    n_outputs (int): Channels D' of Y.
    size (int): The rows N of the square.
    fill (str): What the square is filled with.
    context (str): How the product weighs tokens: "localized" or "softmax".
    type_width (int): Width of the embeddings of entity types.
    potential_pairs (bool): Whether to say which pairs are related at all (equation 5).
    """

    def __init__(
        self,
        sizes: HeadSizes,
        backbone: Backbone,
        *,
        channels: int,
        n_outputs: int,
        size: int,
        fill: Fill,
        context: ContextWeights,
        type_width: int,
        potential_pairs: bool = True,
    ) -> None:
        super().__init__()
        self.context = context
        self.relevance = nn.Linear(sizes.width, sizes.width, bias=False)
        self.entity_type = small_embedding(sizes.n_types, type_width)
        self.reduce = nn.Linear(sizes.width + 1 + 2 * type_width, channels)
        self.pair_map = PairMap(backbone, size=size, fill=fill)
        self.potential: nn.Linear | None = None
        if potential_pairs:
            self.potential = nn.Linear(n_outputs + 1 + 2 * type_width, 1)

    def forward(self, encoding: Encoding) -> tuple[Tensor, Tensor | None]:
        """encoding (Encoding): The batch.
        RETURNS (tuple[Tensor, Optional[Tensor]]): [P, D'] the pairs' features Y, and [P] the logits
            of being related at all.
        """
        index = in_order_of_mention(encoding.index)
        types = index.entities_by_doc(index.entity_type)
        position = shares_sentence(index).to(encoding.tokens.dtype)[..., None]
        counts = torch.bincount(index.entity_doc, minlength=index.n_docs)
        cells = self._contexts(replace(encoding, index=index))
        cells = cells + self._features(self.reduce, position, types)
        matrix = self.pair_map(cells, counts)  # [B, n, n, D']
        if self.potential is None:
            return matrix[index.pair_cell], None
        for_pair = self.potential.weight[:, : matrix.shape[3]]
        potential = local_mean(nn.functional.linear(matrix, for_pair)[..., 0], counts)
        potential = potential + self._features(self.potential, position, types)[..., 0]
        return matrix[index.pair_cell], potential[index.pair_cell]

    def _contexts(self, encoding: Encoding) -> Tensor:
        """[B, n, n, channels] The contexts' part of W_2 V."""
        width = encoding.tokens.shape[2]
        weight = self.reduce.weight[:, :width] @ self.relevance.weight
        values = nn.functional.linear(encoding.tokens, weight)
        if self.context == "localized":
            return context_matrix(encoding, values, localized_weights)
        columns = torch.arange(encoding.tokens.shape[1], device=values.device)
        is_padding = columns >= encoding.index.lengths[:, None]
        # Not infinity: a document without a single token would divide zero by zero.
        lowest = torch.finfo(values.dtype).min
        return context_matrix(
            encoding,
            values,
            lambda shared: shared.masked_fill(is_padding[..., None, None], lowest).softmax(dim=1),
        )

    def _features(self, layer: nn.Linear, position: Tensor, types: Tensor) -> Tensor:
        """What the position and the types of each pair add to a layer whose last inputs they are.

        layer (nn.Linear): The layer.
        position (Tensor): [B, n, n, 1] float. Whether a sentence mentions both entities.
        types (Tensor): [B, n] int64. The type of each entity.
        RETURNS (Tensor): [B, n, n, outputs] Bias included.
        """
        width = self.entity_type.embedding_dim
        for_features = layer.weight[:, -1 - 2 * width :]
        for_position, for_subject, for_object = for_features.split([1, width, width], dim=1)
        subject = nn.functional.linear(self.entity_type.weight, for_subject)[types]
        object_ = nn.functional.linear(self.entity_type.weight, for_object, layer.bias)[types]
        return position * for_position[:, 0] + subject[:, :, None] + object_[:, None]


def local_mean(matrix: Tensor, counts: Tensor) -> Tensor:
    """The mean over the 3 x 3 cells around each, of those that the document has.

    matrix (Tensor): [B, n, n] float.
    counts (Tensor): [B] int64. The rows and columns that each document has.
    RETURNS (Tensor): [B, n, n] For the cells that the document has.
    """
    is_own = torch.arange(matrix.shape[1], device=matrix.device) < counts[:, None]
    is_own = (is_own[:, :, None] & is_own[:, None]).to(matrix.dtype)
    total = nn.functional.avg_pool2d((matrix * is_own)[:, None], 3, stride=1, padding=1)
    share = nn.functional.avg_pool2d(is_own[:, None], 3, stride=1, padding=1)
    # Cells beyond the document have no neighbours of its own and are never read.
    return (total / share.clamp(min=1 / 9))[:, 0]


def pairs_bit(potential: Tensor, threshold: float, is_training: bool) -> Tensor:
    """Whether each pair is likely to be related (equation 5): a step, which in training has the
    gradient of the probability (straight-through).

    potential (Tensor): [P] float. The logits.
    threshold (float): The probability above which a pair is, lambda.
    is_training (bool): Whether a gradient is wanted.
    RETURNS (Tensor): [P] float, 0 or 1.
    """
    probability = torch.sigmoid(potential)
    bit = (probability > threshold).to(potential.dtype)
    return bit + probability - probability.detach() if is_training else bit
