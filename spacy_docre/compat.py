"""Optional dependencies."""

from typing import Any

HFObjects: Any = None
HFShim: Any = None
huggingface_from_pretrained: Any = None

try:
    from spacy_transformers.data_classes import HFObjects
    from spacy_transformers.layers.hf_shim import HFShim
    from spacy_transformers.layers.transformer_model import huggingface_from_pretrained

    has_transformers = True
except ImportError:
    has_transformers = False

__all__ = ["HFObjects", "HFShim", "has_transformers", "huggingface_from_pretrained"]
