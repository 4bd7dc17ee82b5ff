"""A blend of several methods' heads on one encoder."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

import numpy as np
import torch
from thinc.api import Model
from torch import Tensor, nn

from ...data.relation import Evidence
from ...errors import DocreError, Errors
from ..batch import ClusterBatch
from ..encoding import Encoding, HeadOutput, Targets
from ..growth import take_over
from ..objective import PairLoss, PairObjective
from ..torch_head import HeadSizes, KeyPairs, RelationHead, build_head
from ..torch_module import lazy_shim

# Between the name of a head and that of one of its tensors.
SEPARATOR = "."


class BlendHead(RelationHead):
    """Several heads that read the same encoding and vote. A type's logit is the mean over the K
    voters of its margin over the head's threshold, and it holds if that is above zero:

        l_r = 1 / K sum_k (l_r^k - l_TH^k)

    Each head learns by its own loss, and the blend as a whole by another, with a threshold of zero,
    which lets heads differ where they can make up for each other:

        L = own_weight / H sum_h L_h + joint_weight L(l, 0)

    over all H heads: one that has no vote teaches the encoder only.

    heads (Mapping[str, RelationHead]): The heads by their names.
    own_weight (float): The weight of the heads' own losses.
    joint_weight (float): The weight of the blend's loss.
    evidence_from (str): The head whose evidence is the relations'.
    voters (Collection[str]): The heads that vote.
    objective (Optional[PairObjective]): The blend's loss; None is ATLOP's.
    """

    def __init__(
        self,
        heads: Mapping[str, RelationHead],
        *,
        own_weight: float,
        joint_weight: float,
        evidence_from: str,
        voters: Collection[str],
        objective: PairObjective | None = None,
    ) -> None:
        super().__init__(objective)
        self.heads = nn.ModuleDict(heads)
        self.own_weight = own_weight
        self.joint_weight = joint_weight
        self.evidence_from = evidence_from
        self.voters = set(voters)

    @property
    def learns_evidence(self) -> bool:
        """See `RelationHead.learns_evidence`."""
        return any(self._head(name).learns_evidence for name in self.heads)

    @property
    def can_leave_out_pairs(self) -> bool:
        """See `RelationHead.can_leave_out_pairs`. They can if all heads can."""
        return all(self._head(name).can_leave_out_pairs for name in self.heads)

    @property
    def uses_prior(self) -> bool:
        """See `RelationHead.uses_prior`."""
        return super().uses_prior or any(self._head(name).uses_prior for name in self.heads)

    def start_at(self, prior: Tensor, *, first: int = 0) -> None:
        """See `RelationHead.start_at`."""
        super().start_at(prior, first=first)
        for name in self.heads:
            self._head(name).start_at(prior, first=first)

    def take_over(self, smaller: RelationHead, n_before: int, n_labels: int) -> None:
        """See `RelationHead.take_over`."""
        other = cast(BlendHead, smaller)
        take_over(self.objective, other.objective, n_before, n_labels)
        for name in self.heads:
            self._head(name).take_over(other._head(name), n_before, n_labels)

    def set_total_steps(self, total_steps: int) -> None:
        """See `RelationHead.set_total_steps`."""
        for name in self.heads:
            self._head(name).set_total_steps(total_steps)

    def set_phase(self, epoch: int, warmup_epochs: int) -> bool:
        """See `RelationHead.set_phase`."""
        # All of them, not only up to the first that has phases.
        return any([self._head(name).set_phase(epoch, warmup_epochs) for name in self.heads])

    def forward(self, encoding: Encoding) -> HeadOutput:
        """encoding (Encoding): The batch.
        RETURNS (HeadOutput): Logits [P, R] and thresholds [P] of zero. In `aux` and `index` what
            the heads returned, their own logits and thresholds too, as "NAME.logits" and so on. In
            inference mode a head that neither votes nor gives the evidence is not run.
        """
        outputs = {}
        silent = self.heads.keys() - self.voters - {self.evidence_from}
        for name, head in self.heads.items():
            if name in silent and torch.is_inference_mode_enabled():
                continue
            outputs[name] = head(encoding)
        margins = [margin(outputs[name]) for name in outputs if name in self.voters]
        return joined(cast(Tensor, sum(margins)) / len(margins), outputs)

    def loss(self, output: HeadOutput, targets: Targets) -> Tensor:
        """The weighted sum of the heads' own losses and the blend's.

        output (HeadOutput): What `forward` returned.
        targets (Targets): The gold standard.
        RETURNS (Tensor): [] The loss.
        """
        joint: Tensor = self.objective(output, targets)
        own = [self._head(name).loss(part_of(output, name), targets) for name in self.heads]
        return self.joint_weight * joint + self.own_weight * sum(own) / len(own)

    def evidence(
        self, output: HeadOutput, clusters: ClusterBatch, pairs: np.ndarray, labels: np.ndarray
    ) -> Evidence:
        """The evidence of the head `evidence_from`; see `RelationHead.evidence`."""
        own = part_of(output, self.evidence_from)
        return self._head(self.evidence_from).evidence(own, clusters, pairs, labels)

    def mention_attention(self, output: HeadOutput) -> Tensor | None:
        """That of the first head that has such attention; see `RelationHead.mention_attention`."""
        each = (self._head(n).mention_attention(part_of(output, n)) for n in self._run_in(output))
        return next((attention for attention in each if attention is not None), None)

    def key_pairs(self, output: HeadOutput) -> KeyPairs | None:
        """Those of the first head that chooses some; see `RelationHead.key_pairs`."""
        each = (self._head(name).key_pairs(part_of(output, name)) for name in self._run_in(output))
        return next((pairs for pairs in each if pairs is not None), None)

    def _run_in(self, output: HeadOutput) -> list[str]:
        """The heads that were run for an output."""
        return [name for name in self.heads if f"{name}{SEPARATOR}logits" in output.aux]

    def _head(self, name: str) -> RelationHead:
        return cast(RelationHead, self.heads[name])


def margin(output: HeadOutput) -> Tensor:
    """[P, R] By how much the types are above a head's threshold."""
    return output.logits - output.threshold[:, None]


def joined(logits: Tensor, outputs: Mapping[str, HeadOutput]) -> HeadOutput:
    """The output of a head of heads, which `part_of` takes apart again.

    logits (Tensor): [P, R] float. Its logits.
    outputs (Mapping[str, HeadOutput]): What the heads returned, by their names.
    RETURNS (HeadOutput): Logits, thresholds of zero, and in `aux` and `index` what the heads
        returned, as "NAME.logits" and so on.
    """
    aux, index = {}, {}
    for name, output in outputs.items():
        tensors = {"logits": output.logits, "threshold": output.threshold, **output.aux}
        aux.update({f"{name}{SEPARATOR}{key}": tensor for key, tensor in tensors.items()})
        index.update({f"{name}{SEPARATOR}{key}": each for key, each in output.index.items()})
    return HeadOutput(logits, logits.new_zeros(len(logits)), aux, index)


def part_of(output: HeadOutput, name: str) -> HeadOutput:
    """What one of the heads of a head returned.

    output (HeadOutput): The output that `joined` made.
    name (str): The head.
    RETURNS (HeadOutput): The head's output.
    """
    prefix = name + SEPARATOR

    def of_head(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {key[len(prefix) :]: t for key, t in tensors.items() if key.startswith(prefix)}

    aux = of_head(output.aux)
    return HeadOutput(aux.pop("logits"), aux.pop("threshold"), aux, of_head(output.index))


def Blend(
    *heads: Model[Encoding, HeadOutput],
    own_weight: float = 1.0,
    joint_weight: float = 1.0,
    evidence_from: str | None = None,
    voters: Sequence[str] | None = None,
    loss: PairLoss = "adaptive_threshold",
) -> Model[Encoding, HeadOutput]:
    """The head "spacy-docre.Blend.v1": see `BlendHead`.

    *heads (Model[Encoding, HeadOutput]): The heads. Each goes by its layer's name ("atlop",
        "rsman", ...); a second one of that name is "atlop_2".
    own_weight (float): The weight of the mean of the heads' own losses. 0 trains only the blend.
    joint_weight (float): The weight of the blend's loss. 0 makes an ensemble of heads that have
        nothing in common but the encoder.
    evidence_from (Optional[str]): The head whose evidence is the relations'. None takes the first
        one's.
    voters (Optional[Sequence[str]]): The heads that vote. None takes all.
    loss (PairLoss): The blend's loss, see `PairObjective`.
    RETURNS (Model[Encoding, HeadOutput]): The head.
    RAISES (DocreError): If there is no head, none that votes, or none of a name that is given.
    """
    by_name: dict[str, Model[Encoding, HeadOutput]] = {}
    for head in heads:
        n_same = sum(other.name == head.name for other in by_name.values())
        by_name[f"{head.name}_{n_same + 1}" if n_same else head.name] = head
    source = next(iter(by_name), None) if evidence_from is None else evidence_from
    chosen = list(by_name if voters is None else voters)
    _check_names("evidence_from", "the name of a head", evidence_from, [source], by_name)
    _check_names("voters", "names of heads", voters, chosen, by_name)

    return build_head(
        "blend",
        _make_blend,
        makers={name: lazy_shim(head).make for name, head in by_name.items()},
        own_weight=own_weight,
        joint_weight=joint_weight,
        evidence_from=source,
        voters=chosen,
        loss=loss,
    )


def _make_blend(
    sizes: HeadSizes,
    *,
    makers: Mapping[str, Callable[..., nn.Module]],
    loss: PairLoss,
    **settings: Any,
) -> BlendHead:
    heads = {name: cast(RelationHead, make(**asdict(sizes))) for name, make in makers.items()}
    return BlendHead(heads, objective=PairObjective(loss, sizes.n_labels), **settings)


def _check_names(
    setting: str, what: str, value: Any, chosen: Collection[str | None], known: Collection[str]
) -> None:
    if not chosen or not set(chosen) <= set(known):
        condition = f"{what}, which are {list(known)}"
        raise DocreError(Errors.D020.format(setting=setting, condition=condition, value=value))
