"""A head that is given more relation types than it was built with."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
from thinc.api import Model
from thinc.shims.shim import Shim
from torch import Tensor, nn

from ..errors import DocreError, Errors
from .torch_module import lazy_shim


def resize_output(model: Model, n_labels: int) -> Model:
    """Give the head of a relation model more outputs: spaCy's `model.attrs["resize_output"]`. The
    known types keep their places and scores, the new ones come after them.

    model (Model[tuple[list[Doc], ClusterBatch], HeadOutput]): The model. If its head has not been
        built, that is left to the initialisation.
    n_labels (int): The number of relation types, at least that of now.
    RETURNS (Model[tuple[list[Doc], ClusterBatch], HeadOutput]): The same model.
    """
    layer = model.get_ref("head")
    shim = lazy_shim(layer)
    if not shim.is_built:
        return model
    old = shim.require_built()
    sizes = {**shim.cfg, "n_labels": n_labels}
    device = next(old.parameters()).device
    head: Any = shim.make(**sizes).to(device)
    head.take_over(old, shim.cfg["n_labels"], n_labels)
    shim.cfg, shim._model = sizes, head.train(old.training)
    # An optimizer keeps moments by this number, and those of before have other shapes.
    shim.id = Shim(None).id
    layer.set_dim("nO", n_labels, force=True)
    return model


def take_over(new: nn.Module, old: nn.Module, n_before: int, n_labels: int) -> None:
    """Give a module the tensors of the same module for fewer relation types; see
    `RelationHead.take_over`. What has the same shape in both becomes common to both.

    new (nn.Module): The module that is changed.
    old (nn.Module): The one with fewer types, of no use afterwards.
    n_before (int): The number of its types.
    n_labels (int): The number of types of `new`, larger.
    RAISES (DocreError): If a tensor has an axis that is longer by something else than types.
    """
    tensors = dict(chain(old.named_parameters(), old.named_buffers()))
    for name, tensor in list(chain(new.named_parameters(), new.named_buffers())):
        before = tensors[name]
        owner, _, attribute = name.rpartition(".")
        module = new.get_submodule(owner)
        if before.shape == tensor.shape:
            setattr(module, attribute, before)
            continue
        places = [
            _places(*sizes, n_before, n_labels, name)
            for sizes in zip(before.shape, tensor.shape, strict=True)
        ]
        with torch.no_grad():
            tensor.copy_(_with_values(tensor, before, places))
            if before.grad is not None:
                tensor.grad = _with_values(torch.zeros_like(tensor), before.grad, places)


def _places(before: int, now: int, n_before: int, n_labels: int, name: str) -> Tensor:
    """[before] int64. Where the entries of an axis are to be found in the longer one."""
    if before == now:
        return torch.arange(before)
    n_copies, rest = divmod(now - before, n_labels - n_before)
    n_others = before - n_copies * n_before
    if rest or n_others < 0:
        raise DocreError(Errors.D173.format(name=name, before=before, now=now))
    starts = n_others + n_labels * torch.arange(n_copies)
    of_types = starts[:, None] + torch.arange(n_before)
    return torch.cat([torch.arange(n_others), of_types.flatten()])


def _with_values(larger: Tensor, values: Tensor, places: Sequence[Tensor]) -> Tensor:
    """A copy of a tensor with other values in some places, and zero beyond the first axis where
    these do not reach."""
    result = larger.clone()
    for axis, entries in enumerate(places[1:], start=1):
        is_new = torch.ones(result.shape[axis], dtype=torch.bool)
        is_new[entries] = False
        result.movedim(axis, 0)[is_new.to(result.device)] = 0
    grid = torch.meshgrid(*(entries.to(result.device) for entries in places), indexing="ij")
    result[grid] = values
    return result
