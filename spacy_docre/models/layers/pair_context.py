"""What the other pairs of a document say about a pair."""

import math
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...errors import DocreError, Errors
from ..encoding import EncodingIndex
from ..precision import at_least_single, full_precision
from .blocks import block_rows

# The most pairs that attend at once: enough for the products of matrices to run at full speed.
BLOCK_ROWS = 256

MatrixForm = Literal["full", "low_rank", "diagonal"]
ContextForm = Literal[MatrixForm, "none"]
Block = tuple[slice, slice, bool]


class PairContext(nn.Module):
    """Attention over the pairs of a document (Wang et al. 2020, GLRE, section 3.4, equation 7;
    after Sorokin and Gurevych 2017):

        theta_i = softmax_i(o_i W o_r'),  o_c = sum_i theta_i o_i

    Instead of o_i itself, any vector of the pairs can be averaged with these weights.

    W is a full matrix; a product of two thin ones, which makes the scores cheap for documents with
    hundreds of entities; or a diagonal one, as in the authors' code, whose further term, linear in
    the query, is the same for all i and vanishes in the softmax.

    width (int): Width of the pairs' vectors o_i.
    form (MatrixForm): "full", "low_rank" or "diagonal".
    rank (int): The rank of W if it is "low_rank".
    include_self (bool): Whether a pair attends to itself. If it does not, the context of a pair
        that is alone in its document is zero.
    """

    def __init__(self, width: int, *, form: MatrixForm, rank: int, include_self: bool) -> None:
        super().__init__()
        self.include_self = include_self
        self.query: nn.Module
        self.key: nn.Module = nn.Identity()
        # The scores are not scaled, so W starts small enough that they are of the order of 1: a
        # softmax that starts out saturated hardly learns.
        if form == "full":
            self.query = nn.Linear(width, width, bias=False)
            nn.init.normal_(self.query.weight, std=1 / width)
        elif form == "low_rank":
            self.query = nn.Linear(width, rank, bias=False)
            self.key = nn.Linear(width, rank, bias=False)
            for layer in (self.query, self.key):
                nn.init.normal_(layer.weight, std=1 / (math.sqrt(width) * rank**0.25))
        else:
            self.query = Diagonal(width)

    def forward(
        self,
        pairs: Tensor,
        values: Tensor,
        index: EncodingIndex,
        rows: Tensor | None = None,
        attended: Tensor | None = None,
    ) -> Tensor:
        """pairs (Tensor): [P, width] float. The pairs o_i.
        values (Tensor): [K, v] float. What is averaged: a vector of each attended pair.
        index (EncodingIndex): The batch; its pairs come document by document.
        rows (Optional[Tensor]): [Q] int64. The pairs whose averages are wanted, in rising order;
            None for all.
        attended (Optional[Tensor]): [K] int64. The pairs that are averaged, in rising order; None
            for all.
        RETURNS (Tensor): [Q, v] The averages.
        """
        query, key = (
            layer(pairs if chosen is None else pairs.index_select(0, chosen))
            for layer, chosen in ((self.query, rows), (self.key, attended))
        )
        inputs = (at_least_single(x) for x in (query, key, values))
        everything = torch.arange(len(pairs), device=pairs.device)
        rows = everything if rows is None else rows
        attended = everything if attended is None else attended
        # Half precision has too few digits for sums over thousands of pairs.
        with full_precision(pairs):
            context = PairAttention.apply(*inputs, index, rows, attended, self.include_self)
        if self.include_self:
            return context
        counts = torch.bincount(index.pair_doc[attended], minlength=index.n_docs)
        n_others = counts[index.pair_doc[rows]] - torch.isin(rows, attended).long()
        return context.masked_fill((n_others < 1)[:, None], 0.0)


class Diagonal(nn.Module):
    """Multiplication by a diagonal matrix.

    width (int): Its size.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((width,), 1 / width))

    def forward(self, vectors: Tensor) -> Tensor:
        """vectors (Tensor): [..., width] float.
        RETURNS (Tensor): [..., width] The products.
        """
        return vectors * self.weight


class PairAttention(torch.autograd.Function):
    """softmax(Q K') V over the pairs of each document, in blocks of rows. The documents are not
    padded to the largest, whose number of pairs is many times that of most; and no matrix of all
    pairs by all pairs is made, not even for the backward pass, which computes the blocks again."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        index: EncodingIndex,
        asking: Tensor,
        attended: Tensor,
        include_self: bool,
    ) -> Tensor:
        """query (Tensor): [Q, d] float.
        key (Tensor): [K, d] float.
        value (Tensor): [K, v] float.
        index (EncodingIndex): The batch; its pairs come document by document.
        asking (Tensor): [Q] int64. The pairs that the queries are of, in rising order.
        attended (Tensor): [K] int64. Those that keys and values are of, in rising order.
        include_self (bool): Whether a pair attends to itself.
        RETURNS (Tensor): [Q, v] The averages.
        """
        output = value.new_empty(len(query), value.shape[1])
        # The largest tensor has one row for each pair that attends and one column for each pair of
        # its document.
        size = min(BLOCK_ROWS, block_rows(len(key)))
        for block in _blocks(index, asking, attended, size):
            rows, columns, _ = block
            weights = _weights(query, key, index, asking, attended, include_self, block)
            output[rows] = weights @ value[columns]
        ctx.save_for_backward(query, key, value, output, asking, attended)
        ctx.index, ctx.include_self, ctx.size = index, include_self, size
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """gradients (Tensor): [Q, v] float. That of the output.
        RETURNS (tuple[Optional[Tensor], ...]): Those of query, key and value.
        """
        query, key, value, output, asking, attended = ctx.saved_tensors
        [d_output] = gradients
        d_query, d_key, d_value = (torch.zeros_like(x) for x in (query, key, value))
        # The derivative of a softmax p of s: ds = p * (dp - p . dp), and here p . dp is y . dy.
        inner = (output * d_output).sum(dim=1, keepdim=True)
        for block in _blocks(ctx.index, asking, attended, ctx.size):
            rows, columns, _ = block
            weights = _weights(query, key, ctx.index, asking, attended, ctx.include_self, block)
            d_value[columns].addmm_(weights.T, d_output[rows])
            d_scores = (d_output[rows] @ value[columns].T).sub_(inner[rows]).mul_(weights)
            d_query[rows] = d_scores @ key[columns]
            d_key[columns].addmm_(d_scores.T, query[rows])
        return d_query, d_key, d_value, None, None, None, None


def _blocks(index: EncodingIndex, asking: Tensor, attended: Tensor, size: int) -> Iterator[Block]:
    """Blocks of neighbouring queries: the block, the keys of all documents that it touches, and
    whether there are several of these."""
    n_queries, doc = len(asking), index.pair_doc[asking]
    if not n_queries:
        return
    counts = torch.bincount(index.pair_doc[attended], minlength=index.n_docs)
    ends = counts.cumsum(0)
    starts = torch.arange(0, n_queries, size, device=ends.device)
    stops = (starts + size).clamp(max=n_queries)
    first, last = doc[starts], doc[stops - 1]
    bounds = torch.stack([starts, stops, (ends - counts)[first], ends[last], last - first], dim=1)
    for start, stop, left, right, n_more in bounds.tolist():
        yield slice(start, stop), slice(left, right), n_more > 0


def _weights(
    query: Tensor,
    key: Tensor,
    index: EncodingIndex,
    asking: Tensor,
    attended: Tensor,
    include_self: bool,
    block: Block,
) -> Tensor:
    """[rows, columns] The attention of the block's pairs."""
    rows, columns, is_mixed = block
    scores = query[rows] @ key[columns].T
    lowest = torch.finfo(scores.dtype).min
    if is_mixed:
        is_other = index.pair_doc[asking[rows], None] != index.pair_doc[attended[columns]]
        scores.masked_fill_(is_other, lowest)
    if not include_self:
        # What is not attended to has no place there, and where it would be nothing changes.
        own = torch.searchsorted(attended, asking[rows]) - columns.start
        own = own.clamp(max=scores.shape[1] - 1)[:, None]
        is_own = attended[columns][own] == asking[rows, None]
        scores.scatter_(1, own, scores.gather(1, own).masked_fill(is_own, lowest))
    return torch.softmax(scores, dim=1)


class ContextClassifier(nn.Module):
    """Classifies pairs by their vectors and by their context (Wang et al. 2020, GLRE, section 3.4,
    equations 7 and 8): logits = FFNN([o_r; o_c]).

    The FFNN's first layer, W [o_r; o_c] = W_r o_r + W_c o_c, is applied to the o_i before they are
    averaged, which is the same and has to average narrower vectors.

    width (int): Width of the pairs' vectors.
    n_labels (int): The number of logits, R.
    hidden (int): Width of the FFNN's hidden layer (ReLU); 0 for none.
    dropout (float): The dropout rate, in training, of what the FFNN's last layer gets: the hidden
        layer, or without one the pairs' vectors.
    form (ContextForm): The form of W, see `PairContext`; "none" for no context.
    rank (int): Its rank if it is "low_rank".
    include_self (bool): Whether a pair is in its own context.
    max_attended (Optional[int]): Of a document with more pairs only so many are attended to, those
        that are most likely related: their greatest logit without a context, less that of the
        threshold class, is the greatest. None for all, as in the papers.
    has_threshold (bool): Whether the first logit is that of a threshold class.
    RAISES (DocreError): If `max_attended` is below 1.
    """

    def __init__(
        self,
        width: int,
        n_labels: int,
        *,
        hidden: int,
        dropout: float,
        form: ContextForm,
        rank: int,
        include_self: bool,
        max_attended: int | None = None,
        has_threshold: bool = False,
    ) -> None:
        super().__init__()
        if max_attended is not None and max_attended < 1:
            problem = {"setting": "max_attended", "condition": "at least 1", "value": max_attended}
            raise DocreError(Errors.D020.format(**problem))
        self.max_attended = max_attended
        self.has_threshold = has_threshold
        self.context: PairContext | None = None
        self.from_pair = nn.Linear(width, hidden or n_labels)
        if form != "none":
            self.context = PairContext(width, form=form, rank=rank, include_self=include_self)
            self.from_context = nn.Linear(width, hidden or n_labels, bias=False)
        self.output = nn.Linear(hidden, n_labels) if hidden else None
        self.dropout = nn.Dropout(dropout)

    @property
    def bias(self) -> nn.Parameter:
        """[R] The bias of the logits."""
        last = self.from_pair if self.output is None else self.output
        return last.bias

    def forward(self, pairs: Tensor, index: EncodingIndex, rows: Tensor | None = None) -> Tensor:
        """pairs (Tensor): [P, width] float. The vectors of all pairs of the documents.
        index (EncodingIndex): The batch.
        rows (Optional[Tensor]): [Q] int64. The pairs to classify, in rising order; None for all.
        RETURNS (Tensor): [Q, R] The logits.
        """
        inputs = self.dropout(pairs) if self.output is None else pairs
        joined = self.from_pair(inputs if rows is None else inputs.index_select(0, rows))
        if self.context is not None:
            attended = self._attended(pairs, index)
            averaged = inputs if attended is None else inputs.index_select(0, attended)
            values = self.from_context(averaged)
            joined = joined + self.context(pairs, values, index, rows, attended)
        if self.output is None:
            return joined
        return self.output(self.dropout(torch.relu(joined)))

    def _attended(self, pairs: Tensor, index: EncodingIndex) -> Tensor | None:
        """[K] The pairs that are attended to; None if they are all."""
        if self.max_attended is None:
            return None
        counts = torch.bincount(index.pair_doc, minlength=index.n_docs)
        if not (counts > self.max_attended).any():
            return None
        with torch.no_grad():
            logits = self.from_pair(pairs)
            if self.output is not None:
                logits = self.output(torch.relu(logits))
            if self.has_threshold:
                logits = logits[:, 1:] - logits[:, :1]
            by_likelihood = logits.amax(dim=1).argsort(descending=True, stable=True)
        order = by_likelihood[index.pair_doc[by_likelihood].argsort(stable=True)]
        doc = index.pair_doc[order]
        place = torch.arange(len(order), device=order.device) - (counts.cumsum(0) - counts)[doc]
        return order[place < self.max_attended].sort().values
