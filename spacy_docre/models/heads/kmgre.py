"""KMGRE: key mention pairs guided document-level relation extraction (Jiang et al., 2022)."""

from typing import Literal, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import Parameter

from ...data.relation import Evidence
from ...errors import DocreError, Errors
from ..batch import ClusterBatch
from ..encoding import Encoding, HeadOutput, Targets, ranges
from ..evidence import mention_spans
from ..layers.mention_classifier import HeadSum, MentionPairClassifier
from ..layers.mention_pairs import MentionPairs
from ..layers.segments import segment_logsumexp, segment_max, segment_mean
from ..losses import focal_loss, masked_mean
from ..objective import PairLoss, PairObjective
from ..torch_head import HeadSizes, KeyPairs, RelationHead, head_factory

Period = Literal["batch", "epoch"]
Phase = Literal["warmup", "both", "expectation", "maximization"]

# Probabilities that differ by less count as equal, so that neither rounding nor the other documents
# of a batch decide on which side of their own mean equal mention pairs are.
TIE = 1e-5
# The limit of tau, and the steps after which it has reached 99 % of that with the paper's base.
HIGHEST_TAU = 0.5
FULL_RISE = 4605


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
    all mention pairs as key, at inference too; then both in each step, or epochs of one and the
    other in turn. `em_schedule` sets it; without that the phase is "both".

    Where the paper leaves room: its N_T = C - N_T is read as C - P_T; the threshold is capped at
    the best mention pair's probability, so that this one is always key; the threshold class takes
    no part in equation 9; tau counts omega's losses in training.

    The paper's ablations (section 4.5) are settings. Without `key_classifier` there is no omega and
    all mention pairs count as key. Without `fusion` theta learns mention pair by mention pair: each
    key mention pair has the gold types for which equation 9 holds of that type alone, and its own
    adaptive-threshold loss, averaged over key mention pairs; a type's logit for a pair of entities
    is the highest margin over the threshold class among the key mention pairs (equation 1).

    sizes (HeadSizes): The sizes of encoder and data.
    xi (float): How far above the mean the probability of a key mention pair must be, as a share
        of the range of the probabilities (equation 13); the paper has 0.1 for DWIE and 0.15 for
        Revisit-DocRED.
    alpha (float): The weight of omega's focal loss.
    gamma (float): Its focusing exponent.
    negative_ratio (Optional[float]): For each mention pair of entities that are related, how many
        of unrelated ones omega learns from, at random. None takes all.
    period (str): "batch": both losses in each step. "epoch": each in an epoch of its own, in turn.
    context (str): Contexts are the "sum" over the attention heads (equation 4), or the "mean".
    tau_base (float): The base b of the largest threshold tau = 0.5 (1 - b^step) (section 4.3).
    total_steps (Optional[int]): The steps of the training, to which tau's rise is scaled: the base
        0.999 has come to 99 % of tau's limit at the end. None takes the base as it is, with which
        that takes 4,605 steps. 0 is for the callback "spacy-docre.train_epochs.v1", which says it.
    key_classifier (bool): Whether there is a key instance classifier.
    fusion (bool): Whether mention pairs are fused before the loss.
    bilinear (int): The width of a grouped bilinear form of both mentions that is added to theta's
        logits, a multiple of `block`, see `MentionPairClassifier`; 0 for none.
    block (int): Its block size.
    loss (PairLoss): Theta's loss, see `PairObjective`; the paper's is "adaptive_threshold".
    """

    step: Tensor
    total_steps: Tensor
    is_warming_up: Tensor

    def __init__(
        self,
        sizes: HeadSizes,
        *,
        xi: float = 0.15,
        alpha: float = 0.3,
        gamma: float = 2.0,
        negative_ratio: float | None = None,
        period: Period = "batch",
        context: HeadSum = "sum",
        tau_base: float = 0.999,
        total_steps: int | None = None,
        key_classifier: bool = True,
        fusion: bool = True,
        bilinear: int = 0,
        block: int = 64,
        loss: PairLoss = "adaptive_threshold",
    ) -> None:
        super().__init__(PairObjective(loss, sizes.n_labels))
        if not 0 < tau_base < 1:
            raise DocreError(
                Errors.D020.format(setting="tau_base", condition="in 0..1", value=tau_base)
            )
        self.xi = xi
        self.alpha = alpha
        self.gamma = gamma
        self.negative_ratio = negative_ratio
        self.period = period
        self.tau_base = tau_base
        # A buffer, so that it stays where a checkpoint's weights are loaded.
        self.register_buffer("total_steps", torch.tensor(total_steps or 0), persistent=False)
        self.waits_for_steps = total_steps == 0
        self.fusion = fusion
        self.phase: Phase = "both" if key_classifier else "maximization"
        if sizes.version < 2:
            # Its weights were trained on means.
            context = "mean"
        self.relation = MentionPairClassifier(
            sizes.width, self.objective.n_outputs, context=context, bilinear=bilinear, block=block
        )
        self.key: MentionPairClassifier | None = None
        if key_classifier:
            width = sizes.second_width or sizes.width
            self.key = MentionPairClassifier(width, 1, context=context)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        # Saved, as a model may be best before the warm-up ends.
        is_saved = sizes.version >= 2
        self.register_buffer("is_warming_up", torch.tensor(False), persistent=is_saved)

    @property
    def tau(self) -> Tensor:
        """[] The largest threshold for key mention pairs (section 4.3)."""
        scale = torch.where(self.total_steps > 0, FULL_RISE / self.total_steps.double(), 1.0)
        return HIGHEST_TAU * (1 - self.tau_base ** (self.step.double() * scale))

    def set_total_steps(self, total_steps: int) -> None:
        """See `RelationHead.set_total_steps`."""
        if self.waits_for_steps and not self.total_steps:
            self.total_steps.fill_(total_steps)

    def set_phase(self, epoch: int, warmup_epochs: int) -> bool:
        """See `RelationHead.set_phase`."""
        if self.key is None:
            return True
        if epoch < warmup_epochs:
            self.phase = "warmup"
        elif self.period == "batch":
            self.phase = "both"
        else:
            self.phase = "maximization" if (epoch - warmup_epochs) % 2 else "expectation"
        self.is_warming_up.fill_(self.phase == "warmup")
        return True

    def take_over(self, smaller: RelationHead, n_before: int, n_labels: int) -> None:
        """See `RelationHead.take_over`. The phase stays too."""
        super().take_over(smaller, n_before, n_labels)
        self.phase = cast(KMGREHead, smaller).phase

    def parts(self) -> list[list[Parameter]]:
        """See `RelationHead.parts`: theta and omega."""
        layers = [layer for layer in (self.relation, self.key) if layer is not None]
        return [list(layer.parameters()) for layer in layers]

    @property
    def can_leave_out_pairs(self) -> bool:
        """See `RelationHead.can_leave_out_pairs`."""
        return True

    @property
    def output_bias(self) -> Parameter:
        """See `RelationHead.output_bias`."""
        return self.relation.bias

    def forward(self, encoding: Encoding) -> HeadOutput:
        """encoding (Encoding): The batch.
        RETURNS (HeadOutput): Logits [P, R] and thresholds [P]. In `aux` "relation" [Q, R + 1],
            theta's logits for each mention pair, the threshold class first, and "key" [Q], omega's.
            In `index` "first", "second" and "pair" [Q], the mentions and the pair of each mention
            pair, and "is_key" [Q], whether it is in X_pos.
        """
        pairs = MentionPairs.of(encoding.index)
        n_pairs = len(encoding.index.pair_head)
        relation = self.relation.classify(encoding, pairs)
        if not self.objective.has_threshold:
            relation = nn.functional.pad(relation, (1, 0))
        aux = {"relation": relation}
        if self.key is None:
            is_key = torch.ones_like(pairs.pair, dtype=torch.bool)
        else:
            key = aux["key"] = self.key.classify(encoding.second or encoding, pairs)[:, 0]
            probability = torch.sigmoid(key.detach())
            is_key = choose_key_pairs(probability, pairs.pair, n_pairs, self.xi, self.tau)
            is_key = is_key | self.is_warming_up
        index = {
            "first": pairs.first,
            "second": pairs.second,
            "pair": pairs.pair,
            "is_key": is_key,
        }
        if self.fusion:
            chosen = torch.where(is_key[:, None], relation, float("-inf"))
            logits = segment_logsumexp(chosen, pairs.pair, n_pairs)
            threshold = logits[:, 0]
            if not self.objective.has_threshold:
                threshold = torch.zeros_like(threshold)
            return HeadOutput(logits[:, 1:], threshold, aux, index)
        margin = relation[:, 1:] - relation[:, :1]
        chosen = torch.where(is_key[:, None], margin, float("-inf"))
        logits = segment_max(chosen, pairs.pair, n_pairs)
        return HeadOutput(logits, logits.new_zeros(n_pairs), aux, index)

    def loss(self, output: HeadOutput, targets: Targets) -> Tensor:
        """The losses of the phase, added: theta's, averaged over the pairs whose relations are
        known, and omega's, averaged over their mention pairs.

        output (HeadOutput): What `forward` returned.
        targets (Targets): The gold standard.
        RETURNS (Tensor): [] The loss.
        """
        if self.phase == "expectation":
            return self._key_loss(output, targets)
        loss = self._relation_loss(output, targets)
        if self.phase == "maximization":
            return loss
        return loss + self._key_loss(output, targets)

    def key_pairs(self, output: HeadOutput) -> KeyPairs | None:
        """See `RelationHead.key_pairs`."""
        if self.key is None:
            return None
        index = output.index
        return KeyPairs(
            first=index["first"],
            second=index["second"],
            pair=index["pair"],
            probability=torch.sigmoid(output.aux["key"]),
            is_key=index["is_key"],
        )

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

    def _relation_loss(self, output: HeadOutput, targets: Targets) -> Tensor:
        if self.fusion:
            loss: Tensor = self.objective(output, targets)
            return loss
        relation, pair = output.aux["relation"], output.index["pair"]
        labels = pseudo_labels(relation.detach()[:, 1:], pair, targets.labels)
        each = HeadOutput(relation[:, 1:], relation[:, 0])
        loss = self.objective(each, Targets(labels, targets.mask[pair] & output.index["is_key"]))
        return loss

    def _key_loss(self, output: HeadOutput, targets: Targets) -> Tensor:
        if self.training:
            self.step += 1
        pair = output.index["pair"]
        labels = pseudo_labels(output.aux["relation"].detach()[:, 1:], pair, targets.labels)
        losses = focal_loss(output.aux["key"], labels.any(dim=1), self.alpha, self.gamma)
        mask = targets.mask[pair]
        if self.negative_ratio is not None:
            mask = sample_negatives(mask, targets.labels.any(dim=1)[pair], self.negative_ratio)
        return masked_mean(losses, mask)


def pseudo_labels(relation: Tensor, pair: Tensor, labels: Tensor) -> Tensor:
    """Which of its pair's gold types theta finds at least as likely for a mention pair as for the
    pair's mention pairs on average. Equation 9 holds for a mention pair with one such type.

    relation (Tensor): [Q, R] float. Theta's logits, without the threshold class.
    pair (Tensor): [Q] int64. The pair of each mention pair.
    labels (Tensor): [P, R] bool. The gold types.
    RETURNS (Tensor): [Q, R] bool. The pseudo labels.
    """
    probability = torch.sigmoid(relation)
    mean = segment_mean(probability, pair, len(labels))
    is_likely = probability >= mean.index_select(0, pair) - TIE
    return is_likely & labels.index_select(0, pair)


def choose_key_pairs(
    probability: Tensor, pair: Tensor, n_pairs: int, xi: float, tau: Tensor
) -> Tensor:
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
    """Skip mention pairs of unrelated entities at random.

    mask (Tensor): [Q] bool. The mention pairs to choose from.
    is_related (Tensor): [Q] bool. Whether their entities have a gold relation.
    ratio (float): How many of unrelated entities to keep, on average, for each of related ones.
    RETURNS (Tensor): [Q] bool.
    """
    n_positive, n_negative = (mask & is_related).sum(), (mask & ~is_related).sum()
    share = ratio * n_positive / n_negative.clamp(min=1)
    return mask & (is_related | (torch.rand(len(mask), device=mask.device) < share))


KMGRE = head_factory("kmgre", KMGREHead)
