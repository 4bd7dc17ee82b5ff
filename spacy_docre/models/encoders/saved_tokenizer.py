"""Reading a saved tokenizer from its own files alone."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from ..weights import FormatError
from .trust import LEADS_AWAY, ORIGIN, TEXT_ENCODERS, check_name, is_allowed, settings_in

# Files that transformers takes a tokenizer's settings from; the others are vocabularies.
SETTINGS = "tokenizer_config.json"
SETTINGS_FILES = (SETTINGS, "special_tokens_map.json")
# Files in which there are added tokens, and where in them.
WITH_ADDED = {"tokenizer.json": "added_tokens", "added_tokens.json": None}
# Tokenizers that encoders share: further keys of transformers' table.
OTHERS = "barthez bert-japanese bertweet byt5 gemma gpt2 herbert llama mbart50 mluke nllb phobert"
SHARED = frozenset(OTHERS.split())
GENERAL = ("PreTrainedTokenizer", "PreTrainedTokenizerFast")
# Settings whose text is that of tokens.
TOKENS = ("content", "chat_template", "added_tokens_decoder", "extra_special_tokens")
# Tokens that are added to the vocabulary, each of which transformers compares with all others.
MAX_ADDED = 10_000
# Numbers that say nothing about how much there is.
UNBOUNDED = ("model_max_length", "max_length")


def load_tokenizer(
    files: Mapping[str, Any], folder: Path, tokenizer_cls: Any
) -> tuple[Any, bytes | None]:
    """Build a tokenizer from what was saved. It reads no file that was not saved with it.

    files (Mapping[str, Any]): The contents of its files by their names, and its "kwargs".
    folder (Path): An empty folder to write them to, which holds the encoder's config.json.
    tokenizer_cls (type): transformers' `AutoTokenizer`.
    RETURNS (tuple[PreTrainedTokenizerBase, Optional[bytes]]): The tokenizer, and the file of its
        vocabulary if it has one.
    RAISES (FormatError): If a file would lie elsewhere, or if the settings name code, a path, an
        address or another tokenizer than those of text encoders.
    """
    for name, content in check_tokenizer(files).items():
        (folder / name).write_bytes(content)
    with panics_as_errors():
        tokenizer = tokenizer_cls.from_pretrained(
            str(folder), **files.get("kwargs", {}), trust_remote_code=False, local_files_only=True
        )
    check_tokenizer_class(type(tokenizer).__name__)
    vocabulary = folder / tokenizer.vocab_files_names.get("vocab_file", "")
    has_file = getattr(tokenizer, "vocab_file", None) is not None and vocabulary.is_file()
    return tokenizer, vocabulary.read_bytes() if has_file else None


def check_tokenizer(files: Mapping[str, Any], default_class: Any = None) -> dict[str, bytes]:
    """Check a saved tokenizer.

    files (Mapping[str, Any]): See `load_tokenizer`.
    default_class (Optional[str]): The class that the encoder's configuration names, for a tokenizer
        whose own settings name none.
    RETURNS (dict[str, bytes]): The files to write.
    RAISES (FormatError): See `load_tokenizer`.
    """
    kwargs = files.get("kwargs", {})
    if not isinstance(kwargs, dict) or not kwargs.keys() <= {"use_fast"}:
        raise FormatError(f"the settings of the tokenizer are {kwargs!r}")
    contents = {name: content for name, content in files.items() if name != "kwargs"}
    for name, content in contents.items():
        if not isinstance(name, str) or not isinstance(content, bytes) or not is_name(name):
            raise FormatError(f"the tokenizer has a file {name!r}")
        if name.endswith(".py") or name == "config.json":
            raise FormatError(f"the tokenizer has a file {name!r}, which belongs to none")
    size = sum(map(len, contents.values()))
    classes = {SETTINGS: default_class}
    for name in SETTINGS_FILES:
        if name in contents:
            settings = _check_settings(name, contents[name], contents.keys(), size)
            contents[name] = json.dumps(settings).encode()
            if settings.get("tokenizer_class") is not None:
                classes[name] = settings["tokenizer_class"]
    for tokenizer_class in classes.values():
        if tokenizer_class is not None:
            check_tokenizer_class(tokenizer_class)
    for name in WITH_ADDED.keys() & contents.keys():
        found, key = _read_settings(name, contents[name]), WITH_ADDED[name]
        _check_number(key or name, found if key is None else found.get(key, found))
    return contents


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """A context whose panics are errors. A panic is what the library `tokenizers`, which is written
    in Rust, raises for some of what it cannot do, and not an `Exception`.

    RAISES (FormatError): For a panic.
    """
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise FormatError(f"the tokenizer does not work ({error})") from None


def check_tokenizer_class(name: Any) -> None:
    """Check the class of a tokenizer.

    name (Any): The class's name.
    RAISES (FormatError): If no text encoder has it, and if the program did not register it with
        transformers.
    """
    from transformers.models.auto.tokenization_auto import (
        TOKENIZER_MAPPING,
        TOKENIZER_MAPPING_NAMES,
    )

    own = [cls for pair in TOKENIZER_MAPPING._extra_content.values() for cls in pair if cls]
    known = {base_name(cls.__name__) for cls in own} | {*map(base_name, GENERAL)}
    for model_type, names in TOKENIZER_MAPPING_NAMES.items():
        if model_type in TEXT_ENCODERS or model_type in SHARED or is_allowed(model_type):
            known |= {base_name(tokenizer) for tokenizer in names if tokenizer}
    if not isinstance(name, str) or base_name(name) not in known:
        raise FormatError(f"its tokenizer is a {name!r}, which is not one of a text encoder")


def base_name(tokenizer: str) -> str:
    """The name that the two classes of a tokenizer share, the slow and the fast one."""
    return tokenizer.removesuffix("Fast")


def is_name(text: str) -> bool:
    """Whether a text is the name of a file in a folder, and leads to no other folder on any system.

    text (str): The text.
    RETURNS (bool): Whether it is.
    """
    names = (PurePosixPath(text).name, PureWindowsPath(text).name)
    return names == (text, text) and text not in ("", ".", "..") and text.isprintable()


def _check_settings(file: str, data: bytes, names: Any, size: int) -> dict[str, Any]:
    settings = _read_settings(file, data)
    # Transformers finds the files by itself; a name would be looked for in the current folder.
    settings = {
        name: value
        for name, value in settings.items()
        if not (_names_files(name) and _is_in(value, names)) and name not in ORIGIN
    }
    for path, name, value in settings_in(settings):
        if _names_files(name) and value is not None:
            raise FormatError(f"the tokenizer's '{path}' = {value!r} is not one of its files")
        check_name(path, name, value)
        _check_number(path, value)
        is_token = name in TOKENS or name.endswith(("_token", "_tokens"))
        if isinstance(value, str) and not is_token and LEADS_AWAY.search(value):
            raise FormatError(f"the tokenizer's '{path}' = {value!r} is a path or an address")
        is_number = isinstance(value, int | float) and name not in UNBOUNDED
        if is_number and abs(value) > max(size, 1000):
            raise FormatError(f"the tokenizer's '{path}' = {value!r} is more than it can hold")
    return settings


def _read_settings(file: str, data: bytes) -> dict[str, Any]:
    try:
        settings = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the tokenizer's {file} cannot be read ({error})") from None
    if not isinstance(settings, dict):
        raise FormatError(f"the tokenizer's {file} holds no settings")
    return settings


def _check_number(path: str, value: Any) -> None:
    if isinstance(value, list | dict) and len(value) > MAX_ADDED:
        raise FormatError(f"the tokenizer's '{path}' has {len(value)} parts")


def _names_files(name: str) -> bool:
    return name.endswith(("_file", "_files"))


def _is_in(value: Any, names: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return all(isinstance(part, str) and part in names for part in values)
