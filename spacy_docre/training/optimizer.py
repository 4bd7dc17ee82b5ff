"""Optimizer and schedule for training an encoder and a head together."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from thinc.api import Model, Ops, Optimizer, PyTorchGradScaler, PyTorchShim, xp2torch
from thinc.optimizers import FloatOrSeq
from torch import Tensor

from ..errors import DocreError, Errors
from ..models.relation_model import relation_head

Clip = Literal["joint", "parts"]

DEFAULT_RATE = 5e-5
# The name of the layer of `TwinEncoder`.
TWIN = "twin_encoder"


class PartwiseAdamW(Optimizer):
    """Adam with decoupled weight decay (AdamW) as PyTorch computes it, which gives encoder and head
    learning rates of their own, and clips the gradient by its norm over all parameters, where
    Thinc's optimizers clip each parameter by itself. A part whose rate is zero is frozen.

    learn_rate (FloatOrSeq): The learning rate, or a schedule of it.
    encoder_factor (float): The encoder's learning rate, as a multiple of this one.
    head_factor (float): The head's.
    max_norm (float): Scale the gradient of all parameters down to this norm; 0 leaves it.
    clip (Clip): "joint" for one norm, "parts" for one of each part of a method that has several,
        see `RelationHead.parts`.
    **settings (Any): Further arguments of Thinc's `Optimizer`.
    """

    __slots__ = ("clip", "encoder_factor", "head_factor", "max_norm")

    def __init__(
        self,
        learn_rate: FloatOrSeq,
        *,
        encoder_factor: float,
        head_factor: float,
        max_norm: float,
        clip: Clip,
        **settings: Any,
    ) -> None:
        super().__init__(learn_rate, grad_clip=0.0, L2_is_weight_decay=True, **settings)
        self.encoder_factor = encoder_factor
        self.head_factor = head_factor
        self.max_norm = max_norm
        self.clip = clip

    @property
    def trains_encoder(self) -> bool:
        """Whether the encoder's learning rate is ever above zero."""
        return self.encoder_factor > 0

    @property
    def trains_head(self) -> bool:
        """Whether the head's learning rate is ever above zero."""
        return self.head_factor > 0

    def update_parts(self, encoder: Model, head: Model, gradients: "Gradients") -> None:
        """Apply the gradients of an encoder and of the head on it.

        encoder (Model): The encoder.
        head (Model): The head.
        gradients (Gradients): Those of both.
        """
        if self.max_norm:
            if self.clip == "parts":
                for part in gradients_of_parts(encoder, head):
                    part.clip(self.max_norm)
            else:
                gradients.clip(self.max_norm)
        base = self.learn_rate
        for layer, factor in ((encoder, self.encoder_factor), (head, self.head_factor)):
            if factor:
                self.learn_rate = base * factor
                layer.finish_update(self)
        self.learn_rate = base

    def _adam(self, ops: Ops, *args: Any) -> Any:
        # Thinc adds epsilon before it corrects the bias of the second moment, PyTorch after: in
        # the first steps Thinc's is many times larger, and small gradients hardly move anything.
        *_, nr_upd = args
        eps = self.eps
        self.eps = eps * (1 - self.b2**nr_upd) ** 0.5
        updated = super()._adam(ops, *args)
        self.eps = eps
        return updated


def create_adamw(
    learn_rate: FloatOrSeq | None = None,
    *,
    head_factor: float = 1.0,
    encoder_rate: float | None = None,
    head_rate: float | None = None,
    schedule: FloatOrSeq = 1.0,
    L2: float = 0.01,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    max_norm: float = 1.0,
    clip: Clip = "joint",
    use_averages: bool = False,
) -> PartwiseAdamW:
    """The optimizer "spacy-docre.AdamW.v1"; see `PartwiseAdamW`. The rates are given as
    `encoder_rate` and `head_rate` with their common schedule; or, as in older configs, as
    `learn_rate` and `head_factor`. Other components of the pipeline learn at the encoder's rate.

    learn_rate (Optional[FloatOrSeq]): The encoder's learning rate, or a schedule of it. None is
        5e-5, unless there is an `encoder_rate`.
    head_factor (float): The head's learning rate, as a multiple of `learn_rate`.
    encoder_rate (Optional[float]): The encoder's highest learning rate; 0 freezes it.
    head_rate (Optional[float]): The head's highest learning rate; 0 freezes it.
    schedule (FloatOrSeq): What both are multiplied by in each step.
    L2 (float): Weight decay.
    beta1 (float): Decay of the first moment.
    beta2 (float): Decay of the second moment.
    eps (float): Added to the root of the second moment.
    max_norm (float): The largest norm of the gradient over all parameters; 0 sets no limit.
    clip (Clip): Whether that is the norm over all parameters ("joint"), or over those of each part
        of a method whose parts learn from losses of their own ("parts"), as KMGRE's.
    use_averages (bool): Keep moving averages of the parameters for evaluation.
    RETURNS (PartwiseAdamW): The optimizer.
    RAISES (DocreError): If rates are given in both ways, one is missing, or one is negative.
    """
    encoder_factor = 1.0
    if encoder_rate is None and head_rate is None:
        learn_rate = DEFAULT_RATE if learn_rate is None else learn_rate
    else:
        if learn_rate is not None:
            raise DocreError(Errors.D149)
        for name, rate in (("encoder_rate", encoder_rate), ("head_rate", head_rate)):
            if rate is None or rate < 0:
                raise DocreError(
                    Errors.D020.format(
                        setting=name,
                        condition="at least 0 where the other rate is given",
                        value=rate,
                    )
                )
        base = encoder_rate or head_rate or DEFAULT_RATE
        learn_rate = _scaled(schedule, base)
        encoder_factor, head_factor = (encoder_rate or 0.0) / base, (head_rate or 0.0) / base
    return PartwiseAdamW(
        learn_rate,
        encoder_factor=encoder_factor,
        head_factor=head_factor,
        max_norm=max_norm,
        clip=clip,
        L2=L2,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        use_averages=use_averages,
    )


def _scaled(schedule: FloatOrSeq, factor: float) -> Any:
    if isinstance(schedule, (int, float)):
        return schedule * factor
    return (value * factor for value in schedule)


def warmup_linear(initial_rate: float, warmup: float, total_steps: int) -> Iterator[float]:
    """The schedule "spacy-docre.warmup_linear.v1": up from zero over the first steps, then down to
    zero in a straight line.

    initial_rate (float): The highest rate.
    warmup (float): The share of the steps that the rate goes up, in 0..1.
    total_steps (int): The number of steps; the rate is zero after them. 0 is for the callback
        "spacy-docre.train_epochs.v1", which replaces it.
    YIELDS (float): The rate of each step.
    RAISES (DocreError): If there is a second step, but `total_steps` is still 0.
    """
    warmup_steps = int(warmup * total_steps)
    step = 0
    while True:
        # An optimizer takes the first rate when it is made.
        if step and not total_steps:
            raise DocreError(Errors.D174)
        if step < warmup_steps:
            yield initial_rate * step / warmup_steps
        else:
            left = max(0, total_steps - step)
            yield initial_rate * left / max(1, total_steps - warmup_steps)
        step += 1


@dataclass(frozen=True)
class Gradients:
    """All gradients of models.

    tensors (list[Tensor]): The gradients themselves, not copies.
    norm (Tensor): [] float. Their joint norm, still on the device; zero without gradients.
    """

    tensors: list[Tensor]
    norm: Tensor

    @classmethod
    def of(cls, models: list[Model]) -> "Gradients":
        """models (list[Model]): The models, with their sublayers and PyTorch modules.
        RETURNS (Gradients): Their gradients.
        """
        tensors = []
        for model in models:
            for node in model.walk():
                own = (node.get_grad(name) for name in node.param_names if node.has_grad(name))
                tensors += [xp2torch(gradient) for gradient in own]
                modules = (shim._model for shim in node.shims if shim._model is not None)
                tensors += _gradients(p for module in modules for p in module.parameters())
        return cls.of_tensors(tensors)

    @classmethod
    def of_tensors(cls, tensors: list[Tensor]) -> "Gradients":
        """tensors (list[Tensor]): The gradients.
        RETURNS (Gradients): The gradients with their norm.
        """
        return cls(tensors, torch.nn.utils.get_total_norm(tensors))

    def clip(self, max_norm: float) -> None:
        """Scale the gradients down so that their norm is at most `max_norm`, without waiting for
        the device. A norm that is not finite leaves them as they are.

        max_norm (float): The largest norm.
        """
        if self.tensors:
            scale = torch.where(self.norm.isfinite(), (max_norm / self.norm).clamp(max=1.0), 1.0)
            torch._foreach_mul_(self.tensors, scale)


def gradients_of_parts(encoder: Model, head: Model) -> list[Gradients]:
    """The gradients of each part of a method: of parameters of the head, see `RelationHead.parts`,
    and of the encoder that they read. The first part has the encoder, or the first of two.

    encoder (Model): The encoder.
    head (Model): The head.
    RETURNS (list[Gradients]): One for each part.
    """
    encoders = list(encoder.layers) if encoder.name == TWIN else [encoder]
    parts = []
    for number, parameters in enumerate(relation_head(head).parts()):
        of_encoder = Gradients.of(encoders[number : number + 1]).tensors
        parts.append(Gradients.of_tensors([*of_encoder, *_gradients(parameters)]))
    return parts


def _gradients(parameters: Iterable[Tensor]) -> list[Tensor]:
    return [p.grad for p in parameters if p.grad is not None]


def scalers_of(model: Model) -> list[PyTorchGradScaler]:
    """The scalers of 16-bit gradients.

    model (Model): The model, with its sublayers.
    RETURNS (list[PyTorchGradScaler]): One for each PyTorch module.
    """
    shims = (shim for node in model.walk() for shim in node.shims)
    return [shim._grad_scaler for shim in shims if isinstance(shim, PyTorchShim)]


def drop_gradients(model: Model) -> None:
    """Take away all gradients of a model. Thinc sets them to zero after an update, and Adam would
    move parameters of which the next loss makes no use by momentum and weight decay.

    model (Model): The model, with its sublayers and PyTorch modules.
    """
    for node in model.walk():
        for name in node.param_names:
            node._params._grads.pop((node.id, name), None)
        for shim in node.shims:
            if isinstance(shim, PyTorchShim) and shim._model is not None:
                shim._model.zero_grad(set_to_none=True)
