"""Optional dependencies."""

from typing import Any

AutoModel: Any = None
HFObjects: Any = None
HFShim: Any = None
huggingface_from_pretrained: Any = None

try:
    from spacy_transformers.data_classes import HFObjects
    from spacy_transformers.layers.hf_shim import HFShim
    from spacy_transformers.layers.transformer_model import huggingface_from_pretrained
    from transformers import AutoModel

    has_transformers = True
except ImportError:
    has_transformers = False

__all__ = ["AutoModel", "HFObjects", "HFShim", "has_transformers", "huggingface_from_pretrained"]
