"""What a word is told about the entity that it is in: the entity's type and its number."""

import numpy as np
import torch
from torch import Tensor, nn

from ..batch import ClusterBatch
from ..encoding import ranges, to_device
from .layout import WindowLayout

# Rows of each table. Types and entities above share the rows of those below.
ROWS = 500
# The standard deviation of the embeddings at the start: about that of an encoder's states.
START = 0.1


class EntityFeatures(nn.Module):
    """Embeddings of the type and of the number of the entity that a wordpiece is in, which are
    joined to an encoder's output, as in the public code of DocRED's baselines (Yao et al. 2019), of
    SSAN and of RSMAN. Wordpieces outside of all entities have embeddings of their own.

    type_width (int): Width of the types' embeddings; 0 for none.
    number_width (int): Width of the numbers' embeddings; 0 for none.
    """

    def __init__(self, type_width: int, number_width: int) -> None:
        super().__init__()
        widths = {"types": type_width, "numbers": number_width}
        self.tables = nn.ParameterDict(
            {name: START * torch.randn(ROWS, width) for name, width in widths.items() if width}
        )

    def forward(
        self, tokens: Tensor, mention: Tensor, layout: WindowLayout, clusters: ClusterBatch
    ) -> tuple[Tensor, Tensor]:
        """tokens (Tensor): [B, L, d] float. The encoder's output.
        mention (Tensor): [M, d] float. The mentions' vectors.
        layout (WindowLayout): Which token each wordpiece is a part of.
        clusters (ClusterBatch): The batch.
        RETURNS (tuple[Tensor, Tensor]): [B, L, d + w] and [M, d + w], with the embeddings.
        """
        of_token, of_mention = entity_features(clusters)
        column_token = layout.column_token
        doc_start = np.cumsum(clusters.doc_length) - clusters.doc_length
        of_column = np.zeros((*column_token.shape, 2), dtype=np.int64)
        is_token = column_token >= 0
        of_column[is_token] = of_token[(column_token + doc_start[:, None])[is_token]]
        features = to_device(
            tokens.device,
            tokens=of_column,
            mention=of_mention,
            within=np.arange(column_token.shape[1]) < layout.lengths[:, None],
        )
        within = features["within"][:, :, None].to(tokens.dtype)
        return (
            torch.cat([tokens, self._embed(features["tokens"]).to(tokens.dtype) * within], dim=2),
            torch.cat([mention, self._embed(features["mention"]).to(mention.dtype)], dim=1),
        )

    def _embed(self, features: Tensor) -> Tensor:
        rows = torch.where(features > 0, 1 + (features - 1) % (ROWS - 1), 0)
        by_name = dict(zip(("types", "numbers"), rows.unbind(-1), strict=True))
        return torch.cat([table[by_name[name]] for name, table in self.tables.items()], dim=-1)


def entity_features(clusters: ClusterBatch) -> tuple[np.ndarray, np.ndarray]:
    """The type and the number of the entity that each token is in. Entities are numbered in the
    order of their first mentions, whatever the order of the clusters; those that begin at the same
    token have the same number. A token in several mentions belongs to the shortest.

    clusters (ClusterBatch): The batch.
    RETURNS (tuple[np.ndarray, np.ndarray]): [T, 2] and [M, 2] int64. For each token and each
        mention the type and the number, both from 1; 0 and 0 outside of entities.
    """
    first = np.full(len(clusters.entity_doc), np.iinfo(np.int64).max)
    np.minimum.at(first, clusters.mention_entity, clusters.mention_start)
    order = np.lexsort((first, clusters.entity_doc))
    doc, start = clusters.entity_doc[order], first[order]
    is_next = np.ones(len(order), dtype=bool)
    is_next[1:] = (doc[1:] != doc[:-1]) | (start[1:] != start[:-1])
    place = np.maximum.accumulate(np.where(is_next, np.arange(len(order)), 0))
    number = np.empty(len(order), dtype=np.int64)
    number[order] = place - np.searchsorted(doc, doc) + 1
    of_mention = np.stack([clusters.entity_type + 1, number], axis=1)[clusters.mention_entity]

    length = clusters.mention_end - clusters.mention_start
    # What is written last stays.
    order = np.lexsort((*of_mention.T, -length))
    doc_start = np.cumsum(clusters.doc_length) - clusters.doc_length
    begin = (doc_start[clusters.mention_doc] + clusters.mention_start)[order]
    of_token = np.zeros((len(clusters.token_sentence), 2), dtype=np.int64)
    of_token[ranges(begin, length[order])] = np.repeat(of_mention[order], length[order], axis=0)
    return of_token, of_mention
