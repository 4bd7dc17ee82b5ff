"""Training of a head alone, on documents that its encoder has read once and for all.

A real training runs the encoder in each step, and spends most of its time there. With the encoder
as it was pretrained, its `Encoding`s are the same in each step: made once, they let a head learn at
many rates in minutes. What comes out are probes: they tell at which rates a head learns, not what
the method reaches."""

import json
import random
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.util import load_config

from ..data.relation import get_relations, set_relations
from ..errors import DocreError, Errors
from ..evaluation.run import read_examples
from ..extractor.component import DocRelationExtractor
from ..extractor.pipeline import find_extractor
from ..extractor.targets import gold_labels
from ..models.batch import ClusterBatch
from ..models.encoding import Encoding, Targets
from ..models.relation_model import relation_head
from ..models.torch_head import RelationHead
from ..training.optimizer import Clip, warmup_linear
from .figures import HeadFigures
from .pair_f1 import best_f1, best_types, f1_at

BETAS, EPSILON = (0.9, 0.999), 1e-8
# What a method's config says of the training of its head.
SETTINGS = ("L2", "max_norm")


def schedule_of(optimizer: Mapping[str, Any]) -> str:
    """Which setting of an optimizer's config holds its schedule.

    optimizer (Mapping[str, Any]): The config.
    RETURNS (str): "schedule", or "learn_rate" as in older configs.
    """
    return "learn_rate" if optimizer.get("encoder_rate") is None else "schedule"


@dataclass(frozen=True)
class FrozenBatch:
    """Documents that are encoded, and their gold standard.

    encoding (Encoding): The encoding.
    targets (Targets): The gold standard of its candidate pairs.
    n_gold (int): The number of gold relations, those included that are of no known type.
    """

    encoding: Encoding
    targets: Targets
    n_gold: int


@dataclass(frozen=True)
class FrozenMethod:
    """A method whose documents are encoded.

    head (RelationHead): Its head, as it was initialised.
    train (Sequence[FrozenBatch]): The training documents.
    dev (Sequence[FrozenBatch]): The development documents.
    max_labels (int): How many types a pair has at most.
    warmup (float): The share of the steps in which the rate rises.
    warmup_epochs (int): The epochs of the method's own warm-up, for a head with phases.
    L2 (float): The weight decay.
    max_norm (float): The largest norm of the gradient; 0 sets no limit.
    clip (Clip): Of which gradient, see `PartwiseAdamW`.
    """

    head: RelationHead
    train: Sequence[FrozenBatch]
    dev: Sequence[FrozenBatch]
    max_labels: int
    warmup: float
    warmup_epochs: int
    L2: float
    max_norm: float
    clip: Clip

    @classmethod
    def read(
        cls,
        config: Path,
        train: Path,
        dev: Path,
        *,
        n_train: int,
        n_dev: int,
        overrides: Mapping[str, Any],
        encoded: dict[str, list[Encoding]],
    ) -> "FrozenMethod":
        """Initialise a method and encode documents.

        config (Path): The method's config.
        train (Path): The training corpus.
        dev (Path): The development corpus.
        n_train (int): How many training documents to take, the first ones; 0 takes all.
        n_dev (int): How many development documents to take; 0 takes all.
        overrides (Mapping[str, Any]): Other settings of the config.
        encoded (dict[str, list[Encoding]]): What encoders have made of the same documents so far,
            by the encoder's config; updated.
        RETURNS (FrozenMethod): The method.
        RAISES (DocreError): If the config has no optimizer of this package.
        """
        corpora = {
            "paths.train": str(train),
            "paths.dev": str(dev),
            "corpora.train.limit": n_train,
        }
        nlp = init_nlp(load_config(config, overrides={**corpora, **overrides}, interpolate=False))
        training = nlp.config.interpolate()["training"]
        optimizer = training["optimizer"]
        schedule = optimizer.get(schedule_of(optimizer))
        if not set(SETTINGS) <= optimizer.keys() or "warmup" not in (schedule or {}):
            raise DocreError(Errors.D170.format(path=config))
        name, extractor = find_extractor(nlp)
        encoder = nlp.config.interpolate()["components"][name]["model"]["encoder"]
        batches, size = [], training["batcher"]["size"]
        for path, n_docs in ((train, n_train), (dev, n_dev)):
            key = json.dumps([str(path), n_docs, size, encoder], sort_keys=True)
            examples = read_examples(nlp, path, limit=n_docs)
            batches.append(_read(extractor, examples, size, encoded.setdefault(key, [])))
        return cls(
            head=relation_head(extractor.model.get_ref("head")),
            train=batches[0],
            dev=batches[1],
            max_labels=extractor.cfg["max_labels"],
            warmup=schedule["warmup"],
            warmup_epochs=(training["before_update"] or {}).get("warmup_epochs", 0),
            clip=optimizer.get("clip", "joint"),
            **{name: optimizer[name] for name in SETTINGS},
        )


class HeadTraining:
    """The training of a head on frozen encodings, as `spacy train` with the method's config would
    train it: AdamW, a rate that rises and falls, clipped gradients. Documents are in the same
    batches in each epoch, the batches in random order.

    method (FrozenMethod): The method. A copy of its head is trained.
    rate (float): The head's highest learning rate.
    steps (int): The steps at the end of which the rate is zero.
    eval_every (int): Steps between evaluations.
    seed (int): Of the random numbers.
    """

    def __init__(
        self, method: FrozenMethod, *, rate: float, steps: int, eval_every: int, seed: int
    ) -> None:
        self.method = method
        self.head = deepcopy(method.head)
        self.steps = steps
        self.eval_every = eval_every
        self.seed = seed
        self.evaluations: list[dict[str, float]] = []
        self._rates = enumerate(islice(warmup_linear(rate, method.warmup, steps), steps), 1)
        self._optimizer = torch.optim.AdamW(
            self.head.parameters(), lr=0.0, betas=BETAS, eps=EPSILON, weight_decay=method.L2
        )
        self._losses: list[float] = []

    def run(self, until: int) -> list[dict[str, float]]:
        """Train, from where it stopped.

        until (int): The step to stop after, one that has not been done.
        RETURNS (list[dict[str, float]]): The evaluations so far: "step", "loss", the mean since the
            last one, and what `evaluate` says.
        """
        for step, rate in self._rates:
            self._optimizer.param_groups[0]["lr"] = rate
            self._losses.append(self._step(step - 1))
            if step % self.eval_every == 0 or step == until:
                loss = sum(self._losses) / len(self._losses)
                self.evaluations.append({"step": step, "loss": loss, **self.evaluate()})
                self._losses.clear()
            if step == until:
                break
        return self.evaluations

    def evaluate(self) -> dict[str, float]:
        """RETURNS (dict[str, float]): "f1" on the development documents, in 0..1; "f1_tuned", that
        with the threshold at which it is best, which is the same for a head that learns none;
        "n_types", the number of types predicted, and the figures of `HeadFigures`.
        """
        head, dev = self.head.eval(), self.method.dev
        figures, parts = HeadFigures(head), []
        with torch.no_grad():
            for batch in dev:
                output = head(batch.encoding)
                figures.add(batch.encoding, output)
                parts.append(best_types(output.scores(), self.method.max_labels))
        scores, labels = torch.cat(parts), torch.cat([batch.targets.labels for batch in dev])
        n_gold = sum(batch.n_gold for batch in dev)
        threshold, tuned = best_f1(scores, labels, n_gold)
        own = threshold if head.needs_threshold else 0.5
        return {
            "f1": f1_at(scores, labels, n_gold, own),
            "f1_tuned": tuned,
            "n_types": int((scores > own).any(dim=0).sum()),
            **figures.values(),
        }

    def _step(self, step: int) -> float:
        epoch, place = divmod(step, len(self.method.train))
        order = list(range(len(self.method.train)))
        random.Random(f"{self.seed}-{epoch}").shuffle(order)
        batch = self.method.train[order[place]]
        # Whatever else has used random numbers since the last step.
        torch.manual_seed(self.seed + step)
        self.head.train().set_phase(epoch, self.method.warmup_epochs)
        self._optimizer.zero_grad(set_to_none=True)
        loss = self.head.loss(self.head(batch.encoding), batch.targets)
        loss.backward()
        if self.method.max_norm:
            parts = self.head.parts() if self.method.clip == "parts" else [self.head.parameters()]
            for part in parts:
                torch.nn.utils.clip_grad_norm_(part, self.method.max_norm)
        self._optimizer.step()
        return float(loss.detach())


def _read(
    extractor: DocRelationExtractor,
    examples: Sequence[Example],
    size: int,
    encodings: list[Encoding],
) -> list[FrozenBatch]:
    """Read documents in batches. The encodings are taken from the list, or added to it."""
    encoder, head = (extractor.model.get_ref(name) for name in ("encoder", "head"))
    prefix, attr = extractor.cfg["prefix"], extractor.cfg["attr"]
    known, batches = set(extractor.labels), []
    for number, start in enumerate(range(0, len(examples), size)):
        batch = examples[start : start + size]
        n_gold = 0
        for eg in batch:
            relations = get_relations(eg.reference, attr=attr)
            n_gold += len({relation.triple for relation in relations})
            kept = [relation for relation in relations if relation.label in known]
            set_relations(eg.reference, kept, attr=attr)
        docs = [eg.predicted for eg in batch]
        clusters = ClusterBatch.from_docs(
            docs, prefix=prefix, entity_types=extractor.cfg["entity_types"]
        )
        if number == len(encodings):
            encodings.append(_as_constants(encoder.predict((docs, clusters))))
        gold = gold_labels(
            batch,
            clusters,
            extractor.labels,
            name=extractor.name,
            prefix=prefix,
            attr=attr,
            with_evidence=relation_head(head).learns_evidence,
        )
        targets = Targets(*(torch.from_numpy(array) for array in gold))
        batches.append(FrozenBatch(encodings[number], targets, n_gold))
    return batches


def _as_constants(encoding: Encoding) -> Encoding:
    """The same tensors, outside of the inference mode that they were made in."""
    return replace(
        encoding,
        tokens=encoding.tokens.clone(),
        mention=encoding.mention.clone(),
        attention=encoding.attention.clone(),
        second=None if encoding.second is None else _as_constants(encoding.second),
    )
