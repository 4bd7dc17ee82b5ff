"""Relations in two steps: first whether a pair is related, then how (Wang et al. 2019)."""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import cast

import numpy as np
import torch
from thinc.api import Model
from torch import Tensor, nn

from ...data.relation import Evidence
from ..batch import ClusterBatch
from ..encoding import Encoding, HeadOutput, Targets
from ..torch_head import HeadSizes, KeyPairs, RelationHead, build_head
from ..torch_module import lazy_shim
from .blend import joined, margin, part_of


class TwoStepHead(RelationHead):
    """The two-step process of *Fine-tune Bert for DocRED with Two-step Process* (Wang et al. 2019;
    BERT-TS in the tables of others), around any two heads: the first has one type, "related", and
    learns from all pairs, the second has the relation types and learns from related pairs alone.
    A type holds if both say so,

        l_r = min(l^1 - l^1_TH, l_r^2 - l_TH^2)

    so that a score is above 0.5 where both steps' are. The paper fine-tunes an encoder for each
    step; here both heads read one, and their losses are added.

    first (RelationHead): Whether a pair is related.
    second (RelationHead): How it is.
    """

    def __init__(self, first: RelationHead, second: RelationHead) -> None:
        super().__init__()
        self.first = first
        self.second = second

    @property
    def learns_evidence(self) -> bool:
        """See `RelationHead.learns_evidence`."""
        return self.first.learns_evidence or self.second.learns_evidence

    @property
    def can_leave_out_pairs(self) -> bool:
        """See `RelationHead.can_leave_out_pairs`. It can if both heads can."""
        return self.first.can_leave_out_pairs and self.second.can_leave_out_pairs

    @property
    def uses_prior(self) -> bool:
        """See `RelationHead.uses_prior`."""
        return self.first.uses_prior or self.second.uses_prior

    def start_at(self, prior: Tensor, *, first: int = 0) -> None:
        """See `RelationHead.start_at`: related pairs are taken to have one type each, the second
        head's are the types' shares of them."""
        related = prior.sum().clamp(max=0.5)
        if self.first.uses_prior and first == 0:
            self.first.start_at(related[None])
        if self.second.uses_prior:
            self.second.start_at((prior / prior.sum()).clamp(max=0.5), first=first)

    def take_over(self, smaller: RelationHead, n_before: int, n_labels: int) -> None:
        """See `RelationHead.take_over`. Being related stays what it was."""
        other = cast(TwoStepHead, smaller)
        self.first.load_state_dict(other.first.state_dict())
        self.second.take_over(other.second, n_before, n_labels)

    def set_total_steps(self, total_steps: int) -> None:
        """See `RelationHead.set_total_steps`."""
        self.first.set_total_steps(total_steps)
        self.second.set_total_steps(total_steps)

    def set_phase(self, epoch: int, warmup_epochs: int) -> bool:
        """See `RelationHead.set_phase`."""
        phases = [head.set_phase(epoch, warmup_epochs) for head in (self.first, self.second)]
        return any(phases)

    def forward(self, encoding: Encoding) -> HeadOutput:
        """encoding (Encoding): The batch.
        RETURNS (HeadOutput): Logits [P, R] and thresholds [P] of zero. In `aux` and `index` what
            both heads returned, as "first.logits" and so on.
        """
        # Which types a pair can have says nothing to a head that has none of them.
        of_any = replace(encoding, index=replace(encoding.index, allowed=None))
        outputs = {"first": self.first(of_any), "second": self.second(encoding)}
        return joined(torch.minimum(margin(outputs["first"]), margin(outputs["second"])), outputs)

    def loss(self, output: HeadOutput, targets: Targets) -> Tensor:
        """Both heads' losses, added.

        output (HeadOutput): What `forward` returned.
        targets (Targets): The gold standard.
        RETURNS (Tensor): [] The loss.
        """
        is_related = targets.labels.any(dim=1)
        of_any = Targets(is_related[:, None], targets.mask, targets.evidence)
        of_related = replace(targets, mask=targets.mask & is_related)
        return self.first.loss(part_of(output, "first"), of_any) + self.second.loss(
            part_of(output, "second"), of_related
        )

    def evidence(
        self, output: HeadOutput, clusters: ClusterBatch, pairs: np.ndarray, labels: np.ndarray
    ) -> Evidence:
        """The second head's; see `RelationHead.evidence`."""
        return self.second.evidence(part_of(output, "second"), clusters, pairs, labels)

    def mention_attention(self, output: HeadOutput) -> Tensor | None:
        """The second head's; see `RelationHead.mention_attention`."""
        return self.second.mention_attention(part_of(output, "second"))

    def key_pairs(self, output: HeadOutput) -> KeyPairs | None:
        """The second head's; see `RelationHead.key_pairs`."""
        return self.second.key_pairs(part_of(output, "second"))


def TwoStep(
    first: Model[Encoding, HeadOutput], second: Model[Encoding, HeadOutput]
) -> Model[Encoding, HeadOutput]:
    """The head "spacy-docre.TwoStep.v1": see `TwoStepHead`.

    first (Model[Encoding, HeadOutput]): The head that says whether a pair is related.
    second (Model[Encoding, HeadOutput]): The head that says how.
    RETURNS (Model[Encoding, HeadOutput]): The head.
    """
    makers = {"first": lazy_shim(first).make, "second": lazy_shim(second).make}
    return build_head("two_step", _make_two_step, **makers)


def _make_two_step(
    sizes: HeadSizes, *, first: Callable[..., nn.Module], second: Callable[..., nn.Module]
) -> TwoStepHead:
    of_any = first(**asdict(replace(sizes, n_labels=1)))
    return TwoStepHead(cast(RelationHead, of_any), cast(RelationHead, second(**asdict(sizes))))
