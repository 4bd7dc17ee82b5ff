"""Encoders, heads, and the model that joins them. What a head of another package needs is exported
here, and imported when it is asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .encoders.trust import allow_encoders
    from .encoding import Encoding, HeadOutput, Targets
    from .torch_head import HeadSizes, RelationHead, TypewiseHead, build_head, head_factory

__all__ = [
    "Encoding",
    "HeadOutput",
    "HeadSizes",
    "RelationHead",
    "Targets",
    "TypewiseHead",
    "allow_encoders",
    "build_head",
    "head_factory",
]

_MODULES = {
    "Encoding": ".encoding",
    "HeadOutput": ".encoding",
    "HeadSizes": ".torch_head",
    "RelationHead": ".torch_head",
    "Targets": ".encoding",
    "TypewiseHead": ".torch_head",
    "allow_encoders": ".encoders.trust",
    "build_head": ".torch_head",
    "head_factory": ".torch_head",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
