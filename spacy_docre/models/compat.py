"""Optional dependencies."""

from typing import Any

AutoModel: Any = None
HFObjects: Any = None
HFShim: Any = None

try:
    from spacy_transformers.data_classes import HFObjects
    from spacy_transformers.layers.hf_shim import HFShim
    from transformers import AutoModel

    has_transformers = True
except ImportError:
    has_transformers = False

__all__ = ["AutoModel", "HFObjects", "HFShim", "has_transformers"]
