"""Attention over an entity's mentions from the standpoint of another entity."""

import math

from torch import Tensor, nn

from ..encoding import EncodingIndex
from .blocks import in_blocks
from .divisor import check_divides
from .segments import segment_softmax, segment_sum


class CounterpartAttention(nn.Module):
    """Multi-head attention over the mentions of one entity of a pair, asked by the other (Wang et
    al. 2020, GLRE, section 3.3, equations 3 to 5):

        head_z = softmax(e_b W_z^Q (K W_z^K)' / sqrt(d_v)) V W_z^V
        e_ab = LN([head_1; ...; head_Z] W^out)

    where e_b is the other entity, and K and V have one row for each mention of a. The scores are
    computed for each mention and each other entity of its document: the mentions of an entity are
    the same in all of its pairs.

    query_width (int): Width of the entities that ask.
    node_width (int): Width of keys and values.
    width (int): Width of the result, a multiple of `n_heads`.
    n_heads (int): The number of heads, Z.
    """

    def __init__(self, query_width: int, node_width: int, width: int, n_heads: int) -> None:
        super().__init__()
        check_divides("heads", n_heads, width)
        self.n_heads = n_heads
        self.query = nn.Linear(query_width, width, bias=False)
        self.key = nn.Linear(node_width, width, bias=False)
        self.value = nn.Linear(node_width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.norm = nn.LayerNorm(width)

    def forward(
        self, query: Tensor, sentence: Tensor, mention: Tensor, index: EncodingIndex
    ) -> Tensor:
        """query (Tensor): [N, query_width] float. The entities that ask.
        sentence (Tensor): [S, node_width] float. The sentences, keys for the mentions in them.
        mention (Tensor): [M, node_width] float. The mentions, the values.
        index (EncodingIndex): The batch.
        RETURNS (Tensor): [N, n, width] Each entity, asked by the entity in each slot of its
            document (n slots, `index.max_entities`); meaningless for slots without an entity.
        """
        key = self.key(sentence).index_select(0, index.mention_sentence)
        scores = self._scores(self.query(query), key, index)  # [M, Z, n]
        weights = segment_softmax(scores.flatten(1), index.mention_entity, index.n_entities)
        weights = weights.view_as(scores).transpose(1, 2)
        # W^out is applied to each head's values before they are mixed: there are fewer mentions
        # than pairs.
        value = self.value(mention).unflatten(1, (self.n_heads, -1)).transpose(0, 1)
        out = self.output.weight.unflatten(1, (self.n_heads, -1)).permute(1, 2, 0)
        value = (value @ out).transpose(0, 1)  # [M, Z, width]

        def mix(weights: Tensor) -> Tensor:
            mixed = weights @ value  # [M, n, width]
            return self.norm(segment_sum(mixed, index.mention_entity, index.n_entities))

        items_per_row = index.n_mentions * value.shape[2]
        return in_blocks(mix, weights, items_per_row=items_per_row, dim=1)

    def _scores(self, query: Tensor, key: Tensor, index: EncodingIndex) -> Tensor:
        """[M, Z, n] How each entity of a mention's document scores it, as products of padded
        matrices, one for each document and head."""
        padded = index.entities_by_doc(query), index.mentions_by_doc(key)
        queries, keys = (x.unflatten(2, (self.n_heads, -1)) for x in padded)
        scores = keys.transpose(1, 2) @ queries.permute(0, 2, 3, 1)  # [B, Z, m, n]
        return scores[index.mention_doc, :, index.mention_slot] / math.sqrt(keys.shape[3])
