"""Which pretrained encoders may be built from saved files, and what their settings may say: sizes
and switches, but never code, a path or an address."""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from typing import Any

from ..weights import FormatError

# Architectures of transformers that read text alone, from both sides: encoders, and the encoder
# half of encoder-decoders. By `model_type`, as in a model's config.json.
ARCHITECTURES = """
albert bart bert bert-generation big_bird bigbird_pegasus blenderbot blenderbot-small camembert
canine convbert data2vec-text deberta deberta-v2 distilbert electra ernie ernie_m esm flaubert
funnel ibert layoutlm lilt luke m2m_100 marian markuplm mbart mega megatron-bert mobilebert
modernbert mpnet mt5 mvp nezha nllb-moe nystromformer pegasus plbart prophetnet rembert roberta
roberta-prelayernorm roc_bert roformer splinter squeezebert switch_transformers t5 tapas umt5
visual_bert xlm xlm-prophetnet xlm-roberta xlm-roberta-xl xlnet xmod
"""
TEXT_ENCODERS = frozenset(ARCHITECTURES.split())
# Names of settings by which a library can be told to run code, to read a file or to look something
# up. Each is refused if it has a value, at any depth.
NAMES_CODE = re.compile(
    r"""
    backbone | ^use_timm | ^auto_map$ | trust_remote_code | custom_(pipelines?|generate|code)
    | code_revision | (^|_)(class_ref|factory|callable|kernel|script|module|plugin|program)s?$
    | quantization_config | quantizer | adapter_config | peft_config
    """,
    re.VERBOSE | re.IGNORECASE,
)
NAMES_PLACE = re.compile(
    r"""
    (^|_)(files?|filenames?|paths?|dirs?|director(y|ies)|folders?|urls?|uris?|repos?|endpoints?
    |spm|checkpoints?|proxy|proxies)$
    | repo_?id | repo_type | name_or_path$ | _dir_ | mecab_option | ^init_inputs$
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Where a model was loaded from when it was trained. Transformers saves it and reads it nowhere.
ORIGIN = ("_name_or_path", "name_or_path")
# The names of a classifier's labels, which anybody may have given and nobody looks up.
LABEL = re.compile(r"id2label\.\d+|label2id\..*")
# Text that leads somewhere: a path, an address, or a name on the hub.
LEADS_AWAY = re.compile(r"[/\\]|^~|^[A-Za-z]:|^\.\.?$")
DTYPES = ("float64", "float32", "float16", "bfloat16")
MAX_DEPTH = 20

_added: Counter[str] = Counter()


class _Allowed(AbstractContextManager):
    def __init__(self, model_types: Collection[str]) -> None:
        self.model_types = model_types

    def __exit__(self, *_: object) -> None:
        _added.subtract(self.model_types)


def allow_encoders(*model_types: str) -> AbstractContextManager:
    """Allow further architectures of encoders in this process, for those who know what they run:
    architectures that are not in `TEXT_ENCODERS`, or that the program itself has registered with
    transformers. Nothing that a model's files say has the same effect.

        allow_encoders("gpt2")                  # from now on
        with allow_encoders("gpt2"):            # or for a while
            nlp = spacy.load("my_pipeline")

    *model_types (str): Their names in transformers.
    RETURNS (AbstractContextManager): Takes it back at its end, if it is used as one.
    """
    _added.update(model_types)
    return _Allowed(model_types)


def is_allowed(model_type: Any) -> bool:
    """Whether an architecture may be built.

    model_type (Any): Its name in transformers.
    RETURNS (bool): Whether it is one of `TEXT_ENCODERS`, or was added to them by `allow_encoders`.
    """
    return isinstance(model_type, str) and (model_type in TEXT_ENCODERS or _added[model_type] > 0)


def check_config(config: Mapping[str, Any]) -> None:
    """Check the saved configuration of an encoder.

    config (Mapping[str, Any]): The configuration.
    RAISES (FormatError): If its architecture is not allowed, or if it names code, a path or an
        address.
    """
    model_type = config.get("model_type")
    if not is_allowed(model_type):
        raise FormatError(
            f"its encoder is of the type {model_type!r}, which is not a text encoder that is built "
            "from saved files. If you trust it, allow it in the program that loads it: "
            f"`spacy_docre.models.allow_encoders({model_type!r})`"
        )
    _check_settings(config)


def _check_settings(settings: Mapping[str, Any]) -> None:
    for path, name, value in settings_in(settings):
        is_scalar = isinstance(value, str | int | float)
        if is_scalar and (name in ORIGIN or LABEL.fullmatch(path)):
            continue
        check_name(path, name, value)
        if name == "torch_dtype" and value not in (None, *DTYPES):
            raise FormatError(f"the setting '{path}' = {value!r} is not a type of numbers")
        if isinstance(value, str) and LEADS_AWAY.search(value):
            raise FormatError(f"the setting '{path}' = {value!r} is a path, an address or code")


def check_name(path: str, name: str, value: Any) -> None:
    """Check a saved setting by its name alone.

    path (str): Where it stands, for the message.
    name (str): Its name.
    value (Any): Its value.
    RAISES (FormatError): If it has a value, and names code, a path or an address.
    """
    if not says_nothing(name, value):
        what = "can run code" if NAMES_CODE.search(name) else "leads outside of the model"
        raise FormatError(f"the setting '{path}' {what}, which none of a saved model may")


def says_nothing(name: str, value: Any) -> bool:
    """Whether a setting has no value, or a name that is not one of code, a path or an address.

    name (str): Its name.
    value (Any): Its value.
    RETURNS (bool): Whether that is so.
    """
    if value is None or value is False or (isinstance(value, Collection) and not value):
        return True
    is_place = NAMES_PLACE.search(name) and not isinstance(value, int | float)
    return not (NAMES_CODE.search(name) or is_place)


def harmless(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an encoder that a saved model may have. Models of the hub name code of their
    own beside an architecture that transformers knows, and paths of their makers.

    settings (Mapping[str, Any]): The settings.
    RETURNS (dict[str, Any]): Those that remain.
    """
    return {name: value for name, value in settings.items() if _is_harmless(name, value)}


def _is_harmless(name: str, value: Any) -> bool:
    try:
        _check_settings({name: value})
    except FormatError:
        return False
    # Transformers takes some for code even without a value.
    return not NAMES_CODE.search(name)


def asks_for_code(settings: Mapping[str, Any]) -> str | None:
    """The first setting by which a config asks for code that comes with a model.

    settings (Mapping[str, Any]): Settings that somebody trains with.
    RETURNS (Optional[str]): Its name; None if there is none.
    """
    named = settings_in(settings)
    return next((path for path, name, value in named if value and NAMES_CODE.search(name)), None)


def settings_in(settings: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """All settings at any depth, of dictionaries and of dictionaries in lists.

    settings (Mapping[str, Any]): The settings.
    RETURNS (list[tuple[str, str, Any]]): Of each its path, its name, and its value. What stands in
        a list has the list's name.
    RAISES (FormatError): If they are nested too deeply, or if a name is not a string.
    """
    found = []
    left: list[tuple[str, str, Any, int]] = [("", "", settings, 0)]
    while left:
        path, name, value, depth = left.pop()
        if path:
            found.append((path, name, value))
        if depth > MAX_DEPTH:
            raise FormatError("the settings are nested too deeply")
        if isinstance(value, Mapping):
            for key, part in value.items():
                # Msgpack keeps numbers as the keys of labels.
                if not isinstance(key, str | int):
                    raise FormatError(f"the setting {key!r} has no name")
                left.append((f"{path}.{key}" if path else str(key), str(key), part, depth + 1))
        elif isinstance(value, list | tuple):
            left += [(path, name, part, depth + 1) for part in value]
    return found
