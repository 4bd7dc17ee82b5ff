"""Optimizer and schedule for training an encoder and a head together."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from thinc.api import Model, Ops, Optimizer, PyTorchGradScaler, PyTorchShim, xp2torch
from thinc.optimizers import FloatOrSeq
from torch import Tensor


class PartwiseAdamW(Optimizer):
    """Adam with decoupled weight decay (AdamW) as PyTorch computes it, which gives the head a
    learning rate of its own, and clips the gradient by its norm over all parameters, where Thinc's
    optimizers clip each parameter by itself.

    learn_rate (FloatOrSeq): The encoder's learning rate, or a schedule of it.
    head_factor (float): The head's learning rate, as a multiple of the encoder's.
    max_norm (float): Scale the gradient of all parameters down to this norm; 0 leaves it.
    **settings (Any): Further arguments of Thinc's `Optimizer`.
    """

    __slots__ = ("head_factor", "max_norm")

    def __init__(
        self, learn_rate: FloatOrSeq, *, head_factor: float, max_norm: float, **settings: Any
    ) -> None:
        super().__init__(learn_rate, grad_clip=0.0, L2_is_weight_decay=True, **settings)
        self.head_factor = head_factor
        self.max_norm = max_norm

    def update_parts(self, encoder: Model, head: Model, gradients: "Gradients") -> None:
        """Apply the gradients of an encoder and of the head on it.

        encoder (Model): The encoder.
        head (Model): The head.
        gradients (Gradients): Those of both.
        """
        if self.max_norm:
            gradients.clip(self.max_norm)
        encoder.finish_update(self)
        base = self.learn_rate
        self.learn_rate = base * self.head_factor
        head.finish_update(self)
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
    learn_rate: FloatOrSeq = 5e-5,
    *,
    head_factor: float = 1.0,
    L2: float = 0.01,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    max_norm: float = 1.0,
    use_averages: bool = False,
) -> PartwiseAdamW:
    """The optimizer "spacy-docre.AdamW.v1"; see `PartwiseAdamW`.

    learn_rate (FloatOrSeq): The encoder's learning rate, or a schedule of it.
    head_factor (float): The head's learning rate, as a multiple of the encoder's.
    L2 (float): Weight decay.
    beta1 (float): Decay of the first moment.
    beta2 (float): Decay of the second moment.
    eps (float): Added to the root of the second moment.
    max_norm (float): The largest norm of the gradient over all parameters; 0 sets no limit.
    use_averages (bool): Keep moving averages of the parameters for evaluation.
    RETURNS (PartwiseAdamW): The optimizer.
    """
    return PartwiseAdamW(
        learn_rate,
        head_factor=head_factor,
        max_norm=max_norm,
        L2=L2,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        use_averages=use_averages,
    )


def warmup_linear(initial_rate: float, warmup: float, total_steps: int) -> Iterator[float]:
    """The schedule "spacy-docre.warmup_linear.v1": up from zero over the first steps, then down to
    zero in a straight line.

    initial_rate (float): The highest rate.
    warmup (float): The share of the steps that the rate goes up, in 0..1.
    total_steps (int): The number of steps; the rate is zero after them.
    YIELDS (float): The rate of each step.
    """
    warmup_steps = int(warmup * total_steps)
    step = 0
    while True:
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
                tensors += [p.grad for m in modules for p in m.parameters() if p.grad is not None]
        return cls(tensors, torch.nn.utils.get_total_norm(tensors))

    def clip(self, max_norm: float) -> None:
        """Scale the gradients down so that their norm is at most `max_norm`, without waiting for
        the device. A norm that is not finite leaves them as they are.

        max_norm (float): The largest norm.
        """
        if self.tensors:
            scale = torch.where(self.norm.isfinite(), (max_norm / self.norm).clamp(max=1.0), 1.0)
            torch._foreach_mul_(self.tensors, scale)


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
