"""Loading a component: everything is checked before anything changes."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import srsly
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from spacy.pipeline import TrainablePipe

from ..errors import DocreError, Errors, Warnings, first_of
from ..models.loading import load_model, non_finite_weights, same_kind, unchanged_on_error
from ..models.weights import FormatError, read_message
from ..training.guard import OnNonFinite

SHOWN_NAMES = 3

Share = Annotated[float, Field(ge=0, le=1)]
AtLeast1 = Annotated[int, Field(ge=1)]
Limit = Annotated[int, Field(ge=2)] | None
Name = Annotated[str, Field(min_length=1)]


class SavedCounts(BaseModel):
    """What `Observations.to_dict` gives."""

    model_config = ConfigDict(strict=True, extra="forbid")

    types: list[tuple[str, str, str, int]]
    opposites: list[tuple[str, str, int]]


class SavedCalibration(BaseModel):
    """`Calibration.settings`."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    temperature: Annotated[float, Field(gt=0)]
    bias: float


class SavedSettings(BaseModel):
    """The settings in the file "cfg" of a relation extractor: see `DocRelationExtractor`. Those of
    a newer version are let through."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

    labels: list[str] = []
    entity_types: list[str] = []
    prefix: Name = "_"
    attr: Name = "_"
    threshold: Share = 0
    thresholds: dict[str, Share] = {}
    calibration: SavedCalibration | None = None
    max_labels: AtLeast1 = 1
    max_pairs: Limit = None
    max_mentions: Limit = None
    max_wordpieces: Limit = None
    max_batch_items: AtLeast1 = 1
    use_gold_clusters: bool = True
    on_nonfinite: OnNonFinite = "raise"
    constraints: dict[str, Any] | None = None
    configured_constraints: dict[str, Any] = {}
    observed: SavedCounts | None = None


class CheckedPipe(TrainablePipe):
    """Base class of a component whose saved files may come from anybody. They are read and checked
    as a whole before the component changes; if anything is wrong, it stays as it was, and the error
    names the file."""

    name: str
    cfg: dict[str, Any]

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "CheckedPipe":
        """Load the component from disk; see `TrainablePipe.from_disk`.

        path (Union[str, Path]): The component's folder.
        exclude (Iterable[str]): What not to load.
        RETURNS (CheckedPipe): The component.
        RAISES (DocreError): If a file is not what the component saved.
        """
        excluded = set(exclude)
        files = {name: Path(path) / name for name in ("cfg", "model") if name not in excluded}
        with self._unchanged_on_error():
            self._load({name: _read(file) for name, file in files.items()}, files)
            if "vocab" not in excluded:
                self.vocab.from_disk(Path(path) / "vocab", exclude=excluded)
        return self

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> "CheckedPipe":
        """Load the component from bytes; see `TrainablePipe.from_bytes`.

        bytes_data (bytes): What `to_bytes` gave.
        exclude (Iterable[str]): What not to load.
        RETURNS (CheckedPipe): The component.
        RAISES (DocreError): If they are not what the component saved.
        """
        excluded = set(exclude)
        place = f"The bytes of the component '{self.name}'"
        with _naming(place):
            message = read_message(bytes_data, ())
        parts = {name: part for name, part in message.items() if name not in excluded}
        places = {name: f"{place}, part '{name}'," for name in ("cfg", "model")}
        with self._unchanged_on_error():
            self._load({name: parts[name] for name in places if name in parts}, places)
            if "vocab" in parts:
                self.vocab.from_bytes(parts["vocab"], exclude=excluded)
        return self

    def _settle(self, before: Mapping[str, Any]) -> None:
        """Bring loaded settings together with those that there were.

        before (Mapping[str, Any]): The settings before.
        RAISES (DocreError): If they do not go with each other.
        """

    def _load(self, parts: Mapping[str, bytes], places: Mapping[str, Any]) -> None:
        before = dict(self.cfg)
        if "cfg" in parts:
            with _naming(places["cfg"]):
                self.cfg.update(read_settings(parts["cfg"], before))
        if "model" in parts:
            with _naming(places["model"]):
                if not isinstance(parts["model"], bytes):
                    raise FormatError("it is no bytes")
                load_model(self.model, parts["model"])
            bad = non_finite_weights(self.model)
            if bad:
                names = first_of(bad, SHOWN_NAMES)
                message = Warnings.DW41.format(path=places["model"], names=names)
                warnings.warn(message, stacklevel=4)
        if {"cfg", "model"} <= parts.keys():
            with _naming(places["cfg"]):
                self._check_sizes()
        self._settle(before)

    def _check_sizes(self) -> None:
        head = self.model.get_ref("head")
        for dim, kind, count in (
            ("nO", "labels", len(self.cfg["labels"])),
            ("nT", "entity_types", len(self.cfg["entity_types"]) + 1),
        ):
            if head.has_dim(dim) and head.get_dim(dim) != count:
                size = head.get_dim(dim)
                raise FormatError(f"`{kind}` has names for {count} outputs, but there are {size}")
        sizes = head.shims[0].cfg or {}
        for dim, name in (("nO", "n_labels"), ("nT", "n_types"), ("nI", "width")):
            if name in sizes and head.has_dim(dim) and head.get_dim(dim) != sizes[name]:
                raise FormatError(f"the model was built for other sizes ('{name}')")

    @contextmanager
    def _unchanged_on_error(self) -> Iterator[None]:
        before = dict(self.cfg)
        try:
            with unchanged_on_error(self.model):
                yield
        except BaseException:
            self.cfg.clear()
            self.cfg.update(before)
            raise


def read_settings(data: Any, known: Mapping[str, Any]) -> dict[str, Any]:
    """Read the settings of a component.

    data (bytes): The file "cfg".
    known (Mapping[str, Any]): The settings that there are.
    RETURNS (dict[str, Any]): The saved settings.
    RAISES (FormatError): If one is not what it can be.
    """
    try:
        SavedSettings.model_validate_json(data)
        settings: dict[str, Any] = srsly.json_loads(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "it"
        raise FormatError(f"`{field}` is wrong: {first['msg']}") from None
    except (ValueError, TypeError) as error:
        raise FormatError(str(error)) from None
    for kind in ("labels", "entity_types"):
        names = settings.get(kind, ())
        if len(set(names)) < len(names):
            raise FormatError(f"`{kind}` has a name twice")
    for name, value in settings.items():
        now = known.get(name)
        is_unchecked = name not in SavedSettings.model_fields and None not in (now, value)
        if is_unchecked and not same_kind(now, value):
            raise FormatError(f"`{name}` is {value!r}")
    return settings


@contextmanager
def _naming(place: Any) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # Models have layers by others, which raise errors of all kinds.
        reason = str(error) or type(error).__name__
        raise DocreError(Errors.D102.format(path=place, reason=reason)) from error


def _read(file: Path) -> bytes:
    with _naming(file):
        if not file.exists():
            raise FormatError("there is no such file")
        if not file.is_file():
            raise FormatError("it is no file")
        return file.read_bytes()
