"""The settings of constraints on relations, as they stand in a config."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from thinc.api import Config

from ...errors import DocreError, Errors, suggestion

LEARNED = "learned"
ANY = "*"
CONSTRAINTS = ("types", "symmetric", "inverse")
SHOWN_CHARACTERS = 100
EXPECTED = {
    "types": 'null, "learned", or lists of head types and tail types for relation labels: '
    "{label: [[type, ...], [type, ...]]} or [[label, [type, ...], [type, ...]], ...]",
    "symmetric": 'null, "learned" or a list of relation labels',
    "inverse": 'null, "learned", or relation labels with their inverses: {label: label} or '
    "[[label, label], ...]",
    "min_count": "a whole number of at least 1",
    "min_share": "a number above 0 and up to 1",
    "in_training": "true or false",
}


def _to_rows(value: Any) -> Any:
    """A mapping as rows, the form in which a label may occur twice."""
    if not isinstance(value, Mapping):
        return value
    return [
        [label, *(entry if isinstance(entry, list | tuple) else [entry])]
        for label, entry in value.items()
    ]


Learned = Literal["learned"]
TypeRow = tuple[str, list[str], list[str]]


class ConstraintSettings(BaseModel):
    """Constraints on relations; each is off if it is None.

    types (Union[None, Literal["learned"], list[tuple[str, list[str], list[str]]]]): Relation
        label, head types and tail types; an empty list or one with "*" takes any type. Labels that
        are not named are free. A mapping from label to the two lists does as well.
    symmetric (Union[None, Literal["learned"], list[str]]): The relation labels that hold in both
        directions.
    inverse (Union[None, Literal["learned"], list[tuple[str, str]]]): Relation labels of which one
        holds wherever the other holds in the opposite direction. A mapping does as well.
    min_count (int): How often the training data must show what is to be learned from them.
    min_share (float): In what share of the instances a relation must have its opposite for it to
        be learned as symmetric or inverse.
    in_training (bool): Whether to learn only from pairs of entities whose types allow a relation.
        The model then knows nothing of other pairs, so the constraint on types must stay on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    types: Annotated[Learned | list[TypeRow] | None, BeforeValidator(_to_rows)] = None
    symmetric: Learned | list[str] | None = None
    inverse: Annotated[Learned | list[tuple[str, str]] | None, BeforeValidator(_to_rows)] = None
    min_count: Annotated[int, Field(ge=1)] = 1
    min_share: Annotated[float, Field(gt=0, le=1)] = 0.9
    in_training: bool = False

    @property
    def active(self) -> bool:
        """Whether any constraint is on."""
        return any(getattr(self, name) is not None for name in CONSTRAINTS)

    @property
    def learns(self) -> bool:
        """Whether any constraint is to be learned."""
        return any(getattr(self, name) == LEARNED for name in CONSTRAINTS)

    @property
    def given_types(self) -> list[TypeRow]:
        """The types that the user gives."""
        return self.types if isinstance(self.types, list) else []

    @property
    def given_inverses(self) -> list[tuple[str, str, str]]:
        """The relations that hold in opposite directions by what the user gives: the setting and
        the two labels."""
        symmetric = self.symmetric if isinstance(self.symmetric, list) else []
        inverse = self.inverse if isinstance(self.inverse, list) else []
        return [("symmetric", label, label) for label in symmetric] + [
            ("inverse", label, other) for label, other in inverse
        ]


DEFAULT_CONSTRAINTS: dict[str, Any] = ConstraintSettings().model_dump()


def read_settings(settings: Mapping[str, Any] | None, *, name: str) -> ConstraintSettings:
    """Read the settings of a component's constraints.

    settings (Optional[Mapping[str, Any]]): The settings. None switches all constraints off.
    name (str): The component's name, for messages.
    RETURNS (ConstraintSettings): The settings; those not given have their defaults.
    RAISES (DocreError): If a setting is unknown or malformed.
    """
    given = {} if settings is None else settings
    if not isinstance(given, Mapping):
        reason = f"it must be null or a section with {', '.join(EXPECTED)}, but is {_shown(given)}"
        raise DocreError(Errors.D050.format(setting="constraints", name=name, reason=reason))
    try:
        return ConstraintSettings(**given)
    except ValidationError as error:
        setting = str(error.errors()[0]["loc"][0])
    if setting in EXPECTED:
        reason = f"it must be {EXPECTED[setting]}, but is {_shown(given[setting])}"
    else:
        reason = f"there is no such setting{suggestion(setting, list(EXPECTED))}"
    raise DocreError(Errors.D050.format(setting=f"constraints.{setting}", name=name, reason=reason))


def check_settings(settings: Mapping[str, Any] | None, *, name: str) -> dict[str, Any]:
    """Check the settings that a component is made with, and complete them by the defaults.

    settings (Optional[Mapping[str, Any]]): The settings.
    name (str): The component's name, for messages.
    RETURNS (dict[str, Any]): The settings as they were given, with all keys.
    RAISES (DocreError): If one is unknown, malformed, or would get lost in a config file.
    """
    read_settings(settings, name=name)
    complete = {**DEFAULT_CONSTRAINTS, **(settings or {})}
    for setting in ("types", "inverse"):
        if isinstance(complete[setting], Mapping):
            for label in complete[setting]:
                if not _is_config_key(label):
                    reason = (
                        f"the label {_shown(label)} cannot be a key of a config file, where it "
                        f"would get lost. Use the form of a list: {EXPECTED[setting]}"
                    )
                    raise DocreError(
                        Errors.D050.format(
                            setting=f"constraints.{setting}", name=name, reason=reason
                        )
                    )
    return complete


def switch_settings(settings: Mapping[str, Any] | None, names: Sequence[str]) -> dict[str, Any]:
    """Switch constraints on and off.

    settings (Optional[Mapping[str, Any]]): The settings.
    names (Sequence[str]): The constraints that are to be on; one that was off is learned.
    RETURNS (dict[str, Any]): The settings with these constraints only.
    """
    switched = {**DEFAULT_CONSTRAINTS, **(settings or {})}
    for name in CONSTRAINTS:
        switched[name] = (switched[name] or LEARNED) if name in names else None
    return switched


@dataclass(frozen=True)
class Names:
    """The relation labels or entity types that a component knows.

    component (str): The component's name.
    kind (str): What they are.
    values (Sequence[str]): The names, in the order of their numbers.
    """

    component: str
    kind: str
    values: Sequence[str]

    def index(self, value: str, setting: str) -> int:
        """The number of a name.

        value (str): The name.
        setting (str): The setting that it stands in.
        RETURNS (int): Its number.
        RAISES (DocreError): If the component does not know it.
        """
        if value not in self.values:
            raise DocreError(
                Errors.D049.format(
                    setting=f"constraints.{setting}",
                    name=self.component,
                    kind=self.kind,
                    value=value,
                    suggestion=suggestion(value, self.values),
                )
            )
        return self.values.index(value)


def _is_config_key(label: str) -> bool:
    section = {"section": {label: ""}}
    try:
        return Config().from_str(Config(section).to_str()) == section
    except ValueError:
        return False


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
