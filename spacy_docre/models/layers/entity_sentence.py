"""A Transformer over the entities and sentences of a document."""

from typing import Literal

import torch
from torch import Tensor, nn

from ..encoding import Encoding
from .distance import small_embedding
from .divisor import check_divides
from .pooling import sentence_maxima
from .sentences import sentence_positions

Norm = Literal["pre", "post"]


class EntitySentenceEncoder(nn.Module):
    """The Representation-Enhanced Encoder (PAEE, Huang et al. 2022, section 2.3, equation 6):

        [H^e; H^s] = Transformer([e; S])

    where a sentence is the maximum over its tokens plus an embedding of its position. With no
    layers the entities stay as they are.

    width (int): The width of the encoder.
    layers (int): The number of layers; 0 for none.
    heads (int): The number of attention heads of each; must divide the width.
    feed_forward (int): The width of the feed-forward layers.
    dropout (float): The dropout within the layers, in training.
    norm (str): "post" normalises the sum of each sublayer's input and output, as Vaswani et al.
        (2017) do: entities come out with a variance of one, whatever the encoder gave, and the
        gradient goes through every normalisation. "pre" normalises the input of each sublayer: what
        the layers find is added to the entities.
    max_sentences (int): The number of position embeddings; later sentences share the last.
    """

    def __init__(
        self,
        width: int,
        *,
        layers: int,
        heads: int,
        feed_forward: int,
        dropout: float,
        norm: Norm,
        max_sentences: int,
    ) -> None:
        super().__init__()
        self.transformer: nn.TransformerEncoder | None = None
        if not layers:
            return
        check_divides("heads", heads, width)
        self.position = small_embedding(max_sentences, width)
        layer = nn.TransformerEncoderLayer(
            width, heads, feed_forward, dropout, batch_first=True, norm_first=norm == "pre"
        )
        self.transformer = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, encoding: Encoding, entity: Tensor) -> Tensor:
        """encoding (Encoding): The batch.
        entity (Tensor): [N, d] float. The entities.
        RETURNS (Tensor): [N, d] The entities, aware of the document.
        """
        if self.transformer is None:
            return entity
        index = encoding.index
        position, longest = sentence_positions(index.sentence_doc, index.n_docs)
        sentence = sentence_maxima(encoding)
        sentence = sentence + self.position(position.clamp(max=self.position.num_embeddings - 1))
        # One more place, for a document that has neither entities nor sentences: attention needs
        # something to attend to.
        n_places = index.max_entities + longest + 1
        doc = torch.cat([index.entity_doc, index.sentence_doc])
        place = torch.cat([index.entity_slot, index.max_entities + position])
        nodes = entity.new_zeros(index.n_docs, n_places, entity.shape[1])
        nodes = nodes.index_put((doc, place), torch.cat([entity, sentence]))
        is_empty = torch.ones(index.n_docs, n_places, dtype=torch.bool, device=entity.device)
        is_empty[doc, place] = False
        is_empty[:, -1] = ~is_empty.all(dim=1)
        nodes = self.transformer(nodes, src_key_padding_mask=is_empty)
        return nodes[index.entity_doc, index.entity_slot]
