"""The folder of a training run's checkpoints.

A checkpoint is written under a name that begins with a dot, brought to the disk and renamed, to a
name that no other has; the ones before it are removed after that. So there is a whole one at each
moment, whatever happens."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from safetensors.numpy import load_file, save_file
from spacy.util import dict_to_dot
from thinc.api import Model, Optimizer

from ..errors import DocreError, Errors
from ..files import replacing, write_folder
from ..files.folders import checksum, refuse_links
from ..models.loading import load_model
from .state import (
    Evaluation,
    History,
    optimizer_arrays,
    optimizer_counts,
    random_state,
    restore_optimizer,
    restore_random_state,
)

FOLDER = "checkpoints"
OPTIMIZER = "optimizer.safetensors"
HISTORY = "history.json"
NAME = re.compile(r"\.?step-\d+.*")
# What may change between a run and its continuation.
FREE_SETTINGS = (
    "training.logger.",
    "training.max_steps",
    "training.max_epochs",
    "training.patience",
    "training.gpu_allocator",
    "system.gpu_allocator",
)
FREE_ENDINGS = (".on_nonfinite",)
# Where a config names files that are read: corpora, labels and vectors, pretrained encoders.
SECTIONS_WITH_FILES = ("corpora.", "initialize.", "components.")


class Checkpoints:
    """The checkpoints of a training run, of which the newest is kept.

    output (Path): The folder of the run.
    config (dict[str, Any]): The run's config, interpolated.
    inputs (Mapping[str, Path]): Files and folders that it depends on and that the config does not
        name, by the names that they have in messages.
    """

    def __init__(self, output: Path, config: dict[str, Any], inputs: Mapping[str, Path]) -> None:
        self.folder = output / FOLDER
        self.config: dict[str, Any] = {}
        values = json.loads(json.dumps(dict_to_dot(config), default=str))
        for name, value in [*values.items(), *inputs.items()]:
            path = _existing(value)
            self.config[name] = value if path is None else path.as_posix()
            if path is not None and (name.startswith(SECTIONS_WITH_FILES) or name in inputs):
                self.config[f"{name} (its content)"] = checksum(path)

    def load_history(self) -> History:
        """What has happened in the run so far: nothing, if it has no checkpoint, or if it was
        finished with another config or corpus.

        RAISES (DocreError): If the checkpoint cannot be read, or if the run was interrupted and had
            another config or corpus.
        """
        newest = _newest(self.folder)
        if newest is None:
            return History()
        for folder in (self.folder, newest):
            refuse_links(folder)
        content = _read(newest)
        differences = sorted(
            name
            for name in content["config"].keys() | self.config.keys()
            if content["config"].get(name) != self.config.get(name)
            and not name.startswith(FREE_SETTINGS)
            and not name.endswith(FREE_ENDINGS)
        )
        if differences and content["history"]["finished"]:
            return History()
        if differences:
            raise DocreError(Errors.D090.format(path=newest, settings=", ".join(differences)))
        return _history(content)

    def restore(self, models: Mapping[str, Model], optimizer: Optimizer) -> None:
        """Bring models, optimizer and random numbers to the state of the newest checkpoint.

        models (Mapping[str, Model]): The models by the names of their components.
        optimizer (Optimizer): The optimizer.
        RAISES (DocreError): If the checkpoint cannot be read.
        """
        newest = _newest(self.folder)
        assert newest is not None
        content = _read(newest)
        for name, model in models.items():
            with _naming(newest / name):
                load_model(model, (newest / name).read_bytes())
        with _naming(newest / OPTIMIZER):
            arrays = load_file(newest / OPTIMIZER)
            restore_optimizer(optimizer, dict(models), arrays, content["optimizer"])
        with _naming(newest / HISTORY):
            restore_random_state(content["random"])

    def replaying(self) -> AbstractContextManager:
        """A context whose errors are those of a history that cannot be replayed."""
        newest = _newest(self.folder)
        return nullcontext() if newest is None else _naming(newest / HISTORY)

    def save(self, history: History, models: Mapping[str, Model], optimizer: Optimizer) -> None:
        """Add a checkpoint and remove those before it.

        history (History): What has happened.
        models (Mapping[str, Model]): The models by the names of their components.
        optimizer (Optimizer): The optimizer.
        """

        def write(draft: Path) -> None:
            for name, model in models.items():
                model.to_disk(draft / name)
            save_file(optimizer_arrays(optimizer, dict(models)), draft / OPTIMIZER)
            content = {
                "config": self.config,
                "history": asdict(history),
                "optimizer": optimizer_counts(optimizer, dict(models)),
                "random": random_state(),
            }
            # Scores are compared with each other, so no digit of them may be lost.
            (draft / HISTORY).write_text(json.dumps(content, default=float), encoding="utf8")

        write_folder(self.folder / f"step-{history.steps:08}", write)
        self._remove_older()

    def finish(self, history: History) -> None:
        """Note that the run has come to its end, and keep nothing else of it.

        history (History): What has happened.
        """

        content = {"config": self.config, "history": asdict(history)}
        newest = self.folder / f"step-{history.steps:08}"
        text = json.dumps(content, default=float)
        if newest.exists():
            with replacing(newest / HISTORY) as draft:
                draft.write_text(text, encoding="utf8")
        else:
            write_folder(newest, lambda draft: (draft / HISTORY).write_text(text, encoding="utf8"))
        self._remove_older()
        for path in newest.iterdir():
            if path.name != HISTORY:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def clear(self) -> None:
        """Remove all checkpoints."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def _remove_older(self) -> None:
        newest = _newest(self.folder)
        for path in self.folder.iterdir():
            if path != newest and NAME.fullmatch(path.name):
                shutil.rmtree(path)


def read_history(output: Path) -> History:
    """What has happened in a training run so far: nothing, if it has no checkpoint.

    output (Path): The folder of the run.
    RAISES (DocreError): If the checkpoint cannot be read.
    """
    newest = _newest(output / FOLDER)
    return History() if newest is None else _history(_read(newest))


def _newest(folder: Path) -> Path | None:
    return max((path for path in folder.glob("step-*") if path.is_dir()), default=None)


def _existing(value: Any) -> Path | None:
    """The file or folder that a setting names, if it names one that is there."""
    try:
        path = Path(value)
        # Of a pipe or a device there is no checksum.
        return path if path.name and (path.is_file() or path.is_dir()) else None
    except (TypeError, ValueError, OSError):
        return None


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((path / HISTORY).read_text(encoding="utf8"))
        _ = content["config"].items(), _history(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DocreError(Errors.D091.format(path=path / HISTORY, reason=error)) from None
    return content


def _history(content: dict[str, Any]) -> History:
    values = dict(content["history"])
    try:
        TypeAdapter(History).validate_python(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"`history.{place}` is wrong: {first['msg']}") from None
    evaluations = [Evaluation(**evaluation) for evaluation in values.pop("evaluations")]
    history = History(**values, evaluations=evaluations)
    if type(history.steps) is not int or history.steps < 0:
        raise ValueError(f"it is after {history.steps!r} steps")
    return history


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in an error."""
    try:
        yield
    except DocreError:
        raise
    except Exception as error:
        # Models have layers by others, which raise errors of all kinds.
        raise DocreError(Errors.D091.format(path=path, reason=error)) from error
