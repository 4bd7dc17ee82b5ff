"""Saving a Hugging Face encoder as data, and loading it without running any of it."""

import json
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import srsly
import torch
from thinc.api import Optimizer, get_torch_default_device
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from ...errors import Warnings
from ..compat import HFObjects, HFShim
from ..compiled import CompiledEncoder
from ..precision import PrecisionShim
from ..storage import read_weights, write_weights
from ..weights import FormatError, check_weights, read_message
from .architecture import try_encoder
from .graph import input_names
from .saved_tokenizer import check_tokenizer, load_tokenizer
from .sealed import sealed
from .sizes import build_without_memory, check_numbers
from .trust import asks_for_code, check_config, harmless

KEYS = ("config", "state", "tokenizer", "_init_tokenizer_config", "_init_transformer_config")
# Numbers from 0 on, which versions of transformers save or do not.
OPTIONAL = ("position_ids", "token_type_ids")


class SafetensorsShim(PrecisionShim, HFShim):
    """spacy-transformers' shim with the weights as safetensors: data, nothing that loading could
    run. Reads what `HFShim` wrote, too, but otherwise than it: only architectures and settings
    that `trust` lets through, no file from outside of the model, no code that comes with a model,
    nothing from the hub, and weights must be those of the model. Computes in the precision of
    `PrecisionShim`; at inference on a CPU, a compiled encoder computes instead if there is one."""

    _compiled: CompiledEncoder | None = None

    @property
    def compiled(self) -> CompiledEncoder | None:
        """The compiled encoder, where it can be used."""
        if self._compiled is None or self.device.type != "cpu":
            return None
        compiled = self._current()
        return compiled if compiled is not None and compiled.can_run(self._model) else None

    @compiled.setter
    def compiled(self, compiled: CompiledEncoder | None) -> None:
        self._compiled = compiled

    def finish_update(self, optimizer: Optimizer) -> None:
        """See `PrecisionShim.finish_update`."""
        super().finish_update(optimizer)
        # PyTorch does not count what changes in a parameter's `data`.
        if self._compiled is not None:
            self._compiled.forget()

    def _current(self) -> CompiledEncoder | None:
        if self._compiled is not None and not self._compiled.is_of(self._model):
            warnings.warn(Warnings.DW71, stacklevel=2)
            self._compiled = None
        return self._compiled

    def to_bytes(self) -> bytes:
        """Tokenizer, configuration and weights."""
        msg = srsly.msgpack_loads(super().to_bytes())
        if msg["state"]:
            # Safetensors takes no tensors that share memory.
            state = self._model.state_dict()
            msg["state"] = write_weights({name: t.detach().clone() for name, t in state.items()})
        compiled = self._current()
        if compiled is not None:
            msg["compiled"] = compiled.to_message()
        return srsly.msgpack_dumps(msg)

    def from_bytes(self, bytes_data: bytes) -> "SafetensorsShim":
        """Build tokenizer and transformer and load the weights. What fails leaves those that there
        are.

        bytes_data (bytes): What `to_bytes` gave.
        RETURNS (SafetensorsShim): The shim.
        RAISES (FormatError): If it is something else.
        """
        msg = check_encoder(bytes_data)
        if not msg["config"]:
            settings = msg["_init_tokenizer_config"], msg["_init_transformer_config"]
            self._hfmodel = HFObjects(None, None, None, *settings)
            self._compiled = None
            return self
        weights = read_weights(msg["state"])
        with sealed():
            self._load(msg, weights)
        return self

    def _load(self, msg: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> None:
        settings = harmless(msg["config"])
        check_numbers(settings, weights)
        config = CONFIG_MAPPING[settings["model_type"]].from_dict(settings)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "config.json"
            path.write_text(json.dumps(settings), encoding="utf8")
            tokenizer, vocabulary = load_tokenizer(
                msg["tokenizer"], Path(folder), self.tokenizer_cls
            )
        build = partial(self.model_cls.from_config, config, trust_remote_code=False)
        expected = build_without_memory(build, weights)
        check_weights(weights, expected, optional=OPTIONAL, same_dtype=False)
        transformer = build()
        transformer.load_state_dict(weights, strict=False)
        try_encoder(transformer)
        compiled = None
        if msg.get("compiled") is not None:
            names, state = input_names(transformer), transformer.state_dict()
            compiled = CompiledEncoder.from_message(msg["compiled"], names, state)
            compiled.trust(transformer)
        self._compiled = compiled
        self._hfmodel = HFObjects(tokenizer, transformer, vocabulary, {}, {})
        self._model = transformer.to(get_torch_default_device())


def check_encoder(bytes_data: Any) -> dict[str, Any]:
    """Read what an `HFShim` saved, and check its settings before anything is built from them.

    bytes_data (bytes): What its `to_bytes` gave.
    RETURNS (dict[str, Any]): Its parts.
    RAISES (FormatError): If it is something else, or if its settings say more than they may.
    """
    msg = read_message(bytes_data, KEYS)
    if any(not isinstance(msg[key], dict) for key in KEYS if key != "state"):
        raise FormatError("configuration or tokenizer are missing")
    for key in ("_init_tokenizer_config", "_init_transformer_config"):
        name = asks_for_code(msg[key])
        if name is not None:
            raise FormatError(f"the setting '{name}' can run code, which no saved model may")
    if msg["config"]:
        check_config(msg["config"])
        check_tokenizer(msg["tokenizer"], msg["config"].get("tokenizer_class"))
    return msg
