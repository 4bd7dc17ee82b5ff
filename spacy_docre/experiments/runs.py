"""One training run of an experiment: trained, evaluated, and written down."""

import hashlib
import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import spacy
import srsly
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.training.loop import DIR_MODEL_BEST, DIR_MODEL_LAST

from ..benchmark.machine import describe_run
from ..corpora.readers import read_docs
from ..errors import DocreError, Errors
from ..evaluation.predictions import read_predictions
from ..evaluation.run import annotate_examples, read_examples
from ..extractor.decoding import PairScores
from ..extractor.pipeline import change_settings, find_extractor
from ..extractor.thresholds import best_threshold, collect_candidates
from ..files import replacing, write_folder
from ..models.relation_model import relation_head
from ..scoring.judgement import TRAIN, Fact, Judgement, collect_facts, count_types, judge_relations
from ..scoring.scorer import score_judgement
from ..training.checkpoint import read_history
from .figures import extractor_figures

RECORD = "record.json"
PREDICTIONS = "dev_predictions.spacy"


@dataclass(frozen=True)
class Run:
    """A method with a seed.

    method (str): The name of its config.
    seed (int): The seed.
    """

    method: str
    seed: int

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.method}-{self.seed}"


@dataclass(frozen=True)
class Experiment:
    """What all runs have in common.

    configs (Path): The folder of the methods' configs.
    train (Path): The training corpus (.spacy).
    dev (Path): The development corpus.
    output (Path): The folder for the runs.
    encoder (Optional[str]): The encoder of the configs, their `paths.encoder`.
    overrides (Sequence[str]): Further settings, as on the command line of `spacy train`.
    gpu_id (int): The GPU, or -1.
    """

    configs: Path
    train: Path
    dev: Path
    output: Path
    encoder: str | None = None
    overrides: Sequence[str] = ()
    gpu_id: int = -1

    def folder(self, run: Run) -> Path:
        """The folder of a run."""
        return self.output / run.name

    def complete(self, run: Run) -> dict[str, Any]:
        """Train a run, or go on with it, and evaluate it, as far as that has not been done.

        run (Run): The run.
        RETURNS (dict[str, Any]): Its record: settings, machine, time, memory, curve and metrics.
        RAISES (DocreError): If it fails; names its log.
        """
        self.train_run(run)
        record = self.folder(run) / RECORD
        if record.exists():
            former: dict[str, Any] = srsly.read_json(record)
            if former["inputs"] == self._inputs(run):
                return former
        found = {"method": run.method, "seed": run.seed, **self._evaluate(run)}
        # The evaluation may have put a threshold into the pipeline's config.
        found["inputs"] = self._inputs(run)
        with replacing(record) as draft:
            # srsly rounds numbers.
            draft.write_text(json.dumps(found, indent=2, ensure_ascii=False), encoding="utf8")
        return found

    def judge(self, run: Run) -> Judgement:
        """The relations that a run predicted for the development corpus."""
        vocab = spacy.blank("xx").vocab
        references = list(read_docs(self.dev, vocab))
        examples = read_predictions(self.folder(run) / PREDICTIONS, references)
        return judge_relations(examples, train_facts=self._facts)

    def train_run(self, run: Run, until: int | None = None) -> None:
        """Train a run, or go on with it.

        run (Run): The run.
        until (Optional[int]): Stop after that many steps.
        RAISES (DocreError): If it fails; names its log.
        """
        config = self.configs / f"{run.method}.cfg"
        if not config.exists():
            raise DocreError(Errors.D094.format(method=run.method, folder=self.configs))
        command = [sys.executable, "-m", "spacy_docre", "train", str(config), "--resume"]
        command += ["--output", str(self.folder(run)), "--gpu-id", str(self.gpu_id)]
        command += ["--system.seed", str(run.seed)]
        command += ["--paths.train", str(self.train), "--paths.dev", str(self.dev)]
        if self.encoder is not None:
            command += ["--paths.encoder", self.encoder]
        if until is not None:
            command += ["--until", str(until)]
        self.output.mkdir(parents=True, exist_ok=True)
        log = self.folder(run).with_suffix(".log")
        with log.open("ab") as stream:
            done = subprocess.run([*command, *self.overrides], stdout=stream, stderr=stream)
        if done.returncode:
            raise DocreError(Errors.D095.format(run=run.name, status=done.returncode, log=log))

    def _inputs(self, run: Run) -> dict[str, str]:
        paths = {
            "config": self.folder(run) / DIR_MODEL_BEST / "config.cfg",
            "train": self.train,
            "dev": self.dev,
        }
        return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in paths.items()}

    @cached_property
    def _facts(self) -> dict[str, set[Fact]]:
        return {TRAIN: collect_facts(self._train_docs())}

    @cached_property
    def _counts(self) -> Counter[str]:
        return count_types(self._train_docs())

    def _train_docs(self) -> Iterator[Doc]:
        return read_docs(self.train, spacy.blank("xx").vocab)

    def _evaluate(self, run: Run) -> dict[str, Any]:
        folder = self.folder(run)
        nlp, scored = self._annotate(folder / DIR_MODEL_BEST)
        is_tuned = _needs_threshold(nlp)
        if is_tuned:
            # Training chose among its steps with a threshold that nobody had chosen: if none of
            # them found anything with it, the untrained model won.
            models = [(nlp, scored), self._annotate(folder / DIR_MODEL_LAST)]
            nlp, scored = max(models, key=lambda model: _tune_threshold(*model))
            write_folder(folder / DIR_MODEL_BEST, nlp.to_disk)
        _, extractor = find_extractor(nlp)
        docs = [eg.predicted for eg, _ in scored]
        with replacing(folder / PREDICTIONS) as draft:
            DocBin(docs=docs, store_user_data=True).to_disk(draft)
        history = read_history(folder)
        best = max(history.evaluations, key=lambda evaluation: evaluation.score)
        settings = describe_run(gpu_id=self.gpu_id, seed=run.seed)
        return {
            "encoder": self.encoder,
            "machine": {k: settings[k] for k in ("machine", "cpu", "cores", "gpu", "threads")},
            "versions": settings["versions"],
            "seconds": history.seconds,
            "steps": history.steps,
            "peak_memory": history.peak_memory,
            "best_score": best.score,
            "curve": [e.score for e in history.evaluations],
            "losses": [e.losses for e in history.evaluations],
            "threshold": extractor.cfg["threshold"],
            "threshold_tuned": is_tuned,
            "figures": extractor_figures(extractor, docs),
            "scores": score_judgement(self.judge(run), train_counts=self._counts, subsets=True),
        }

    def _annotate(self, path: Path) -> tuple[Language, list[tuple[Example, PairScores]]]:
        nlp = spacy.load(path)
        return nlp, list(annotate_examples(nlp, read_examples(nlp, self.dev)))


def complete_all(
    experiment: Experiment,
    runs: Sequence[Run],
    *,
    jobs: int = 1,
    tell: Callable[[str, dict[str, Any] | DocreError], None],
) -> dict[str, list[dict[str, Any]]]:
    """Complete runs; one that fails is no reason not to train the others.

    experiment (Experiment): What they have in common.
    runs (Sequence[Run]): The runs.
    jobs (int): How many to train at once.
    tell (Callable[[str, Union[dict[str, Any], DocreError]], None]): Called at the end of each run
        with its name and its record, or what went wrong.
    RETURNS (dict[str, list[dict[str, Any]]]): The records by method, of those that did not fail.
    """

    def complete(run: Run) -> dict[str, Any] | None:
        try:
            record = experiment.complete(run)
        except DocreError as error:
            tell(run.name, error)
            return None
        tell(run.name, record)
        return record

    records = defaultdict(list)
    with ThreadPoolExecutor(jobs) as pool:
        for record in pool.map(complete, runs):
            if record is not None:
                records[record["method"]].append(record)
    return dict(records)


def _needs_threshold(nlp: Language) -> bool:
    _, extractor = find_extractor(nlp)
    return relation_head(extractor.model.get_ref("head")).needs_threshold


def _tune_threshold(nlp: Language, scored: list[tuple[Example, PairScores]]) -> float:
    """Give a pipeline the best threshold for documents, and these the relations above it.

    RETURNS (float): Their F1, in 0..1.
    """
    _, extractor = find_extractor(nlp)
    settings = {key: extractor.cfg[key] for key in ("max_labels", "prefix", "attr")}
    candidates = collect_candidates(scored, extractor.labels, **settings)
    thresholds = best_threshold(candidates)
    change_settings(nlp, threshold=thresholds.common)
    extractor.set_annotations([eg.predicted for eg, _ in scored], [s for _, s in scored])
    return candidates.f1(thresholds)
