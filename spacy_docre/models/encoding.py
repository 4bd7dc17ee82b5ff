"""The two types that cross layer boundaries: what an encoder gives a head, and what a head gives
the component. Both are flat tensors over a batch, whatever the number and sizes of documents."""

from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch
from torch import Tensor

from .batch import ClusterBatch


@dataclass(frozen=True)
class EncodingIndex:
    """The indices of a `ClusterBatch` (same names and meanings) as int64 tensors on the encoder's
    device, with sizes as Python numbers so that nothing waits for the device.

    lengths (Tensor): [B] The number of columns that each document has in `Encoding.tokens`.
    column_sentence (Tensor): [B, L] The sentence of each column, -1 for a column that is no part of
        a word: special tokens, markers, padding.
    span_cell (Tensor): [W] The columns of the words of all mentions, mention by mention, as
        numbers of rows of `Encoding.tokens.flatten(0, 1)`.
    span_mention (Tensor): [W] The mention of each of them.
    """

    lengths: Tensor
    column_sentence: Tensor
    span_cell: Tensor
    span_mention: Tensor
    sentence_doc: Tensor
    mention_doc: Tensor
    mention_entity: Tensor
    mention_sentence: Tensor
    mention_start: Tensor
    mention_end: Tensor
    mention_slot: Tensor
    entity_doc: Tensor
    entity_slot: Tensor
    entity_type: Tensor
    pair_head: Tensor
    pair_tail: Tensor
    pair_doc: Tensor
    max_entities: int
    max_mentions: int
    allowed: Tensor | None = None

    @property
    def n_docs(self) -> int:
        """The number of documents, B."""
        return len(self.lengths)

    @property
    def n_entities(self) -> int:
        """The number of entities, N."""
        return len(self.entity_doc)

    @property
    def pair_cell(self) -> tuple[Tensor, Tensor, Tensor]:
        """Where the candidate pairs stand in a padded [B, n, n, ...] with a row for each head and a
        column for each tail, n = `max_entities`: three index tensors [P]."""
        heads, tails = self.entity_slot[self.pair_head], self.entity_slot[self.pair_tail]
        return self.pair_doc, heads, tails

    @property
    def pair_row(self) -> Tensor:
        """[P] int64. Where the candidate pairs stand if the squares of all documents, with a row
        for each head and a column for each tail, are flattened and joined."""
        sizes = torch.bincount(self.entity_doc, minlength=self.n_docs)
        start = sizes.square().cumsum(0) - sizes.square()
        doc, head, tail = self.pair_cell
        return start[doc] + head * sizes[doc] + tail

    @property
    def mention_place(self) -> Tensor:
        """[M] int64. Numbers that rise with the document, the first token and the last, so that one
        sort brings mentions into the order of the text."""
        radix = self.mention_end.max() + 1 if self.n_mentions else 1
        return (self.mention_doc * radix + self.mention_start) * radix + self.mention_end

    @property
    def entity_start(self) -> Tensor:
        """[N] int64. The first token of each entity's first mention."""
        farthest = torch.iinfo(torch.int64).max
        first = self.mention_start.new_full((self.n_entities,), farthest)
        return first.scatter_reduce(0, self.mention_entity, self.mention_start, reduce="amin")

    @property
    def is_entity(self) -> Tensor:
        """[B, n] bool. Which slots of the documents have an entity."""
        return self.entities_by_doc(torch.ones_like(self.entity_doc, dtype=torch.bool))

    @property
    def is_mention(self) -> Tensor:
        """[B, m] bool. Which slots of the documents have a mention."""
        return self.mentions_by_doc(torch.ones_like(self.mention_doc, dtype=torch.bool))

    def entities_by_doc(self, values: Tensor) -> Tensor:
        """values (Tensor): [N, ...] One for each entity.
        RETURNS (Tensor): [B, n, ...] The same by document and slot, filled up with zeros.
        """
        padded = values.new_zeros(self.n_docs, self.max_entities, *values.shape[1:])
        return padded.index_put((self.entity_doc, self.entity_slot), values)

    def mentions_by_doc(self, values: Tensor) -> Tensor:
        """values (Tensor): [M, ...] One for each mention.
        RETURNS (Tensor): [B, m, ...] The same by document and slot, filled up with zeros.
        """
        padded = values.new_zeros(self.n_docs, self.max_mentions, *values.shape[1:])
        return padded.index_put((self.mention_doc, self.mention_slot), values)

    @property
    def n_mentions(self) -> int:
        """The number of mentions, M."""
        return len(self.mention_entity)

    @property
    def n_sentences(self) -> int:
        """The number of sentences, S."""
        return len(self.sentence_doc)

    def with_all_pairs(self) -> tuple["EncodingIndex", Tensor | None]:
        """For heads in which pairs look at each other: all ordered pairs of entities of a document,
        of which the candidates may be some.

        RETURNS (tuple[EncodingIndex, Optional[Tensor]]): The index with all pairs as candidates,
            and [P] int64, the rows of the present candidates among them; None if they are all.
        """
        owner = self.entity_doc
        counts = torch.bincount(owner, minlength=self.n_docs)
        n_others = counts[owner] - 1
        n_pairs = int(n_others.sum())
        if n_pairs == len(self.pair_head):
            return self, None
        entities = torch.arange(self.n_entities, device=owner.device)
        first = (counts.cumsum(0) - counts)[owner]
        start = n_others.cumsum(0) - n_others
        head = entities.repeat_interleave(n_others)
        number = torch.arange(n_pairs, device=owner.device) - start[head]
        # The tail's number among the entities of the document, the head itself not counted.
        tail = first[head] + number + (number >= (entities - first)[head])
        index = replace(self, pair_head=head, pair_tail=tail, pair_doc=owner[head])
        present, other = self.pair_head, self.pair_tail
        rows = start[present] + other - first[present] - (other > present).long()
        return index, rows

    @classmethod
    def from_clusters(
        cls,
        clusters: ClusterBatch,
        lengths: np.ndarray,
        column_token: np.ndarray,
        device: torch.device,
    ) -> "EncodingIndex":
        """Move the indices of a batch to a device, in one transfer.

        clusters (ClusterBatch): The batch.
        lengths (np.ndarray): [B] int64. The number of columns of each document.
        column_token (np.ndarray): [B, L] int64. The token of its document that each column is a
            part of, or -1.
        device (torch.device): Where to.
        RETURNS (EncodingIndex): The indices.
        """
        arrays = _words(clusters, column_token) | {"lengths": lengths}
        for field_ in fields(cls):
            if field_.name not in ("max_entities", "max_mentions", "allowed", *arrays):
                arrays[field_.name] = getattr(clusters, field_.name)
        allowed = clusters.allowed
        return cls(
            **to_device(device, **arrays),
            max_entities=clusters.max_entities,
            max_mentions=clusters.max_mentions,
            allowed=None if allowed is None else torch.from_numpy(allowed).to(device),
        )


def to_device(device: torch.device, **arrays: np.ndarray) -> dict[str, Tensor]:
    """Move arrays to a device in one transfer: on a GPU each costs as much as a small kernel.

    device (torch.device): Where to.
    **arrays (np.ndarray): Arrays of integers or booleans, by name.
    RETURNS (dict[str, Tensor]): The same as int64 tensors.
    """
    flat = [array.ravel().astype(np.int64, copy=False) for array in arrays.values()]
    parts = torch.from_numpy(np.concatenate(flat)).to(device).split([len(part) for part in flat])
    return {
        name: part.view(array.shape)
        for (name, array), part in zip(arrays.items(), parts, strict=True)
    }


def _words(clusters: ClusterBatch, column_token: np.ndarray) -> dict[str, np.ndarray]:
    """`EncodingIndex.column_sentence`, `span_cell` and `span_mention`."""
    doc_start = np.cumsum(clusters.doc_length) - clusters.doc_length
    cells = np.flatnonzero(column_token >= 0)
    token = (column_token + doc_start[:, None]).ravel()[cells]
    column_sentence = np.full(column_token.size, -1, dtype=np.int64)
    column_sentence[cells] = clusters.token_sentence[token]
    # Columns are in the order of the tokens, so that a mention's are a range of the cells.
    start = doc_start[clusters.mention_doc]
    first = np.searchsorted(token, start + clusters.mention_start)
    last = np.searchsorted(token, start + clusters.mention_end)
    return {
        "column_sentence": column_sentence.reshape(column_token.shape),
        "span_cell": cells[ranges(first, last - first)],
        "span_mention": np.repeat(np.arange(len(first)), last - first),
    }


def ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Concatenate the ranges start, start + 1, ..., start + count - 1.

    starts (np.ndarray): [N] int64. The beginning of each range.
    counts (np.ndarray): [N] int64. The length of each range.
    RETURNS (np.ndarray): [sum(counts)] int64.
    """
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(starts, counts) + within


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
    second (Optional[Encoding]): The same documents, mentions and pairs as another encoder sees
        them, with columns, width and heads of its own: see `TwinEncoder`.
    """

    tokens: Tensor
    mention: Tensor
    attention: Tensor
    index: EncodingIndex
    second: "Encoding | None" = None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors that gradients flow through: tokens, mention, attention; then those of the
        second encoding, if there is one."""
        own = (self.tokens, self.mention, self.attention)
        return own if self.second is None else own + self.second.tensors

    def detached(self) -> "Encoding":
        """The same values as leaves of a new graph, so that a head's backward pass ends here and
        leaves its gradients in the tensors' `grad`."""
        return replace(
            self,
            tokens=self.tokens.detach().requires_grad_(),
            mention=self.mention.detach().requires_grad_(),
            attention=self.attention.detach().requires_grad_(),
            second=None if self.second is None else self.second.detached(),
        )


@dataclass
class HeadOutput:
    """What a head says about the candidate pairs of a batch.

    logits (Tensor): [P, R] float. One logit for each pair and relation type.
    threshold (Tensor): [P] float. The logit above which a type holds: learned by heads with an
        adaptive threshold, zero for the others.
    aux (dict[str, Tensor]): Further tensors that the head's loss or its explanations need.
    index (dict[str, Tensor]): Integer or boolean tensors that loss or explanations need; no
        gradients.
    """

    logits: Tensor
    threshold: Tensor
    aux: dict[str, Tensor] = field(default_factory=dict)
    index: dict[str, Tensor] = field(default_factory=dict)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors that gradients flow through, in a fixed order."""
        return self.logits, self.threshold, *self.aux.values()

    def with_tensors(self, tensors: tuple[Tensor, ...]) -> "HeadOutput":
        """The same structure around other tensors, given in the order of `tensors`."""
        logits, threshold, *aux = tensors
        return HeadOutput(logits, threshold, dict(zip(self.aux, aux, strict=True)), self.index)

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
    evidence (Optional[Tensor]): [2, E] int64. The pair and the sentence (of the batch) of each
        sentence that is evidence of a gold relation, one for each relation that it is evidence of.
    """

    labels: Tensor
    mask: Tensor
    evidence: Tensor | None = None
