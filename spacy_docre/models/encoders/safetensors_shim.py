"""Saving a Hugging Face encoder as data, and loading it without running any of it."""

import json
from pathlib import Path, PurePosixPath, PureWindowsPath
from tempfile import TemporaryDirectory
from typing import Any

import srsly
import torch
from safetensors.torch import save
from thinc.api import get_torch_default_device

from ..compat import HFObjects, HFShim
from ..precision import PrecisionShim
from ..weights import FormatError, check_weights, read_message, read_weights

KEYS = ("config", "state", "tokenizer", "_init_tokenizer_config", "_init_transformer_config")
# Numbers from 0 on, which versions of transformers save or do not.
OPTIONAL = ("position_ids", "token_type_ids")


class SafetensorsShim(PrecisionShim, HFShim):
    """spacy-transformers' shim with the weights as safetensors: data, nothing that loading could
    run. Reads what `HFShim` wrote, too, but otherwise than it: no file of the tokenizer gets out of
    its folder, no program comes with a model or from the hub, and weights must be those of the
    model. Computes in the precision of `PrecisionShim`."""

    def to_bytes(self) -> bytes:
        """Tokenizer, configuration and weights."""
        msg = srsly.msgpack_loads(super().to_bytes())
        if msg["state"]:
            # Safetensors takes no tensors that share memory.
            state = self._model.state_dict()
            msg["state"] = save({name: t.detach().clone() for name, t in state.items()})
        return srsly.msgpack_dumps(msg)

    def from_bytes(self, bytes_data: bytes) -> "SafetensorsShim":
        """Build tokenizer and transformer and load the weights. What fails leaves those that there
        are.

        bytes_data (bytes): What `to_bytes` gave.
        RETURNS (SafetensorsShim): The shim.
        RAISES (FormatError): If it is something else.
        """
        msg = read_message(bytes_data, KEYS)
        if any(not isinstance(msg[key], dict) for key in KEYS if key != "state"):
            raise FormatError("configuration or tokenizer are missing")
        if not msg["config"]:
            settings = msg["_init_tokenizer_config"], msg["_init_transformer_config"]
            self._hfmodel = HFObjects(None, None, None, *settings)
            return self
        weights = read_weights(msg["state"])
        with TemporaryDirectory() as folder:
            config = self._load_config(Path(folder), msg["config"], len(weights))
            tokenizer, vocabulary = self._load_tokenizer(Path(folder), msg["tokenizer"])
        # Without memory for its weights, whose sizes may be any.
        with torch.device("meta"):
            expected = self.model_cls.from_config(config, trust_remote_code=False).state_dict()
        check_weights(weights, expected, optional=OPTIONAL, same_dtype=False)
        transformer = self.model_cls.from_config(config, trust_remote_code=False)
        transformer.load_state_dict(weights, strict=False)
        self._hfmodel = HFObjects(tokenizer, transformer, vocabulary, {}, {})
        self._model = transformer.to(get_torch_default_device())
        return self

    def _load_config(self, folder: Path, config: dict[str, Any], n_weights: int) -> Any:
        for name, value in config.items():
            if "layers" in name and isinstance(value, int) and value > n_weights:
                raise FormatError(f"it has {n_weights} tensors for '{name}' = {value}")
            if name.endswith("attn_implementation") and "/" in str(value):
                raise FormatError(f"'{name}' = {value!r} is a program from the hub")
        path = folder / "config.json"
        path.write_text(json.dumps(config), encoding="utf8")
        return self.config_cls.from_pretrained(path, trust_remote_code=False)

    def _load_tokenizer(self, folder: Path, saved: dict[str, Any]) -> tuple[Any, bytes | None]:
        settings = saved.get("kwargs", {})
        if not isinstance(settings, dict) or not settings.keys() <= {"use_fast"}:
            raise FormatError(f"the settings of the tokenizer are {settings!r}")
        for name, content in saved.items():
            if name == "kwargs":
                continue
            if not isinstance(name, str) or not isinstance(content, bytes) or not is_name(name):
                raise FormatError(f"the tokenizer has a file {name!r}")
            (folder / name).write_bytes(content)
        tokenizer = self.tokenizer_cls.from_pretrained(
            str(folder), **settings, trust_remote_code=False, local_files_only=True
        )
        vocabulary = None
        if hasattr(tokenizer, "vocab_file"):
            vocabulary = (folder / tokenizer.vocab_files_names["vocab_file"]).read_bytes()
        return tokenizer, vocabulary


def is_name(text: str) -> bool:
    """Whether a text is the name of a file in a folder, and leads to no other folder on any system.

    text (str): The text.
    RETURNS (bool): Whether it is.
    """
    names = (PurePosixPath(text).name, PureWindowsPath(text).name)
    return names == (text, text) and text not in ("", ".", "..") and text.isprintable()
