"""The two types that cross layer boundaries: what an encoder gives a head, and what a head gives
the component. Both are flat tensors over a batch, whatever the number and sizes of documents."""

from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch
from torch import Tensor

from ..clusters import ClusterBatch


@dataclass(frozen=True)
class EncodingIndex:
    """The indices of a `ClusterBatch` (same names and meanings) as int64 tensors on the encoder's
    device, with sizes as Python numbers so that nothing waits for the device.

    lengths (Tensor): [B] The number of tokens that each document has in `Encoding.tokens`.
    """

    lengths: Tensor
    mention_doc: Tensor
    mention_entity: Tensor
    mention_sentence: Tensor
    entity_doc: Tensor
    entity_slot: Tensor
    entity_type: Tensor
    pair_head: Tensor
    pair_tail: Tensor
    pair_doc: Tensor
    max_entities: int

    @property
    def n_docs(self) -> int:
        """The number of documents, B."""
        return len(self.lengths)

    @property
    def n_entities(self) -> int:
        """The number of entities, N."""
        return len(self.entity_doc)

    @classmethod
    def from_clusters(
        cls, clusters: ClusterBatch, lengths: np.ndarray, device: torch.device
    ) -> "EncodingIndex":
        """Move the indices of a batch to a device, in one transfer.

        clusters (ClusterBatch): The batch.
        lengths (np.ndarray): [B] int64. The number of tokens of each document.
        device (torch.device): Where to.
        RETURNS (EncodingIndex): The indices.
        """
        names = [f.name for f in fields(cls) if f.name not in ("lengths", "max_entities")]
        arrays = {name: getattr(clusters, name) for name in names}
        arrays["lengths"] = lengths
        packed = torch.from_numpy(np.concatenate(list(arrays.values()))).to(device)
        parts = packed.split([len(array) for array in arrays.values()])
        tensors = dict(zip(arrays, parts, strict=True))
        return cls(**tensors, max_entities=clusters.max_entities)


@dataclass(frozen=True)
class Encoding:
    """A batch of encoded documents.

    tokens (Tensor): [B, L, d] float. The vectors of the tokens of each document (wordpieces for a
        transformer, special tokens included); zero beyond `index.lengths`.
    mention (Tensor): [M, d] float. The vector of each mention.
    attention (Tensor): [K, M, L] float. How each of K heads attends from each mention to the
        tokens of its document; each row sums to 1, zero beyond the document's length.
    index (EncodingIndex): Which mention belongs to which entity, sentence and document, and the
        candidate pairs.
    """

    tokens: Tensor
    mention: Tensor
    attention: Tensor
    index: EncodingIndex

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """The tensors that gradients flow through: tokens, mention, attention."""
        return self.tokens, self.mention, self.attention

    def detached(self) -> "Encoding":
        """The same values as leaves of a new graph, so that a head's backward pass ends here and
        leaves its gradients in the tensors' `grad`."""
        tokens, mention, attention = (t.detach().requires_grad_() for t in self.tensors)
        return replace(self, tokens=tokens, mention=mention, attention=attention)


@dataclass
class HeadOutput:
    """What a head says about the candidate pairs of a batch.

    logits (Tensor): [P, R] float. One logit for each pair and relation type.
    threshold (Tensor): [P] float. The logit above which a type holds: learned by heads with an
        adaptive threshold, zero for the others.
    aux (dict[str, Tensor]): Further tensors that the head's loss or its explanations need.
    """

    logits: Tensor
    threshold: Tensor
    aux: dict[str, Tensor] = field(default_factory=dict)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors, in a fixed order."""
        return self.logits, self.threshold, *self.aux.values()

    def with_tensors(self, tensors: tuple[Tensor, ...]) -> "HeadOutput":
        """The same structure around other tensors, given in the order of `tensors`."""
        logits, threshold, *aux = tensors
        return HeadOutput(logits, threshold, dict(zip(self.aux, aux, strict=True)))

    def scores(self) -> Tensor:
        """[P, R] The confidence in each type, in 0..1: the logistic function of the margin over
        the threshold, so that "above the threshold" is "more than 0.5" whatever the head."""
        return torch.sigmoid(self.logits - self.threshold[:, None])


@dataclass
class Targets:
    """The gold standard for the candidate pairs of a batch.

    labels (Tensor): [P, R] bool. Whether the pair has the relation type.
    mask (Tensor): [P] bool. Whether the pair's relations are known: false for documents without
        annotation and for entities that no gold cluster corresponds to.
    """

    labels: Tensor
    mask: Tensor
