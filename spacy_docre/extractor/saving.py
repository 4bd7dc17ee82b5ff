"""Loading a relation extractor whose saved files may come from anybody: they are read and checked
as a whole before the component changes; if anything is wrong, it stays as it was, and the error
names the file."""

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from thinc.api import Model

from ..errors import DocreError, Errors, Warnings, first_of
from ..models.loading import load_model, non_finite_weights, same_kind, unchanged_on_error
from ..models.weights import FormatError
from .settings import ExtractorSettings, with_overrides

SHOWN_NAMES = 3


class SavedCounts(BaseModel):
    """What `Observations.to_dict` gives."""

    model_config = ConfigDict(strict=True, extra="forbid")

    types: list[tuple[str, str, str, int]]
    opposites: list[tuple[str, str, int]]


class SavedState(ExtractorSettings):
    """The file "cfg" of a relation extractor: its settings and what it has learned beside its
    weights. What a newer version adds is let through. `configured_limits` and
    `configured_constraints` are of version 0.1.0, which had no `configured`."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

    labels: list[str] = Field(default=[])
    entity_types: list[str] = Field(default=[])
    observed: SavedCounts | None = None
    configured: dict[str, Any] = Field(default={})
    configured_limits: dict[str, Any] = Field(default={})
    configured_constraints: dict[str, Any] = Field(default={})


class Saved(Protocol):
    """A component that is loaded. `cfg` holds its settings and `cfg["configured"]` those that it
    was made with; `model` has the ref "head"."""

    model: Model
    cfg: dict[str, Any]


def load_parts(pipe: Saved, parts: Mapping[str, Any], places: Mapping[str, Any]) -> None:
    """Load the settings and the model of a component, as far as there are any.

    pipe (Saved): The component.
    parts (Mapping[str, bytes]): The contents of "cfg" and "model".
    places (Mapping[str, Any]): What to call each in messages.
    RAISES (DocreError): If one of them is not what a component saves.
    """
    if "cfg" in parts:
        with naming(places["cfg"]):
            state = read_state(parts["cfg"], pipe.cfg)
            saved = {k: state.pop(k) for k in ExtractorSettings.model_fields if k in state}
            configured = state.pop("configured", None)
            limits = state.pop("configured_limits", {})
            constraints = state.pop("configured_constraints", None)
            if configured is None:
                configured = limits | ({} if constraints is None else {"constraints": constraints})
            given = pipe.cfg["configured"]
            pipe.cfg.update(state | with_overrides(saved, configured, given))
    if "model" in parts:
        with naming(places["model"]):
            if not isinstance(parts["model"], bytes):
                raise FormatError("it is not bytes")
            load_model(pipe.model, parts["model"])
        bad = non_finite_weights(pipe.model)
        if bad:
            names = first_of(bad, SHOWN_NAMES)
            warnings.warn(Warnings.DW41.format(path=places["model"], names=names), stacklevel=4)
    if {"cfg", "model"} <= parts.keys():
        with naming(places["cfg"]):
            _check_sizes(pipe)


def read_state(data: Any, known: Mapping[str, Any]) -> dict[str, Any]:
    """Read the file "cfg" of a component.

    data (bytes): Its content.
    known (Mapping[str, Any]): The component's `cfg`.
    RETURNS (dict[str, Any]): What was saved.
    RAISES (FormatError): If something is not what it can be.
    """
    try:
        SavedState.model_validate_json(data)
        # srsly's numbers differ from the written ones in the last bit, and overrides are told by
        # comparing.
        state: dict[str, Any] = json.loads(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "it"
        raise FormatError(f"`{field}` is wrong: {first['msg']}") from None
    except (ValueError, TypeError) as error:
        raise FormatError(str(error)) from None
    for kind in ("labels", "entity_types"):
        names = state.get(kind, ())
        if len(set(names)) < len(names):
            raise FormatError(f"`{kind}` has a name twice")
    for name, value in state.items():
        now = known.get(name)
        is_unchecked = name not in SavedState.model_fields and None not in (now, value)
        if is_unchecked and not same_kind(now, value):
            raise FormatError(f"`{name}` is {value!r}")
    return state


@contextmanager
def restored_on_error(pipe: Saved) -> Iterator[None]:
    """A context whose errors leave a component as it was.

    pipe (Saved): The component.
    """
    before = dict(pipe.cfg)
    try:
        with unchanged_on_error(pipe.model):
            yield
    except BaseException:
        pipe.cfg.clear()
        pipe.cfg.update(before)
        raise


@contextmanager
def naming(place: Any) -> Iterator[None]:
    """A context whose errors are errors of loading that name the file.

    place (Any): The file, or what else is read.
    """
    try:
        yield
    except Exception as error:
        # Models have layers by others, which raise errors of all kinds.
        reason = str(error) or type(error).__name__
        raise DocreError(Errors.D102.format(path=place, reason=reason)) from error


def read_file(file: Path) -> bytes:
    """Read a file of a saved component.

    file (Path): The file.
    RETURNS (bytes): Its content.
    RAISES (DocreError): If it is missing or not a regular file.
    """
    with naming(file):
        if not file.exists():
            raise FormatError("there is no such file")
        if not file.is_file():
            raise FormatError("it is not a file")
        return file.read_bytes()


def _check_sizes(pipe: Saved) -> None:
    head = pipe.model.get_ref("head")
    for dim, kind, count in (
        ("nO", "labels", len(pipe.cfg["labels"])),
        ("nT", "entity_types", len(pipe.cfg["entity_types"]) + 1),
    ):
        if head.has_dim(dim) and head.get_dim(dim) != count:
            size = head.get_dim(dim)
            raise FormatError(f"`{kind}` has names for {count} outputs, but there are {size}")
    sizes = head.shims[0].cfg or {}
    for dim, name in (("nO", "n_labels"), ("nT", "n_types"), ("nI", "width")):
        if name in sizes and head.has_dim(dim) and head.get_dim(dim) != sizes[name]:
            raise FormatError(f"the model was built for other sizes ('{name}')")
