"""How a relation head, a PyTorch module, becomes a Thinc layer."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from thinc.api import ArgsKwargs, Model
from torch import Tensor, nn

from ..data.relation import Evidence
from ..errors import DocreError, Errors
from .batch import ClusterBatch
from .encoding import Encoding, HeadOutput, Targets
from .losses import adaptive_threshold_loss, binary_cross_entropy, masked_mean
from .precision import at_least_single
from .torch_module import LazyTorchShim, lazy_shim, run_backward

PairLoss = Literal["bce", "adaptive_threshold"]


@dataclass(frozen=True)
class HeadSizes:
    """What a head must know about the encoder and the data to be built.

    width (int): The width d of the encoder's vectors.
    n_heads (int): The number K of attention heads.
    n_labels (int): The number R of relation types.
    n_types (int): The number of entity types, the unknown type (0) included.
    second_width (Optional[int]): The width of the second encoder's vectors, if there is one.
    """

    width: int
    n_heads: int
    n_labels: int
    n_types: int
    second_width: int | None = None


class RelationHead(nn.Module):
    """Base class of relation heads: a method's classifier, from encoded documents to a logit for
    each candidate pair and relation type. Subclasses are built as `Head(sizes, **settings)`."""

    @property
    def learns_evidence(self) -> bool:
        """Whether the loss makes use of `Targets.evidence`."""
        return False

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


class TypewiseHead(RelationHead):
    """Base class of heads with a logit for each relation type by itself, which is compared with
    zero or with the logit of a threshold class: subclasses have `logits` instead of `forward`.

    loss (PairLoss): "bce" for binary cross-entropy, or "adaptive_threshold" for ATLOP's loss, whose
        threshold class is the first of `n_outputs`.
    n_labels (int): The number R of relation types.
    """

    def __init__(self, n_labels: int, loss: PairLoss = "bce") -> None:
        super().__init__()
        self.has_threshold = loss == "adaptive_threshold"
        self.n_outputs = n_labels + self.has_threshold

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
        if not self.has_threshold:
            return HeadOutput(logits, logits.new_zeros(len(logits)), aux)
        return HeadOutput(logits[:, 1:], logits[:, 0], aux)

    def loss(self, output: HeadOutput, targets: Targets) -> Tensor:
        """Binary cross-entropy or the adaptive-threshold loss, averaged over the pairs whose
        relations are known.

        output (HeadOutput): What `forward` returned.
        targets (Targets): The gold standard.
        RETURNS (Tensor): [] The loss.
        """
        if not self.has_threshold:
            return binary_cross_entropy(output.logits, targets)
        losses = adaptive_threshold_loss(output.logits, output.threshold, targets.labels)
        return masked_mean(losses, targets.mask)


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
    module: Callable[..., RelationHead], settings: dict[str, Any], **sizes: Any
) -> RelationHead:
    return module(HeadSizes(**sizes), **settings)


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
