"""KMGRE: key mention pairs guided document-level relation extraction (Jiang et al., 2022)."""

from typing import Literal

import numpy as np
import torch
from thinc.api import Model
from torch import Tensor, nn

from ...data.relation import Evidence
from ..batch import ClusterBatch
from ..encoding import Encoding, HeadOutput, Targets, ranges
from ..evidence import mention_spans
from ..layers.mention_context import project_contexts
from ..layers.mention_pairs import MentionPairs
from ..layers.segments import segment_logsumexp, segment_max, segment_mean
from ..losses import adaptive_threshold_loss, focal_loss, masked_mean
from ..torch_head import HeadSizes, KeyPairs, RelationHead, build_head

Period = Literal["batch", "epoch"]
Phase = Literal["warmup", "both", "expectation", "maximization"]

# Probabilities that differ by less count as equal, so that neither rounding nor the other documents
# of a batch decide on which side of their own mean equal mention pairs are.
TIE = 1e-5


class KMGREHead(RelationHead):
    """The two parts of KMGRE. Each is a linear layer over the vectors of two mentions and their
    context, x_ij = [h_i; h_j; c_ij] (equations 4, 5 and 7), for every mention pair of a pair of
    entities: the relation extractor theta has a logit for each type and the threshold class
    (equation 6), the key instance classifier omega has one for whether the mention pair says
    anything about the relations of its entities (equation 8). Omega reads `Encoding.second` where
    there is one, see `TwinEncoder`, or else shares theta's encoder. The logits of a pair of
    entities are the logsumexp of those of its key mention pairs (equation 16).

    Omega learns from theta's probabilities and the gold standard (E-step, equations 9 to 11),
    theta from the gold standard on the key mention pairs (M-step, equations 12 to 19). Neither
    loss has a gradient for the other part. The phase says which are used: in the warm-up both, with
    all mention pairs as key; then both in each step, or epochs of one and the other in turn.
    `em_schedule` sets it; without that the phase is "both".

    Where the paper leaves room: the contexts' sum over heads is a mean; the paper's
    N_T = C - N_T is read as C - P_T; the threshold is capped at the best mention pair's
    probability, so that this one is always key; the threshold class takes no part in equation 9;
    tau counts omega's losses in training.

    sizes (HeadSizes): The sizes of encoder and data.
    xi (float): How far above the mean the probability of a key mention pair must be, as a share
        of the range of the probabilities (equation 13).
    alpha (float): The weight of omega's focal loss.
    gamma (float): Its focusing exponent.
    negative_ratio (Optional[float]): For each mention pair of entities that are related, how many
        of unrelated ones omega learns from, at random. None takes all.
    period (str): "batch": both losses in each step. "epoch": each in an epoch of its own, in turn.
    """

    step: Tensor

    def __init__(
        self,
        sizes: HeadSizes,
        *,
        xi: float,
        alpha: float,
        gamma: float,
        negative_ratio: float | None,
        period: Period,
    ) -> None:
        super().__init__()
        self.xi = xi
        self.alpha = alpha
        self.gamma = gamma
        self.negative_ratio = negative_ratio
        self.period = period
        self.phase: Phase = "both"
        self.relation = nn.Linear(3 * sizes.width, sizes.n_labels + 1)
        self.key = nn.Linear(3 * (sizes.second_width or sizes.width), 1)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    @property
    def tau(self) -> Tensor:
        """[] The largest threshold for key mention pairs (section 4.3)."""
        return 0.5 * (1 - 0.999 ** self.step.double())

    def set_phase(self, epoch: int, warmup_epochs: int) -> bool:
        """See `RelationHead.set_phase`."""
        if epoch < warmup_epochs:
            self.phase = "warmup"
        elif self.period == "batch":
            self.phase = "both"
        else:
            self.phase = "maximization" if (epoch - warmup_epochs) % 2 else "expectation"
        return True

    def forward(self, encoding: Encoding) -> HeadOutput:
        """encoding (Encoding): The batch.
        RETURNS (HeadOutput): Logits [P, R] and thresholds [P]. In `aux` "relation" [Q, R + 1],
            theta's logits for each mention pair, the threshold class first, and "key" [Q], omega's.
            In `index` "first", "second" and "pair" [Q], the mentions and the pair of each mention
            pair, and "is_key" [Q], whether it is in X_pos.
        """
        pairs = MentionPairs.of(encoding.index)
        relation = _classify(self.relation, encoding, pairs)
        key = _classify(self.key, encoding.second or encoding, pairs)[:, 0]
        n_pairs = len(encoding.index.pair_head)
        if self.training and self.phase == "warmup":
            is_key = torch.ones_like(pairs.pair, dtype=torch.bool)
        else:
            is_key = key_pairs(torch.sigmoid(key.detach()), pairs.pair, n_pairs, self.xi, self.tau)
        chosen = torch.where(is_key[:, None], relation, float("-inf"))
        logits = segment_logsumexp(chosen, pairs.pair, n_pairs)
        return HeadOutput(
            logits=logits[:, 1:],
            threshold=logits[:, 0],
            aux={"relation": relation, "key": key},
            index={
                "first": pairs.first,
                "second": pairs.second,
                "pair": pairs.pair,
                "is_key": is_key,
            },
        )

    def loss(self, output: HeadOutput, targets: Targets) -> Tensor:
        """The losses of the phase, added: theta's, averaged over the pairs whose relations are
        known, and omega's, averaged over their mention pairs.

        output (HeadOutput): What `forward` returned.
        targets (Targets): The gold standard.
        RETURNS (Tensor): [] The loss.
        """
        if self.phase == "expectation":
            return self._key_loss(output, targets)
        losses = adaptive_threshold_loss(output.logits, output.threshold, targets.labels)
        loss = masked_mean(losses, targets.mask)
        if self.phase == "maximization":
            return loss
        return loss + self._key_loss(output, targets)

    def evidence(
        self, output: HeadOutput, clusters: ClusterBatch, pairs: np.ndarray, labels: np.ndarray
    ) -> Evidence:
        """The mentions of a pair's key mention pairs, those of the strongest logit for the type
        first.

        output (HeadOutput): What `forward` returned.
        clusters (ClusterBatch): The batch.
        pairs (np.ndarray): [C] int64. The relations' pairs.
        labels (np.ndarray): [C] int64. Their types.
        RETURNS (Evidence): For each pair and type start and end token of the mentions, each once.
        """
        index = {name: tensor.cpu().numpy() for name, tensor in output.index.items()}
        start = np.searchsorted(index["pair"], pairs)
        counts = np.searchsorted(index["pair"], pairs, side="right") - start
        rows = ranges(start, counts)
        owner = np.repeat(np.arange(len(pairs)), counts)
        rows, owner = rows[index["is_key"][rows]], owner[index["is_key"][rows]]
        device = output.logits.device
        logits = output.aux["relation"][
            torch.from_numpy(rows).to(device), torch.from_numpy(labels[owner] + 1).to(device)
        ]
        order = np.lexsort((-logits.detach().float().cpu().numpy(), owner))
        mentions = np.stack([index["first"], index["second"]], axis=1)[rows[order]]
        parts = np.split(mentions, np.searchsorted(owner, np.arange(len(pairs))))[1:]
        return {
            (int(pair), int(label)): mention_spans(clusters, part.ravel().tolist())
            for pair, label, part in zip(pairs, labels, parts, strict=True)
        }

    def key_pairs(self, output: HeadOutput) -> KeyPairs:
        """See `RelationHead.key_pairs`; the probabilities are omega's."""
        first, second, pair, is_key = (
            output.index[name] for name in ("first", "second", "pair", "is_key")
        )
        return KeyPairs(first, second, pair, torch.sigmoid(output.aux["key"]), is_key)

    def _key_loss(self, output: HeadOutput, targets: Targets) -> Tensor:
        if self.training:
            self.step += 1
        pair = output.index["pair"]
        relation = output.aux["relation"].detach()[:, 1:]
        losses = focal_loss(
            output.aux["key"], pseudo_labels(relation, pair, targets.labels), self.alpha, self.gamma
        )
        mask = targets.mask[pair]
        if self.negative_ratio is not None:
            mask = sample_negatives(mask, targets.labels.any(dim=1)[pair], self.negative_ratio)
        return masked_mean(losses, mask)


def _classify(layer: nn.Linear, encoding: Encoding, pairs: MentionPairs) -> Tensor:
    """[Q, R] A linear layer over [h_i; h_j; c_ij]."""
    # W [h_i; h_j; c_ij] = W_1 h_i + W_2 h_j + W_3 c_ij: the mentions' parts are computed once for
    # each mention, not for each of the mention pairs that it is in.
    first, second, context = layer.weight.split(encoding.mention.shape[1], dim=1)
    head = nn.functional.linear(encoding.mention, first, layer.bias)
    tail = nn.functional.linear(encoding.mention, second)
    output = project_contexts(encoding, context, pairs)
    return output + head.index_select(0, pairs.first) + tail.index_select(0, pairs.second)


def pseudo_labels(relation: Tensor, pair: Tensor, labels: Tensor) -> Tensor:
    """Which mention pairs theta finds at least as likely as their pair's average to express one of
    the pair's gold types (equation 9).

    relation (Tensor): [Q, R] float. Theta's logits, without the threshold class.
    pair (Tensor): [Q] int64. The pair of each mention pair.
    labels (Tensor): [P, R] bool. The gold types.
    RETURNS (Tensor): [Q] bool. The pseudo labels.
    """
    probability = torch.sigmoid(relation)
    mean = segment_mean(probability, pair, len(labels))
    return ((probability >= mean.index_select(0, pair) - TIE) & labels.index_select(0, pair)).any(
        dim=1
    )


def key_pairs(probability: Tensor, pair: Tensor, n_pairs: int, xi: float, tau: Tensor) -> Tensor:
    """The key mention pairs X_pos of each pair (equations 12 to 15), the best one always among
    them.

    probability (Tensor): [Q] float. Omega's probability of each mention pair.
    pair (Tensor): [Q] int64. The pair of each mention pair.
    n_pairs (int): The number of pairs, P.
    xi (float): The degree of relaxation.
    tau (Tensor): [] float. The largest threshold.
    RETURNS (Tensor): [Q] bool.
    """
    highest = segment_max(probability, pair, n_pairs)
    lowest = -segment_max(-probability, pair, n_pairs)
    threshold = segment_mean(probability, pair, n_pairs) + xi * (highest - lowest)
    threshold = torch.minimum(threshold.clamp(max=tau.to(threshold.dtype)), highest)
    return probability >= threshold[pair] - TIE


def sample_negatives(mask: Tensor, is_related: Tensor, ratio: float) -> Tensor:
    """Leave out mention pairs of unrelated entities at random.

    mask (Tensor): [Q] bool. The mention pairs to choose from.
    is_related (Tensor): [Q] bool. Whether their entities have a gold relation.
    ratio (float): How many of unrelated entities to keep, on average, for each of related ones.
    RETURNS (Tensor): [Q] bool.
    """
    n_positive, n_negative = (mask & is_related).sum(), (mask & ~is_related).sum()
    share = ratio * n_positive / n_negative.clamp(min=1)
    return mask & (is_related | (torch.rand(len(mask), device=mask.device) < share))


def KMGRE(
    xi: float = 0.15,
    alpha: float = 0.3,
    gamma: float = 2.0,
    negative_ratio: float | None = None,
    period: Period = "batch",
) -> Model[Encoding, HeadOutput]:
    """The head "spacy-docre.KMGRE.v1": see `KMGREHead`.

    xi (float): Relaxation of the key mention pairs' threshold; the paper has 0.1 for DWIE and 0.15
        for Revisit-DocRED.
    alpha (float): The weight of the key instance classifier's focal loss.
    gamma (float): Its focusing exponent.
    negative_ratio (Optional[float]): For each mention pair of related entities, how many of
        unrelated ones the key instance classifier learns from. None takes all.
    period (str): After the warm-up of `em_schedule`: "batch" takes the E-step and the M-step
        together in each step, "epoch" by epochs in turn.
    RETURNS (Model[Encoding, HeadOutput]): The head.
    """
    return build_head(
        "kmgre",
        KMGREHead,
        xi=xi,
        alpha=alpha,
        gamma=gamma,
        negative_ratio=negative_ratio,
        period=period,
    )
