"""Rounding the weights of a model to what can be stored in a quarter or in half of the space."""

from typing import cast

import torch
from thinc.api import Model, PyTorchShim, torch2xp, xp2torch
from thinc.types import FloatsXd

from .precision import PrecisionShim
from .storage import POWER_OF_TWO, Bits, rounded


def compress_model(model: Model, bits: Bits) -> None:
    """Round the weights of a model, so that they are saved in a smaller form, see `rounded`;
    vectors (biases, normalisation) stay as they are. PyTorch modules of this package are saved so.
    All other layers have files of their own form, which stays; there scales are powers of two, so
    that a ZIP archive, which a wheel is, makes them small.

    model (Model): The model.
    bits (int): 8 or 16.
    """
    for node in model.walk():
        for name in node.param_names:
            weights = xp2torch(node.get_param(name)) if node.has_param(name) else None
            if weights is not None and weights.dim() > 1:
                # The first axis may be short, and scales that are not stored cost nothing.
                rows = weights.reshape(-1, weights.shape[-1])
                found = rounded(rows, bits, free_bits=POWER_OF_TWO).reshape(weights.shape)
                node.set_param(name, cast(FloatsXd, torch2xp(found)))
        for shim in node.shims:
            if isinstance(shim, PyTorchShim) and getattr(shim, "_model", None) is not None:
                settings = {} if isinstance(shim, PrecisionShim) else {"free_bits": POWER_OF_TWO}
                with torch.no_grad():
                    for parameter in shim._model.parameters():
                        parameter.copy_(rounded(parameter, bits, **settings))
