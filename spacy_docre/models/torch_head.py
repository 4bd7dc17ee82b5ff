"""How a relation head, a PyTorch module, becomes a Thinc layer."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from thinc.api import ArgsKwargs, Model
from torch import Tensor, nn

from ..data.relation import Evidence
from ..errors import DocreError, Errors
from .batch import ClusterBatch
from .encoding import Encoding, HeadOutput, Targets
from .growth import take_over
from .objective import PairLoss, PairObjective
from .precision import at_least_single
from .torch_module import LazyTorchShim, lazy_shim, run_backward

# The version of the heads' behaviour that new models have. A saved model keeps the one that it was
# trained with, so that what changes here does not change its scores.
HEAD_VERSION = 2


@dataclass(frozen=True)
class HeadSizes:
    """What a head must know about the encoder and the data to be built.

    width (int): The width d of the encoder's vectors.
    n_heads (int): The number K of attention heads.
    n_labels (int): The number R of relation types.
    n_types (int): The number of entity types, the unknown type (0) included.
    second_width (Optional[int]): The width of the second encoder's vectors, if there is one.
    version (int): The version of the heads' behaviour: 1 for models that were saved before there
        was one, whose weights would mean something else to a head of today.
    """

    width: int
    n_heads: int
    n_labels: int
    n_types: int
    second_width: int | None = None
    version: int = HEAD_VERSION


class KeyPairs(NamedTuple):
    """Which mention pairs a head reads the relations of each pair of entities from.

    first (Tensor): [Q] int64. The head entity's mention.
    second (Tensor): [Q] int64. The tail entity's mention.
    pair (Tensor): [Q] int64. The pair of entities, in rising order.
    probability (Tensor): [Q] float. How likely the mention pair is to tell of relations.
    is_key (Tensor): [Q] bool. Whether relations are read from it.
    """

    first: Tensor
    second: Tensor
    pair: Tensor
    probability: Tensor
    is_key: Tensor


class RelationHead(nn.Module):
    """Base class of relation heads: a method's classifier, from encoded documents to a logit for
    each candidate pair and relation type. Subclasses are built as `Head(sizes, **settings)`, with
    the settings' defaults in `__init__`, see `head_factory`. What the rest of the package needs to
    know about a method, it asks here.

    objective (Optional[PairObjective]): The loss of the pairs' relations; a head that does not use
        one need not give one.
    """

    def __init__(self, objective: PairObjective | None = None) -> None:
        super().__init__()
        self.objective = objective or PairObjective("adaptive_threshold", 0)

    @classmethod
    def small_settings(cls) -> dict[str, Any]:
        """RETURNS (dict[str, Any]): Settings of a head that is small enough for tests, and has no
        dropout. Every head that is registered is put through the contract tests with these.
        """
        return {}

    @property
    def learns_evidence(self) -> bool:
        """Whether the loss makes use of `Targets.evidence`."""
        return False

    @property
    def can_leave_out_pairs(self) -> bool:
        """Whether a pair's logits and evidence are the same whatever other candidate pairs there
        are. Then the head gets only the pairs that are to be scored: constraints leave out those
        that can have no relation. A head in which pairs look at each other finds all of them by
        `EncodingIndex.with_all_pairs`. False gives the head every pair.
        """
        return False

    @property
    def output_bias(self) -> nn.Parameter | None:
        """[n_outputs] The bias of what the objective calls outputs, if there is one."""
        return None

    @property
    def needs_threshold(self) -> bool:
        """Whether the score above which a relation is set must be chosen on development data,
        since the head learns none."""
        return self.objective.needs_threshold

    @property
    def uses_prior(self) -> bool:
        """Whether `start_at` makes use of how frequent the types are in the training data."""
        has_bias = self.needs_threshold and self.output_bias is not None
        return self.objective.uses_prior or has_bias

    def start_at(self, prior: Tensor, *, first: int = 0) -> None:
        """Learn how frequent the types are, once, before training. With cross-entropy, a classifier
        that starts near zero spends its first steps on learning that hardly any pair has any
        relation, so its bias starts at the log-odds of the types.

        prior (Tensor): [R] float. The share of the training data's pairs that have each type, in
            0..1, both excluded.
        first (int): The first type to start; those before it stay as they are.
        """
        self.objective.start_at(prior, first=first)
        if self.needs_threshold and self.output_bias is not None:
            with torch.no_grad():
                self.output_bias[first:] = torch.logit(prior)[first:]

    def take_over(self, smaller: "RelationHead", n_before: int, n_labels: int) -> None:
        """Take the tensors of the same head for fewer relation types, so that the scores of these
        stay as they are. An axis that is longer here has an entry for each type, once or several
        times, after those for anything else, such as a threshold class. Along a first axis new
        types keep what a new head has; along others, where it would be read for the known types
        too, it becomes zero. A head of which that is not true, or that has more state than its
        tensors, has its own `take_over`.

        smaller (RelationHead): The head with fewer types, of no use afterwards.
        n_before (int): The number of its types.
        n_labels (int): The number of types of this head.
        """
        take_over(self, smaller, n_before, n_labels)

    def parts(self) -> list[list[nn.Parameter]]:
        """RETURNS (list[list[nn.Parameter]]): The parameters of each part of the method that learns
        from a loss of its own: of those that read the encoder, or the first of two; then of
        those that read the second, if any do. Together they are all parameters.
        """
        return [list(self.parameters())]

    def set_phase(self, epoch: int, warmup_epochs: int) -> bool:
        """Set the phase of a method that is trained in phases, see `em_schedule`.

        epoch (int): The epoch of training, from 0.
        warmup_epochs (int): The number of epochs of warm-up.
        RETURNS (bool): Whether the method has phases.
        """
        return False

    def set_total_steps(self, total_steps: int) -> None:
        """Tell a head, whose settings leave that open, how long its training is. Most need not
        know.

        total_steps (int): The number of steps.
        """

    def forward(self, encoding: Encoding) -> HeadOutput:
        """encoding (Encoding): The batch.
        RETURNS (HeadOutput): Logits [P, R], thresholds [P] and the method's auxiliary tensors.
        """
        raise NotImplementedError

    def loss(self, output: HeadOutput, targets: Targets) -> Tensor:
        """The training loss, as a function of the output alone.

        output (HeadOutput): What `forward` returned.
        targets (Targets): The gold standard.
        RETURNS (Tensor): [] The loss.
        """
        raise NotImplementedError

    def evidence(
        self, output: HeadOutput, clusters: ClusterBatch, pairs: np.ndarray, labels: np.ndarray
    ) -> Evidence:
        """The spans that support relations which are to be set: mentions or sentences. None for a
        method that does not say.

        output (HeadOutput): What `forward` returned.
        clusters (ClusterBatch): The batch.
        pairs (np.ndarray): [C] int64. The relations' pairs.
        labels (np.ndarray): [C] int64. Their types.
        RETURNS (Evidence): For each pair and type start and end token of the spans within their
            document, strongest first.
        """
        return {}

    def mention_attention(self, output: HeadOutput) -> Tensor | None:
        """How much each relation type attends to each mention, of the mentions of its entity.

        output (HeadOutput): What `forward` returned.
        RETURNS (Optional[Tensor]): [M, R] float. None for a method without such attention.
        """
        return None

    def key_pairs(self, output: HeadOutput) -> KeyPairs | None:
        """Which mention pairs the relations of each pair of entities are read from.

        output (HeadOutput): What `forward` returned.
        RETURNS (Optional[KeyPairs]): None for a method that does not choose among them.
        """
        return None


class TypewiseHead(RelationHead):
    """Base class of heads whose only loss is that of their pairs: subclasses have `logits` instead
    of `forward`.

    n_labels (int): The number R of relation types.
    loss (PairLoss): The loss, see `PairObjective`.
    """

    def __init__(self, n_labels: int, loss: PairLoss = "bce") -> None:
        super().__init__(PairObjective(loss, n_labels))
        self.has_threshold = self.objective.has_threshold
        self.n_outputs = self.objective.n_outputs

    def logits(self, encoding: Encoding) -> Tensor:
        """encoding (Encoding): The batch.
        RETURNS (Tensor): [P, n_outputs] float. The logits.
        """
        raise NotImplementedError

    def forward(self, encoding: Encoding) -> HeadOutput:
        """encoding (Encoding): The batch.
        RETURNS (HeadOutput): Logits [P, R] and thresholds [P], zero with cross-entropy.
        """
        return self.output(self.logits(encoding))

    def output(self, logits: Tensor, **aux: Tensor) -> HeadOutput:
        """Take the threshold class, if there is one, apart from the types.

        logits (Tensor): [P, n_outputs] float.
        **aux (Tensor): Auxiliary tensors.
        RETURNS (HeadOutput): Logits [P, R], thresholds [P] and the auxiliary tensors.
        """
        return HeadOutput(*self.objective.split(logits), aux)

    def loss(self, output: HeadOutput, targets: Targets) -> Tensor:
        """The loss of the objective.

        output (HeadOutput): What `forward` returned.
        targets (Targets): The gold standard.
        RETURNS (Tensor): [] The loss.
        """
        loss: Tensor = self.objective(output, targets)
        return loss


def head_factory(name: str, head: type[RelationHead]) -> Callable[..., Model[Encoding, HeadOutput]]:
    """Make the function that is registered for a head, whose arguments are the keyword arguments of
    the head's `__init__`, with their types and defaults. It goes by the class's name without "Head"
    and must be assigned to that name in the class's module, where pickling looks for it.

        RSMAN = head_factory("rsman", RSMANHead)

    `inspect.unwrap` gives the class back.

    name (str): The layer's name.
    head (type[RelationHead]): The class of the head.
    RETURNS (Callable[..., Model[Encoding, HeadOutput]]): The function.
    """
    _, *settings = inspect.signature(head).parameters.values()
    signature = inspect.Signature(settings, return_annotation=Model[Encoding, HeadOutput])

    def factory(**settings: Any) -> Model[Encoding, HeadOutput]:
        return build_head(name, head, **signature.bind(**settings).arguments)

    factory.__name__ = factory.__qualname__ = head.__name__.removesuffix("Head")
    factory.__module__ = head.__module__
    lines = (inspect.getdoc(head) or "").splitlines()
    factory.__doc__ = "\n".join(line for line in lines if not line.startswith("sizes (HeadSizes)"))
    factory.__dict__.update(__signature__=signature, __wrapped__=head)
    return factory


def build_head(
    name: str, module: Callable[..., RelationHead], **settings: Any
) -> Model[Encoding, HeadOutput]:
    """Wrap a head for Thinc. The module is built when the layer is initialised.

    name (str): The layer's name.
    module (Callable[..., RelationHead]): The class of the head.
    **settings (Any): The head's settings.
    RETURNS (Model[Encoding, HeadOutput]): The layer, with the dimensions nI (width of the
        encoder), nO (number of relation types) and nT (number of entity types).
    """

    return Model(
        name,
        forward,
        init=init,
        dims={"nI": None, "nO": None, "nT": None},
        # No function of a function's own: worker processes may be handed the layer pickled.
        shims=[LazyTorchShim(partial(_make, module, settings))],
    )


def _make(
    module: Callable[..., RelationHead],
    settings: dict[str, Any],
    *,
    version: int = 1,
    **sizes: Any,
) -> RelationHead:
    return module(HeadSizes(version=version, **sizes), **settings)


def init(model: Model[Encoding, HeadOutput], X: Encoding | None = None, Y: None = None) -> None:
    """Build the head for the encoder's width and the numbers of labels (dimension nO) and of
    entity types (nT)."""
    shim = lazy_shim(model)
    if shim.is_built or X is None:
        return
    model.set_dim("nI", X.tokens.shape[2])
    sizes = HeadSizes(
        width=X.tokens.shape[2],
        n_heads=X.attention.shape[0],
        n_labels=model.get_dim("nO"),
        n_types=model.get_dim("nT"),
        second_width=None if X.second is None else X.second.tokens.shape[2],
    )
    shim.build(**asdict(sizes))


def forward(
    model: Model[Encoding, HeadOutput], encoding: Encoding, is_train: bool
) -> tuple[HeadOutput, Callable[[Sequence[Tensor | None]], tuple[Tensor | None, ...]]]:
    """Run the head. The backward pass takes the gradients of the output's tensors, in their order,
    and returns those of the encoding's."""
    shim = lazy_shim(model)
    shim.require_built()
    width = encoding.tokens.shape[2]
    if width != model.get_dim("nI"):
        raise DocreError(Errors.D013.format(width=width, expected=model.get_dim("nI")))
    leaves = encoding.detached() if is_train else encoding
    output, backprop_shim = shim(ArgsKwargs((leaves,), {}), is_train)
    # Whatever the head has computed in, losses, scores and evidence are computed in fp32.
    output = output.with_tensors(tuple(at_least_single(t) for t in output.tensors))

    def backprop(gradients: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
        run_backward(backprop_shim, output.tensors, gradients, leaves.tensors)
        return tuple(tensor.grad for tensor in leaves.tensors)

    return output, backprop
