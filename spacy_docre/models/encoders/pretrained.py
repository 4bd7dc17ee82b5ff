"""Getting a pretrained encoder for training: from a folder or from the hub, but never its code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import constants, try_to_load_from_cache
from huggingface_hub.utils import HFValidationError, get_session, validate_repo_id
from thinc.api import get_torch_default_device
from transformers import AutoTokenizer, PretrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from ...errors import DocreError, Errors, shortened
from ..compat import HFObjects
from ..weights import FormatError
from .architecture import REFUSED, TextEncoder, try_encoder
from .saved_tokenizer import check_tokenizer_class
from .trust import harmless, is_allowed, says_nothing

# Arguments that say where to find a model rather than what it is like.
SOURCE = (
    *("cache_dir", "force_download", "local_files_only", "proxies", "revision", "subfolder"),
    *("token", "use_auth_token"),
)
# Seconds that the hub has to answer at all.
PATIENCE = 5.0
UNKNOWN = (
    "it is not one of the text encoders that this package knows. Take one that reads text from "
    "both sides, for example 'bert', 'roberta', 'xlm-roberta', 'electra', 'deberta-v2', "
    "'modernbert', or an encoder-decoder, whose encoder half is taken, such as 't5' or 'bart'"
)


def load_pretrained(
    name: str, tokenizer_config: Mapping[str, Any], transformer_config: Mapping[str, Any]
) -> tuple[Any, int]:
    """Load a pretrained encoder and its tokenizer, and nothing else: code that comes with them is
    not run, and nobody is asked whether it should be.

    name (str): A model's name on the Hugging Face hub, or the path of one on disk.
    tokenizer_config (Mapping[str, Any]): Arguments of the tokenizer's `from_pretrained`.
    transformer_config (Mapping[str, Any]): Settings of the model's configuration.
    RETURNS (tuple[HFObjects, int]): spacy-transformers' record of the tokenizer and the encoder,
        and the width of its states.
    RAISES (DocreError): If there is none of that name, or if it is not one that can be used.
    """
    given = {key: value for key, value in transformer_config.items() if key in SOURCE}
    source = find_source(name, given)
    config = load_config(name, {**transformer_config, **source, "return_dict": True})
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            name, **{**source, **tokenizer_config, "trust_remote_code": False}
        )
        check_tokenizer_class(type(tokenizer).__name__)
        # What no saved model may hold is not saved with this one.
        tokenizer.init_kwargs = {
            setting: value
            for setting, value in tokenizer.init_kwargs.items()
            if setting in tokenizer.vocab_files_names or says_nothing(setting, value)
        }
        transformer = TextEncoder.from_pretrained(
            name, config=config, trust_remote_code=False, **source
        )
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise _unavailable(name, error) from None
    try:
        width = try_encoder(transformer)
    except FormatError as error:
        message = Errors.D163.format(name=name, model_type=config.model_type, reason=error)
        raise DocreError(message) from None
    path = getattr(tokenizer, "vocab_file", None)
    vocabulary = None if path is None else Path(path).read_bytes()
    transformer.to(get_torch_default_device())
    return HFObjects(tokenizer, transformer, vocabulary), width


def find_source(name: str, source: Mapping[str, Any]) -> dict[str, Any]:
    """Find out where a model can be had, before anything waits for a hub that does not answer.

    name (str): A model's name on the Hugging Face hub, or the path of one on disk.
    source (Mapping[str, Any]): Where the user says to find it: some of `SOURCE`.
    RETURNS (dict[str, Any]): The same; and to look at the hub's cache alone, if it cannot be
        reached.
    RAISES (DocreError): If there is no such folder, and it is not a name of the hub either; or if
        the hub cannot be reached and its cache does not have the model.
    """
    if Path(name).is_dir():
        return dict(source)
    try:
        validate_repo_id(name)
    except HFValidationError:
        raise DocreError(Errors.D161.format(name=name, reason="there is no such folder")) from None
    if source.get("local_files_only") or not _is_hub_reachable(source.get("proxies")):
        found = try_to_load_from_cache(
            name,
            str(Path(source.get("subfolder", "")) / "config.json"),
            cache_dir=source.get("cache_dir"),
            revision=source.get("revision"),
        )
        if not isinstance(found, str):
            reason = "the hub cannot be reached, and its cache does not have the model"
            raise DocreError(Errors.D161.format(name=name, reason=reason))
        return {**source, "local_files_only": True}
    return dict(source)


def _is_hub_reachable(proxies: Any) -> bool:
    try:
        get_session().head(constants.ENDPOINT, timeout=PATIENCE, proxies=proxies)
    except OSError:
        return False
    return True


def load_config(name: str, settings: Mapping[str, Any]) -> PretrainedConfig:
    """Load the configuration of a pretrained encoder.

    name (str): A model's name on the Hugging Face hub, or the path of one on disk.
    settings (Mapping[str, Any]): Further settings, which win over its own.
    RETURNS (PretrainedConfig): The configuration.
    RAISES (DocreError): If there is none, or if its architecture is not one that can be used.
    """
    try:
        found, further = PretrainedConfig.get_config_dict(name, **settings)
    except (OSError, ValueError) as error:
        raise _unavailable(name, error) from None
    model_type: Any = found.get("model_type")
    if model_type is None:
        reason = "there is no config.json that gives its `model_type`"
        raise DocreError(Errors.D161.format(name=name, reason=reason))
    if not is_allowed(model_type):
        reason = REFUSED.get(model_type, UNKNOWN)
        raise DocreError(Errors.D160.format(name=name, model_type=model_type, reason=reason))
    further.pop("trust_remote_code", None)
    config: PretrainedConfig = CONFIG_MAPPING[model_type].from_dict(harmless(found), **further)
    return config


def _unavailable(name: str, error: Exception) -> DocreError:
    reason = shortened(str(error).strip().partition("\n")[0]).rstrip(".")
    return DocreError(Errors.D161.format(name=name, reason=reason))
