"""The same budget of trials for each method: rates of encoder and head, and dropout."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import spacy
from spacy.cli._util import parse_config_overrides
from spacy.util import load_config

from ..benchmark.tables import figures_table
from ..errors import DocreError, Errors
from ..files import read_json, replacing
from ..models.encoding import Encoding
from ..training.checkpoint import read_history
from ..training.epochs import plan_training
from .figures import TITLES
from .frozen import FrozenMethod, HeadTraining, schedule_of
from .halving import RUNGS, successive_halving
from .runs import Experiment, Run

F1_KEYS = ("f1", "f1_tuned")


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
        return "_".join(parts if self.dropout is None else [*parts, f"{self.dropout:g}"])

    @property
    def overrides(self) -> list[str]:
        """Its settings, as on the command line of `spacy train`."""
        settings = {
            "training.optimizer.encoder_rate": self.encoder_rate,
            "training.optimizer.head_rate": self.head_rate,
        }
        if self.dropout is not None:
            settings["components.doc_relation_extractor.model.head.dropout"] = self.dropout
        return [part for name, value in settings.items() for part in (f"--{name}", str(value))]


@dataclass(frozen=True)
class Trainings:
    """Trials of a method, each a training of its own in a folder of its own. One that is
    interrupted goes on from its checkpoint, and so does one that is found to be worth more steps.

    experiment (Experiment): What all have in common; their folders are in its output.
    run (Run): The method and the seed.
    """

    experiment: Experiment
    run: Run

    def complete(
        self, trials: Sequence[Rates], rungs: Sequence[float] = RUNGS
    ) -> list[dict[str, Any]]:
        """Train as far as that has not been done.

        trials (Sequence[Rates]): The trials.
        rungs (Sequence[float]): See `successive_halving`.
        RETURNS (list[dict[str, Any]]): For each trial its rates, the "steps" that it was trained,
            and the best score, "f1", of its evaluations.
        RAISES (DocreError): If a training fails.
        """
        steps = successive_halving(
            trials, self._score, steps=self._training["max_steps"], rungs=rungs
        )
        return [
            {**asdict(trial), "steps": until, "f1": score}
            for trial, (until, score) in steps.items()
        ]

    def _score(self, trial: Rates, until: int) -> float:
        experiment = replace(
            self.experiment,
            output=self.experiment.output / trial.name,
            overrides=[*self.experiment.overrides, *trial.overrides],
        )
        experiment.train_run(self.run, until)
        evaluations = read_history(experiment.folder(self.run)).evaluations
        # The first is made in the first step. Later ones come from a longer training.
        n_done = (until - 1) // self._training["eval_frequency"] + 1
        if until < self._training["max_steps"]:
            evaluations = evaluations[:n_done]
        return max(evaluation.score for evaluation in evaluations)

    @cached_property
    def _training(self) -> dict[str, Any]:
        file = self.experiment.configs / f"{self.run.method}.cfg"
        if not file.exists():
            raise DocreError(Errors.D094.format(method=self.run.method, folder=file.parent))
        overrides = parse_config_overrides(list(self.experiment.overrides))
        overrides = {"paths.train": str(self.experiment.train), **overrides}
        config = load_config(file, overrides=overrides, interpolate=True)
        training: dict[str, Any] = config["training"]
        epochs = (config["initialize"]["after_init"] or {}).get("epochs")
        if not training["max_steps"] and epochs:
            nlp = spacy.blank(config["nlp"]["lang"])
            steps, frequency = plan_training(config, nlp, epochs)
            training |= {"max_steps": steps, "eval_frequency": frequency}
        return training


@dataclass
class Probes:
    """Trials of a method on frozen encodings. They are compared by F1 at the best threshold: in so
    few steps, a head may rank relations well before its threshold lets any of them through. Each
    evaluation is written down at once, so that the command can be resumed; a trial that was
    interrupted begins anew, since it takes minutes.

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
            {**_best(self._evaluations[trial.name][str(until)]), **asdict(trial), "steps": until}
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
        return _best(of_trial[str(until)])["f1_tuned"]

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


def rank(trial: Mapping[str, Any]) -> tuple[int, float]:
    """What decides which of a method's trials is best: one that was stopped is not.

    trial (Mapping[str, Any]): What `Trainings` or `Probes` say of it.
    RETURNS (tuple[int, float]): Its steps, and the F1 by which trials are compared.
    """
    return trial["steps"], trial.get("f1_tuned", trial["f1"])


def tuning_table(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The table of a tuning.

    results (Mapping[str, Sequence[Mapping[str, Any]]]): For each method what its trials gave.
    RETURNS (str): Markdown: a line for each trial, in bold the best one of those of a method that
        were trained for the most steps.
    """
    trials = [trial for of_method in results.values() for trial in of_method]
    has_encoder = any(trial["encoder_rate"] for trial in trials)
    has_dropout = any(trial["dropout"] is not None for trial in trials)
    shown = [name for name in TITLES if any(name in trial for trial in trials)]
    header = ["Method", *(["Encoder rate"] if has_encoder else []), "Head rate"]
    is_probe = any("f1_tuned" in trial for trial in trials)
    header += [*(["Dropout"] if has_dropout else []), "Steps", "F1"]
    header += ["F1, best threshold"] if is_probe else []
    header += [TITLES[name] for name in shown]
    rows = []
    for method, of_method in results.items():
        best = max(of_method, key=rank)
        for trial in of_method:
            shown_f1 = [f"{100 * trial[key]:.2f}" for key in F1_KEYS if key in trial]
            if trial is best:
                shown_f1[-1] = f"**{shown_f1[-1]}**"
            row = [f"`{method}`", *([f"{trial['encoder_rate']:g}"] if has_encoder else [])]
            row += [f"{trial['head_rate']:g}", *([str(trial["dropout"])] if has_dropout else [])]
            row += [str(trial["steps"]), *shown_f1]
            row += [_number(trial.get(name)) for name in shown]
            rows.append(row)
    return figures_table(header, rows) + "\n"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _best(evaluations: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return dict(max(evaluations, key=lambda evaluation: evaluation["f1_tuned"]))
