"""Saving a Hugging Face encoder's weights as data."""

from io import BytesIO

import srsly
import torch
from safetensors.torch import load, save

from ...compat import HFShim
from ..precision import PrecisionShim

# What the files of `torch.save` begin with.
ZIP = b"PK"


class SafetensorsShim(PrecisionShim, HFShim):
    """spacy-transformers' shim with the weights as safetensors: data, nothing that loading could
    run. Reads what `HFShim` wrote, too. Computes in the precision of `PrecisionShim`."""

    def to_bytes(self) -> bytes:
        """Tokenizer, configuration and weights."""
        msg = srsly.msgpack_loads(super().to_bytes())
        if msg["state"]:
            # Safetensors takes no tensors that share memory.
            state = self._model.state_dict()
            msg["state"] = save({name: t.detach().clone() for name, t in state.items()})
        return srsly.msgpack_dumps(msg)

    def from_bytes(self, bytes_data: bytes) -> "SafetensorsShim":
        """Build tokenizer and transformer and load the weights."""
        msg = srsly.msgpack_loads(bytes_data)
        if msg["state"] and not msg["state"].startswith(ZIP):
            # The base class reads PyTorch's own format only, and never from a file of ours.
            weights = BytesIO()
            torch.save(load(msg["state"]), weights)
            msg["state"] = weights.getvalue()
        return super().from_bytes(srsly.msgpack_dumps(msg))
