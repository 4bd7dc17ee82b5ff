"""The same budget of trials for each method: rates of encoder and head, and dropout."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from spacy.util import load_config

from ..errors import DocreError, Errors
from ..files import read_json, replacing
from ..models.encoding import Encoding
from .figures import TITLES
from .frozen import FrozenMethod, HeadTraining, schedule_of
from .halving import RUNGS, successive_halving


@dataclass(frozen=True)
class Rates:
    """One trial.

    encoder_rate (float): The encoder's highest learning rate; 0 if it is frozen.
    head_rate (float): The head's.
    dropout (Optional[float]): The head's setting of that name; None leaves what the config has.
    """

    encoder_rate: float
    head_rate: float
    dropout: float | None = None

    @property
    def name(self) -> str:
        """What its folder is called."""
        parts = [f"{self.encoder_rate:g}", f"{self.head_rate:g}"]
        return "-".join(parts if self.dropout is None else [*parts, f"d{self.dropout:g}"])


@dataclass
class Probes:
    """Trials of a method on frozen encodings. Each evaluation is written down at once, so that
    typing the command again goes on; a trial that was interrupted begins anew, since it takes
    minutes.

    config (Path): The method's config.
    train (Path): The training corpus.
    dev (Path): The development corpus.
    file (Path): Where the evaluations are written (JSON).
    n_train (int): How many training documents to learn from.
    n_dev (int): How many development documents to evaluate on.
    steps (int): The steps of a whole training.
    eval_every (int): Steps between evaluations.
    seed (int): The seed.
    encoded (dict[str, list[Encoding]]): See `FrozenMethod.read`; one for all methods.
    overrides (Mapping[str, Any]): Other settings of the config.
    """

    config: Path
    train: Path
    dev: Path
    file: Path
    n_train: int
    n_dev: int
    steps: int
    eval_every: int
    seed: int
    encoded: dict[str, list[Encoding]] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def run(self, trials: Sequence[Rates], rungs: Sequence[float] = RUNGS) -> list[dict[str, Any]]:
        """trials (Sequence[Rates]): The trials.
        rungs (Sequence[float]): See `successive_halving`.
        RETURNS (list[dict[str, Any]]): For each trial its rates, the "steps" that it was trained,
            and of its best evaluation what `HeadTraining.run` says.
        RAISES (DocreError): If the file has evaluations under other settings.
        """
        steps = successive_halving(trials, self._score, steps=self.steps, rungs=rungs)
        return [
            {**asdict(trial), "steps": until, **_best(self._evaluations[trial.name][str(until)])}
            for trial, (until, _) in steps.items()
        ]

    def _score(self, trial: Rates, until: int) -> float:
        of_trial = self._evaluations.setdefault(trial.name, {})
        if str(until) not in of_trial:
            if trial not in self._trainings:
                self._trainings[trial] = HeadTraining(
                    self._method,
                    rate=trial.head_rate,
                    steps=self.steps,
                    eval_every=self.eval_every,
                    seed=self.seed,
                )
            of_trial[str(until)] = list(self._trainings[trial].run(until))
            content = {"settings": self._settings, "evaluations": self._evaluations}
            with replacing(self.file) as draft:
                draft.write_text(json.dumps(content, indent=1), encoding="utf8")
        return _best(of_trial[str(until)])["f1"]

    @cached_property
    def _method(self) -> FrozenMethod:
        optimizer = load_config(self.config)["training"]["optimizer"]
        overrides = {
            "system.seed": self.seed,
            f"training.optimizer.{schedule_of(optimizer)}.total_steps": self.steps,
            **self.overrides,
        }
        return FrozenMethod.read(
            self.config,
            self.train,
            self.dev,
            n_train=self.n_train,
            n_dev=self.n_dev,
            overrides=overrides,
            encoded=self.encoded,
        )

    @cached_property
    def _trainings(self) -> dict[Rates, HeadTraining]:
        return {}

    @cached_property
    def _settings(self) -> dict[str, Any]:
        paths = {"config": self.config, "train": self.train, "dev": self.dev}
        return {
            **{name: hashlib.sha256(p.read_bytes()).hexdigest() for name, p in paths.items()},
            **{name: getattr(self, name) for name in ("n_train", "n_dev", "steps", "eval_every")},
            "seed": self.seed,
            "overrides": dict(self.overrides),
        }

    @cached_property
    def _evaluations(self) -> dict[str, dict[str, list[dict[str, float]]]]:
        if not self.file.exists():
            return {}
        content = read_json(self.file)
        former = content["settings"]
        differing = sorted(name for name in former if former[name] != self._settings.get(name))
        if differing:
            raise DocreError(Errors.D172.format(path=self.file, names=", ".join(differing)))
        evaluations: dict[str, dict[str, list[dict[str, float]]]] = content["evaluations"]
        return evaluations


def tuning_table(results: Mapping[str, Sequence[Mapping[str, Any]]], steps: int) -> str:
    """The table of a tuning.

    results (Mapping[str, Sequence[Mapping[str, Any]]]): For each method what its trials gave.
    steps (int): The steps of a whole training.
    RETURNS (str): Markdown: a line for each trial, the best of each method in bold, and what was
        stopped early with the step.
    """
    trials = [trial for of_method in results.values() for trial in of_method]
    is_frozen = not any(trial["encoder_rate"] for trial in trials)
    columns = [] if is_frozen else ["Encoder rate"]
    columns.append("Head rate")
    has_dropout = any(trial["dropout"] is not None for trial in trials)
    columns += ["Dropout"] if has_dropout else []
    shown = [name for name in TITLES if any(name in trial for trial in trials)]
    header = ["Method", *columns, "Steps", "F1", *(TITLES[name] for name in shown)]
    rows = []
    for method, of_method in results.items():
        best = max((t["f1"] for t in of_method if t["steps"] == steps), default=None)
        for trial in of_method:
            row = [f"`{method}`"] + ([] if is_frozen else [f"{trial['encoder_rate']:g}"])
            row.append(f"{trial['head_rate']:g}")
            row += [f"{trial['dropout']}"] if has_dropout else []
            f1 = f"{100 * trial['f1']:.2f}"
            is_best = trial["steps"] == steps and trial["f1"] == best
            row += [str(trial["steps"]), f"**{f1}**" if is_best else f1]
            row += [_number(trial.get(name)) for name in shown]
            rows.append(row)
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, rule, *rows]) + "\n"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _best(evaluations: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return dict(max(evaluations, key=lambda evaluation: evaluation["f1"]))
