"""The settings of the relation extractor: one model for defaults, bounds, the check at loading and
the rule of what overrides what."""

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..data.clusters import DEFAULT_PREFIX
from ..data.relation import DEFAULT_ATTR
from ..errors import DocreError, Errors, suggestion
from ..training.guard import OnNonFinite
from .constraints.settings import DEFAULT_CONSTRAINTS
from .constraints.settings import check_settings as check_constraints

# The pairs of 200 entities. With the other two, they let an encoder of BERT-base's size and any
# head read the largest document that they allow in less than 24 GB: see
# docs/how-to/large_documents.md.
MAX_PAIRS = 39_800
MAX_MENTIONS = 1024
MAX_WORDPIECES = 32_768

Share = Annotated[float, Field(ge=0, le=1)]
AtLeast1 = Annotated[int, Field(ge=1)]
Limit = Annotated[int, Field(ge=2)] | None
Name = Annotated[str, Field(min_length=1)]

# What a setting must be, where the type in the signature does not say it in words.
CONDITIONS = {
    "prefix": "a text of at least one character",
    "attr": "a text of at least one character",
    "threshold": "in 0..1",
    "thresholds": "in 0..1 for each relation type that it names",
    "calibration": "null or an object with the keys 'temperature', above 0, and 'bias'",
    "max_labels": "at least 1",
    "max_pairs": "at least 2, or null for no limit",
    "max_mentions": "at least 2, or null for no limit",
    "max_wordpieces": "at least 2, or null for no limit",
    "max_batch_items": "at least 1",
    "use_gold_clusters": "true or false",
    "on_nonfinite": "one of raise, skip",
    "constraints": "null or a section of settings",
}


class CalibrationSettings(BaseModel):
    """The temperature and the bias that make probabilities of scores, see `Calibration`."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    temperature: Annotated[float, Field(gt=0)]
    bias: float


class ExtractorSettings(BaseModel):
    """The settings of a `DocRelationExtractor`. A field here is a setting of the factory, of the
    config, of `DocRelationExtractor.configure` and of the saved component."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)

    prefix: Name = Field(default=DEFAULT_PREFIX, description="What the clusters' keys begin with.")
    attr: Name = Field(
        default=DEFAULT_ATTR,
        description="The name of the extension attribute that holds the relations.",
    )
    threshold: Share = Field(default=0.5, description="A relation is set if its score is greater.")
    thresholds: dict[str, Share] = Field(
        default={}, description="Thresholds of some relation types' own, by type."
    )
    calibration: CalibrationSettings | None = Field(
        default=None,
        description="The temperature and the bias that make probabilities of scores; thresholds "
        "are compared with these. None leaves scores as the model gives them.",
    )
    max_labels: AtLeast1 = Field(
        default=4, description="The most relation types that one pair of entities can have."
    )
    max_pairs: Limit = Field(
        default=MAX_PAIRS,
        description="Classify at most so many pairs of a document, those of the entities that are "
        "mentioned most often, and warn; None sets no limit.",
    )
    max_mentions: Limit = Field(
        default=MAX_MENTIONS, description="Read at most so many mentions of a document, likewise."
    )
    max_wordpieces: Limit = Field(
        default=MAX_WORDPIECES,
        description="Read at most so many wordpieces of a document, its beginning, likewise.",
    )
    max_batch_items: AtLeast1 = Field(
        default=8192,
        description="At inference, the wordpieces (padding included) that go through the model at "
        "once; documents of similar length go together.",
    )
    use_gold_clusters: bool = Field(
        default=True,
        description="In training, give predicted documents that have no clusters those of the "
        "reference, so that any corpus reader will do.",
    )
    on_nonfinite: OnNonFinite = Field(
        default="raise",
        description='What to do in training when a loss or a gradient is not finite: "raise" an '
        'error that names the documents, or "skip" the step and count it.',
    )
    constraints: dict[str, Any] | None = Field(
        default=DEFAULT_CONSTRAINTS,
        description="Constraints on the relations, see `ConstraintSettings`; None sets none.",
    )


DEFAULTS: dict[str, Any] = ExtractorSettings().model_dump()
DEFAULT_LIMITS = {name: DEFAULTS[name] for name in ("max_pairs", "max_mentions", "max_wordpieces")}


def check_settings(settings: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    """Check settings of a component.

    settings (Mapping[str, Any]): Some or all of its settings.
    name (str): The component's name, for messages.
    RETURNS (dict[str, Any]): The same settings; constraints with all their keys.
    RAISES (DocreError): If one is unknown or is not what it must be.
    """
    for setting in settings:
        if setting not in ExtractorSettings.model_fields:
            known = suggestion(setting, list(ExtractorSettings.model_fields))
            raise DocreError(Errors.D053.format(setting=setting, name=name, suggestion=known))
    checked = dict(settings)
    if "constraints" in settings:
        checked["constraints"] = check_constraints(settings["constraints"], name=name)
    try:
        ExtractorSettings(**checked)
    except ValidationError as error:
        setting = str(error.errors()[0]["loc"][0])
        condition, value = CONDITIONS[setting], settings[setting]
        raise DocreError(
            Errors.D020.format(setting=setting, condition=condition, value=value)
        ) from None
    return checked


def with_overrides(
    saved: Mapping[str, Any], configured: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings of a component that is loaded: the saved ones, which may have been changed after
    the component was made, but for those that are now given otherwise than they were when the saved
    component was made. Somebody has overridden these, by `spacy.load(path, config=...)` or
    `nlp.add_pipe`. Constraints are overridden one by one.

    saved (Mapping[str, Any]): The saved settings.
    configured (Mapping[str, Any]): The settings that the saved component was made with. For one
        that is missing, saved by an older version, the default stands.
    given (Mapping[str, Any]): The settings that this component was made with.
    RETURNS (dict[str, Any]): The settings that hold.
    """
    merged = copy.deepcopy(dict(given))
    for name, value in saved.items():
        before = configured.get(name, DEFAULTS[name])
        if name == "constraints":
            merged[name] = {**DEFAULT_CONSTRAINTS, **(value or {})}
            merged[name] |= _differing(given[name] or {}, before or {})
        elif given[name] == before:
            merged[name] = value
    return merged


def with_parameters(factory: Callable) -> inspect.Signature:
    """The signature of a factory that takes the settings.

    factory (Callable): A function whose last parameter, `**settings`, stands for them.
    RETURNS (inspect.Signature): Its signature with a parameter for each setting instead.
    """
    signature = inspect.signature(factory)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    types = get_type_hints(ExtractorSettings, include_extras=True)
    # To spaCy, a section of a config is a dictionary.
    types |= {"calibration": dict[str, float] | None}
    settings = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=types[name])
        for name in ExtractorSettings.model_fields
    ]
    return signature.replace(parameters=[*own, *settings])


def _differing(given: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value != before.get(key)}
