"""spaCy's training loop with checkpoints."""

import json
import random
import shutil
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.tokens import Doc
from spacy.training import Example
from spacy.training.loop import (
    DIR_MODEL_BEST,
    DIR_MODEL_LAST,
    clean_output_dir,
    create_before_to_disk_callback,
    create_evaluation_callback,
    create_train_batches,
    train_while_improving,
    update_meta,
)
from spacy.util import registry, resolve_dot_names, walk_dict
from thinc.api import Config, Optimizer, fix_random_seed, set_gpu_allocator
from wasabi import Printer

from ..errors import DocreError, Errors
from ..files import displayed, restore_folder, write_folder
from ..files.folders import locked
from .checkpoint import Checkpoints
from .guard import StepGuard, left_out_key
from .state import Evaluation, peak_memory, restore_python_random, trainable_models

LOCK = ".train.lock"


def train(
    nlp: Language,
    output: Path,
    *,
    resume: bool = False,
    checkpoint_every: int | None = None,
    until: int | None = None,
    use_gpu: int = -1,
    inputs: Mapping[str, Path] | None = None,
    stdout: IO = sys.stdout,
    stderr: IO = sys.stderr,
) -> None:
    """Train a pipeline as `spacy train` does, with checkpoints that a killed run can go on from.
    A run that goes on ends with the weights of one that was never interrupted (on a CPU; a GPU
    does not repeat itself to the bit).

    The steps up to the checkpoint are replayed without computing them, so that batches, schedules,
    callbacks, early stopping and the log come to the same place by spaCy's own code.

    nlp (Language): The pipeline, initialised with its full config.
    output (Path): The folder for the best and the last model, and the checkpoints.
    resume (bool): Go on from the checkpoint in the folder, if there is one. Otherwise former
        checkpoints and models are removed.
    checkpoint_every (Optional[int]): Steps between checkpoints. None makes one after each
        evaluation.
    until (Optional[int]): Stop after that many steps, with a checkpoint. The schedules are those of
        the whole training, which can be resumed.
    use_gpu (int): The number of the GPU, or -1.
    inputs (Optional[Mapping[str, Path]]): Files and folders that decide the result and that the
        pipeline's config does not name, such as code, by the names that they have in messages.
    stdout (IO): Where the progress is written.
    stderr (IO): Where the logger writes the rest.
    RAISES (DocreError): If the checkpoint cannot be read, or does not go with config and corpus, or
        if another process trains in the folder.
    """
    output.mkdir(parents=True, exist_ok=True)
    with locked(output, LOCK):
        run = TrainingRun(nlp, output, resume=resume, use_gpu=use_gpu, inputs=inputs or {})
        _train(run, checkpoint_every, stdout, stderr, until)


def _train(
    run: "TrainingRun",
    checkpoint_every: int | None,
    stdout: IO,
    stderr: IO,
    until: int | None,
) -> None:
    message = Printer(no_print=True)
    if run.history.finished:
        stdout.write(
            message.good(f"Finished already, after {run.first_step} steps: {displayed(run.output)}")
            + "\n"
        )
        return
    if run.first_step:
        stdout.write(message.info(f"Going on after step {run.first_step - 1}") + "\n")
    stdout.write(message.info(f"Pipeline: {run.nlp.pipe_names}") + "\n")
    if until is not None and run.first_step >= until:
        return
    run.train(checkpoint_every, stdout, stderr, until)
    for name, guard in run.guards.items():
        if guard.count:
            text = f"'{name}': {guard.count} steps were left out"
            stdout.write(message.warn(text, "Loss or gradient was not a finite number.") + "\n")
    stdout.write(message.good("Saved pipeline to output directory", displayed(run.last)) + "\n")


class TrainingRun:
    """A training run and its checkpoints; see `train`."""

    def __init__(
        self,
        nlp: Language,
        output: Path,
        *,
        resume: bool,
        use_gpu: int,
        inputs: Mapping[str, Path],
    ) -> None:
        self.nlp = nlp
        self.output = output
        self.last = output / DIR_MODEL_LAST
        config = nlp.config.interpolate()
        self.checkpoints = Checkpoints(output, config, inputs)
        for name in (DIR_MODEL_BEST, DIR_MODEL_LAST):
            restore_folder(output / name)
        if not resume:
            self.checkpoints.clear()
            clean_output_dir(output)
        self.history = self.checkpoints.load_history()
        self.first_step = self.history.steps
        self._remove_log(config)
        self._add_labels(config)
        # In the order of spaCy's loop: what is resolved may use random numbers.
        if config["training"]["seed"] is not None:
            fix_random_seed(config["training"]["seed"])
        if use_gpu >= 0 and config["training"]["gpu_allocator"]:
            set_gpu_allocator(config["training"]["gpu_allocator"])
        self.settings = registry.resolve(config["training"], schema=ConfigSchemaTraining)
        names = [self.settings["train_corpus"], self.settings["dev_corpus"]]
        self.train_corpus, dev_corpus = resolve_dot_names(config, names)
        self.evaluate = create_evaluation_callback(nlp, dev_corpus, self.settings["score_weights"])
        self.optimizer: Optimizer = self.settings["optimizer"]
        self.models = trainable_models(nlp, self.settings["frozen_components"])
        guards = {name: getattr(pipe, "guard", None) for name, pipe in nlp.pipeline}
        self.guards = {name: g for name, g in guards.items() if isinstance(g, StepGuard)}
        self.left_out = dict.fromkeys(self.guards, 0)
        self.is_replaying = self.first_step > 0
        self.digest = 0
        self._epochs_replayed = 0
        self._evaluations_replayed = 0

    def _add_labels(self, config: Config) -> None:
        """Let components that were trained before have all relation types of the corpus from the
        beginning, so that a checkpoint has as many outputs as the run that it is loaded into."""
        settings, pipes = config["training"], cast(list[tuple[str, Any]], self.nlp.pipeline)
        # A corpus that is streamed may have no end.
        if settings["max_epochs"] >= 0:
            for name, pipe in pipes:
                if hasattr(pipe, "learn_labels") and name not in settings["frozen_components"]:
                    [corpus] = resolve_dot_names(config, [settings["train_corpus"]])
                    pipe.learn_labels(partial(corpus, self.nlp))

    def train(
        self, checkpoint_every: int | None, stdout: IO, stderr: IO, until: int | None = None
    ) -> None:
        """Run to the end, or for a number of steps.

        checkpoint_every (Optional[int]): Steps between checkpoints.
        stdout (IO): Where the logger writes.
        stderr (IO): Where the logger writes the rest.
        until (Optional[int]): The number of steps, from the beginning.
        """
        frozen = self.settings["frozen_components"]
        with self.nlp.select_pipes(disable=frozen):
            log_step, finalize_logger = self.settings["logger"](self.nlp, stdout, stderr)
        start = time.monotonic() - self.history.seconds
        try:
            for batch, info, is_best in self._steps():
                self._digest(batch)
                evaluated = is_best is not None
                if self.is_replaying:
                    self._replay_losses(info, evaluated)
                if evaluated:
                    with self.nlp.select_pipes(disable=frozen):
                        update_meta(self.settings, self.nlp, info)
                    if not self.is_replaying:
                        self._save_model(bool(is_best))
                log_step(info if evaluated else None)
                if evaluated:
                    self._log_left_out(info["losses"], stdout)
                if self.is_replaying:
                    self._end_replay(info)
                    continue
                self._remember(info, time.monotonic() - start, evaluated)
                stops = self.history.steps == until
                if stops or (
                    self.history.steps % checkpoint_every == 0 if checkpoint_every else evaluated
                ):
                    self.checkpoints.save(self.history, self.models, self.optimizer)
                if stops:
                    return
        finally:
            finalize_logger()
            if not self.is_replaying:
                self._save_model(False)
        self.checkpoints.finish(replace(self.history, finished=True))

    def _steps(self) -> Iterator[tuple[Any, dict[str, Any], bool | None]]:
        batches = create_train_batches(
            self.nlp, self.train_corpus, self._batches, self.settings["max_epochs"]
        )
        names = ("dropout", "accumulate_gradient", "patience", "max_steps", "eval_frequency")
        callback = self.settings["before_update"]
        return train_while_improving(
            _Replay(self),  # type: ignore[arg-type]
            self.optimizer,
            batches,
            self._evaluate,
            exclude=self.settings["frozen_components"],
            annotating_components=self.settings["annotating_components"],
            before_update=callback and (lambda _, args: callback(self.nlp, args)),
            **{name: self.settings[name] for name in names},
        )

    def _batches(self, examples: Iterable[Example]) -> Iterator[Any]:
        """The batches of an epoch. Components may use Python's random numbers, with which the
        documents are shuffled: while they are not computed, the numbers are set after each epoch
        to what they were then."""
        yield from self.settings["batcher"](examples)
        if self.is_replaying:
            self._epochs_replayed += 1
            with self.checkpoints.replaying():
                restore_python_random(self.history.epochs[self._epochs_replayed - 1])
        else:
            self.history.epochs.append(random.getstate())

    def _digest(self, batch: Iterable[Example]) -> None:
        for example in batch:
            self.digest = zlib.crc32(_content(example.reference), self.digest)

    def _evaluate(self) -> tuple[float, dict[str, Any]]:
        if not self.is_replaying:
            return self.evaluate()
        self._evaluations_replayed += 1
        with self.checkpoints.replaying():
            evaluation = self.history.evaluations[self._evaluations_replayed - 1]
        return evaluation.score, evaluation.other_scores

    def _replay_losses(self, info: dict[str, Any], evaluated: bool) -> None:
        if evaluated:
            info["losses"].update(self.history.evaluations[self._evaluations_replayed - 1].losses)
        elif info["step"] + 1 == self.first_step:
            info["losses"].update(self.history.losses)

    def _end_replay(self, info: dict[str, Any]) -> None:
        if info["step"] + 1 < self.first_step:
            return
        if self.digest != self.history.digest:
            raise DocreError(Errors.D093.format(folder=self.output))
        self.checkpoints.restore(self.models, self.optimizer)
        self._restore_thresholds()
        pending = {} if info["score"] is not None else info["losses"]
        for name, guard in self.guards.items():
            guard.count = int(self.left_out[name] + pending.get(left_out_key(name), 0))
        self.is_replaying = False

    def _restore_thresholds(self) -> None:
        """The thresholds that the last evaluation chose, see `DocRelationExtractor`."""
        scores = [e.other_scores for e in self.history.evaluations]
        if scores and scores[-1].get("rel_threshold") is not None:
            pipes: list[tuple[str, Any]] = self.nlp.pipeline
            for _, pipe in pipes:
                if hasattr(pipe, "threshold_choice"):
                    pipe.cfg["threshold"] = scores[-1]["rel_threshold"]

    def _log_left_out(self, losses: dict[str, float], stdout: IO) -> None:
        """Say how many steps were left out. spaCy's logger does not, and in the morning nobody
        scrolls up to the warnings."""
        for name in self.guards:
            new = int(losses.get(left_out_key(name), 0))
            self.left_out[name] += new
            if new:
                so_far = f"'{name}': {self.left_out[name]} steps left out so far, {new} of them now"
                stdout.write(Printer(no_print=True).warn(so_far) + "\n")

    def _remember(self, info: dict[str, Any], seconds: float, evaluated: bool) -> None:
        history = self.history
        history.steps = info["step"] + 1
        history.digest = self.digest
        history.seconds = seconds
        history.peak_memory = max(peak_memory() or 0, history.peak_memory or 0) or None
        history.losses = {} if evaluated else dict(info["losses"])
        if evaluated:
            history.evaluations.append(
                Evaluation(info["score"], info["other_scores"], dict(info["losses"]))
            )

    def _save_model(self, is_best: bool) -> None:
        prepare = create_before_to_disk_callback(self.settings["before_to_disk"])
        with self.nlp.use_params(self.optimizer.averages or {}):
            write_folder(self.last, prepare(self.nlp).to_disk)
        if is_best:
            write_folder(
                self.output / DIR_MODEL_BEST,
                lambda draft: shutil.copytree(self.last, draft, dirs_exist_ok=True),
            )

    def _remove_log(self, config: dict[str, Any]) -> None:
        # spaCy's logger writes no log where there is one; the replay writes it again.
        path = config["training"]["logger"].get("output_file")
        if self.checkpoints.folder.exists() and not self.history.finished and path:
            Path(path).unlink(missing_ok=True)
        self.checkpoints.folder.mkdir(parents=True, exist_ok=True)


def check_settings(config: Config) -> None:
    """Check the names of the settings of training, and that all settings can be saved. spaCy's
    schema forbids other names, but with newer versions of confection they are dropped without a
    word.

    config (Config): The config, before a pipeline is made of it.
    RAISES (DocreError): If a setting is unknown, or no valid Unicode, as a file's name may be.
    """
    known = list(ConfigSchemaTraining.model_fields)
    if unknown := [name for name in config.get("training", ()) if name not in known]:
        close = [match for name in unknown for match in get_close_matches(name, known, cutoff=0.5)]
        meant = f"; did you mean {', '.join(map(repr, close))}?" if close else "."
        raise DocreError(Errors.D148.format(names=", ".join(map(repr, unknown)), meant=meant))
    for path, value in walk_dict(config):
        try:
            json.dumps(value, ensure_ascii=False).encode("utf8")
        except UnicodeEncodeError:
            condition = "valid Unicode, so that a config can hold it"
            setting = {"setting": ".".join(path), "condition": condition, "value": repr(value)}
            raise DocreError(Errors.D020.format(**setting)) from None


def _content(doc: Doc) -> bytes:
    """What is learned of a document: its text and tokens, and what is annotated, but for attributes
    of single tokens."""
    ents = [(ent.start, ent.end, ent.label_, ent.kb_id_) for ent in doc.ents]
    spans = {
        key: [(span.start, span.end, span.label_, span.kb_id_) for span in group]
        for key, group in doc.spans.items()
    }
    # Relations among them, whatever the attribute is called.
    lists = [value for value in doc.user_data.values() if isinstance(value, list)]
    return repr((doc.text, [token.idx for token in doc], ents, spans, lists)).encode()


class _Replay:
    """The pipeline as the training loop sees it: it learns nothing while steps are replayed."""

    def __init__(self, run: TrainingRun) -> None:
        self.run = run
        self.use_params = run.nlp.use_params

    @property
    def pipeline(self) -> list[tuple[str, Callable]]:
        return [] if self.run.is_replaying else self.run.nlp.pipeline

    def update(self, examples: Iterable[Example], **settings: Any) -> None:
        if not self.run.is_replaying:
            self.run.nlp.update(examples, **settings)
