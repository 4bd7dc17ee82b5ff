"""How weights lie in a file: as 8-bit integers by row with their scales, as 16-bit numbers, or as
they are, whichever is the smallest form that gives every one of them back to the bit."""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from safetensors.torch import save
from torch import Tensor

from .weights import FormatError, read_tensors

Bits = Literal[8, 16]
# What follows a tensor's name if it is not stored as it is. No name in a PyTorch module ends so.
INT8, SCALES, FLOAT16 = ":int8", ":scales", ":float16"
LARGEST = 127
# Shorter rows gain less by their integers than their scale costs.
MIN_ROW = 16
# Of a scale's 24 significant bits, how many are 0. With eight, its product with any of the integers
# has room in a float, so that integers and scales can be found again from the weights. With all but
# the first, scales are powers of two, and of the weights' bytes every other one is 0 in any format.
FREE_BITS = 8
POWER_OF_TWO = 23


def rounded(tensor: Tensor, bits: Bits, *, free_bits: int = FREE_BITS) -> Tensor:
    """The weights that remain of a tensor in a smaller form. To round them again changes nothing.

    tensor (Tensor): [N, ...] float32.
    bits (int): 8 for integers by row, each times its row's scale s: with w' for w,
        |w - w'| <= s / 2, where s is the row's largest |w| / 127, at most 2^-15 of it more. 16 for
        16-bit floating point numbers.
    free_bits (int): How many of the last bits of a scale are 0; with 23, which is all of them, s is
        up to twice as large.
    RETURNS (Tensor): [N, ...] float32. The same tensor if it is a vector, if its rows are short, or
        if its values are not finite or too large.
    """
    if not _is_matrix(tensor) or not tensor.isfinite().all():
        return tensor
    found = _by_row(tensor, free_bits) if bits == 8 else _in_half(tensor)
    return found if found.isfinite().all() else tensor


def write_weights(tensors: Mapping[str, Tensor]) -> bytes:
    """Write tensors as safetensors, each in the smallest form that loses nothing.

    tensors (Mapping[str, Tensor]): The tensors by name.
    RETURNS (bytes): What `read_weights` reads.
    """
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if _remains(tensor, _by_row):
            stored[name + INT8], stored[name + SCALES] = _quantize(tensor)
        elif _remains(tensor, _in_half):
            stored[name + FLOAT16] = tensor.half()
        else:
            stored[name] = tensor
    return save(stored)


def read_weights(data: object) -> dict[str, Tensor]:
    """Read tensors from what `write_weights` gave, from other safetensors, or from a file of
    `torch.save` without running what it says.

    data (bytes): The data.
    RETURNS (dict[str, Tensor]): The tensors by name, those in a smaller form restored to float32.
    RAISES (FormatError): If it is something else, or if a form is not whole.
    """
    stored = read_tensors(data)
    weights = {n: t for n, t in stored.items() if not n.endswith((INT8, SCALES, FLOAT16))}
    for name, tensor in stored.items():
        if name.endswith(INT8):
            base = name.removesuffix(INT8)
            restored = _dequantize(base, tensor, stored.get(base + SCALES))
        elif name.endswith(FLOAT16):
            base = name.removesuffix(FLOAT16)
            if tensor.dtype != torch.float16:
                raise FormatError(f"the tensor '{name}' is of the type {tensor.dtype}")
            restored = tensor.float()
        else:
            if name.endswith(SCALES) and name.removesuffix(SCALES) + INT8 not in stored:
                raise FormatError(f"the integers that '{name}' belongs to are missing")
            continue
        if base in weights:
            raise FormatError(f"the tensor '{base}' is there twice")
        weights[base] = restored
    return weights


def _dequantize(name: str, values: Tensor, scales: Tensor | None) -> Tensor:
    if values.dtype != torch.int8 or values.dim() < 2:
        raise FormatError(f"the tensor '{name}{INT8}' is no matrix of 8-bit integers")
    if scales is None:
        raise FormatError(f"the scales of the tensor '{name}' are missing")
    if scales.dtype != torch.float32 or scales.shape != values.shape[:1]:
        kind = f"{scales.dtype} {list(scales.shape)} instead of float32 [{len(values)}]"
        raise FormatError(f"the scales of the tensor '{name}' are {kind}")
    if not (scales.isfinite() & (scales > 0)).all():
        raise FormatError(f"of the scales of the tensor '{name}' some are not positive numbers")
    if (values < -LARGEST).any():
        raise FormatError(f"the tensor '{name}{INT8}' has integers below -{LARGEST}")
    return (values.flatten(1) * scales[:, None]).view(values.shape)


def _quantize(tensor: Tensor, free_bits: int = FREE_BITS) -> tuple[Tensor, Tensor]:
    rows = tensor.detach().flatten(1)
    scales = (rows.abs().amax(1) / LARGEST).clamp(min=torch.finfo(torch.float32).tiny)
    free = (1 << free_bits) - 1
    # The next number of that many bits, upwards, so that no integer is larger than 127.
    scales = ((scales.view(torch.int32) + free) & ~free).view(torch.float32)
    return (rows / scales[:, None]).round().to(torch.int8).view(tensor.shape), scales


def _by_row(tensor: Tensor, free_bits: int = FREE_BITS) -> Tensor:
    values, scales = _quantize(tensor, free_bits)
    return (values.flatten(1) * scales[:, None]).view(tensor.shape)


def _in_half(tensor: Tensor) -> Tensor:
    return tensor.detach().half().float()


def _remains(tensor: Tensor, form: Callable[[Tensor], Tensor]) -> bool:
    if not _is_matrix(tensor):
        return False
    # Of most weights a few rows tell that they do not.
    some = tensor[:: max(1, len(tensor) // 3)]
    return torch.equal(form(some), some) and torch.equal(form(tensor), tensor)


def _is_matrix(tensor: Tensor) -> bool:
    is_long = tensor.dim() > 1 and tensor.numel() >= MIN_ROW * len(tensor) > 0
    return is_long and tensor.dtype == torch.float32
