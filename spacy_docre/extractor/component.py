"""The pipeline component that extracts relations between entity clusters."""

import copy
import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.util import minibatch
from thinc.api import Model, Optimizer, set_dropout_rate
from torch import Tensor

from ..data.clusters import renew_clusters
from ..data.relation import Evidence, check_extension, install_extension, store_relations
from ..errors import DocreError, Errors, Warnings
from ..models.batch import ClusterBatch
from ..models.encoding import HeadOutput
from ..models.relation_model import (
    EncoderInput,
    begin_update,
    loss_and_gradients,
    relation_head,
)
from ..models.weights import read_message
from ..training.guard import StepGuard, is_listening
from ..training.optimizer import Gradients, PartwiseAdamW, drop_gradients
from .calibration import Calibration
from .constraints import ConstraintRules, Constraints
from .decoding import PairScores, decode, score_batch, split_by_doc, threshold_of_labels
from .growth import LabelGrowth
from .limits import LimitedDoc, mark_left_out
from .notices import InputNotices
from .pair_choice import PairChoice
from .reader import DocReader
from .saving import load_parts, naming, read_file, restored_on_error
from .settings import DEFAULTS, check_settings
from .targets import Supervision
from .threshold_choice import ThresholdChoice


class DocRelationExtractor(TrainablePipe):
    """Classifies every ordered pair of a document's entities into relation types.

    The entities are the clusters `doc.spans[f"{prefix}_1"]`, ...; the relations are written to
    `doc._.relations`. A document with fewer than two entities gets an empty list.

    `cfg` holds the settings in force (see `ExtractorSettings`), those that the component was made
    with under "configured", and what it has learned beside its weights: "labels", "entity_types"
    and "observed", the counts that learned constraints go by.

    nlp (Language): The pipeline.
    model (Model[tuple[list[Doc], ClusterBatch], HeadOutput]): The model, usually
        "spacy-docre.RelationModel.v1".
    name (str): The component's name.
    scorer (Optional[Callable]): The scoring method.
    **settings (Any): See `ExtractorSettings`.
    RAISES (DocreError): If a setting is unknown or is not what it must be.
    """

    def __init__(
        self,
        nlp: Language,
        model: Model[EncoderInput, HeadOutput],
        name: str = "doc_relation_extractor",
        *,
        scorer: Callable | None = None,
        **settings: Any,
    ) -> None:
        checked = check_settings({**DEFAULTS, **settings}, name=name)
        install_extension(checked["attr"])
        self.vocab = nlp.vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self.cfg: dict[str, Any] = {
            "labels": [],
            "entity_types": [],
            "observed": None,
            **checked,
            "configured": copy.deepcopy(checked),
        }
        self.reader = DocReader(self)
        self.rules = ConstraintRules(self)
        self.guard = StepGuard(self)
        self.notices = InputNotices(self)
        self.threshold_choice = ThresholdChoice(self)
        self.supervision = Supervision(self)
        self.growth = LabelGrowth(self)
        self._process = os.getpid()
        self._trains_encoder = True
        self._trains_head = True

    @property
    def labels(self) -> tuple[str, ...]:
        """The relation types, in the order of the model's logits."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> list[str]:
        """The relation types as `spacy init labels` saves them and `initialize` reads them."""
        return list(self.cfg["labels"])

    def add_label(self, label: str) -> int:
        """Add a relation type. A model that is initialised gets an output for it.

        label (str): The relation type.
        RETURNS (int): 0 if it was there already, 1 otherwise.
        RAISES (DocreError): If the model is initialised and is not one that can grow.
        """
        return self.growth.add([label])

    def learn_labels(self, get_examples: Callable[[], Iterable[Example]]) -> None:
        """Add the relation types of training data to a component that was loaded to be trained on;
        to any other, nothing. `update` does so too, batch by batch.

        get_examples (Callable[[], Iterable[Example]]): Gives the data.
        RAISES (DocreError): If a relation names a cluster that is not there.
        """
        if self.growth.is_open:
            self.growth.learn(get_examples)

    def configure(self, **settings: Any) -> None:
        """Change settings. They are saved with the component.

        **settings (Any): See `ExtractorSettings`.
        RAISES (DocreError): If one is unknown, is not what it must be, or does not go with the
            labels; then none is changed.
        """
        checked = check_settings(settings, name=self.name)
        before = dict(self.cfg)
        self.cfg.update(checked)
        try:
            self._check_names()
        except DocreError:
            self.cfg.update(before)
            raise

    def learn_constraints(self, examples: Iterable[Example]) -> None:
        """Count what "learned" constraints go by, as `initialize` does: for a component that was
        saved without, or to learn from other documents than it was trained on.

        examples (Iterable[Example]): The examples.
        RAISES (DocreError): If the constraints do not go with the labels.
        """
        self.rules.learn(self.rules.observe(examples))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Annotate a stream of documents, in its order. Within each batch documents of similar
        length go through the model together. If a batch fails, its documents are tried one by one,
        so that the error handler gets, and the stream loses, only those that fail.

        stream (Iterable[Doc]): The documents.
        batch_size (int): How many documents to look at at once.
        YIELDS (Doc): The annotated documents.
        """
        for docs in minibatch(stream, size=batch_size):
            yield from self._annotate(docs)

    @torch.inference_mode()
    def predict(self, docs: Iterable[Doc]) -> list[PairScores]:
        """Score all candidate pairs of documents under the constraints, without modifying them.

        docs (Iterable[Doc]): The documents.
        RETURNS (list[PairScores]): The scores of each document.
        """
        self._use_one_thread_in_worker()
        docs = list(docs)
        constraints = self.rules.in_force
        calibration = Calibration.from_settings(self.cfg["calibration"])
        decoding = self._decoding
        if calibration is not None:
            decoding["calibrate"] = calibration.apply
        self.notices.look_at(docs)
        limited = self.reader.read(docs)
        scores = [PairScores.empty(len(self.labels))] * len(docs)
        for indices in self.reader.batches(limited):
            batch = [docs[i] for i in indices]
            clusters = self.reader.clusters(batch, [limited[i] for i in indices])
            self.notices.look_at_types(batch, clusters)
            if constraints is not None:
                constraints.warn_of_unknown_types(batch, clusters, name=self.name)
            read = [limited[i] for i in indices]
            by_doc = self._score(batch, clusters, read, constraints, **decoding)
            for i, doc_scores in zip(indices, by_doc, strict=True):
                scores[i] = doc_scores
        return [
            replace(doc_scores, left_out=doc.left_out, has_moved=doc.whole.has_moved)
            for doc_scores, doc in zip(scores, limited, strict=True)
        ]

    def _score(
        self,
        docs: Sequence[Doc],
        clusters: ClusterBatch,
        limited: Sequence[LimitedDoc],
        constraints: Constraints | None,
        **decoding: Any,
    ) -> Iterator[PairScores]:
        """Score the pairs of a batch, as far as constraints let them have relations."""
        head = relation_head(self.model.get_ref("head"))
        chosen = PairChoice.of(
            docs,
            clusters,
            limited,
            constraints,
            reader=self.reader,
            can_leave_out=head.can_leave_out_pairs,
        )
        scores: np.ndarray = np.zeros((0, len(self.labels)), dtype=np.float32)
        evidence: Evidence = {}
        if chosen.docs:
            output = self.model.predict((chosen.docs, chosen.clusters))
            scores, evidence = score_batch(head, output, chosen.clusters, constraints, **decoding)
        scores, evidence = chosen.spread(scores, evidence)
        return split_by_doc(clusters, scores, evidence, chosen.is_possible)

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[PairScores]) -> None:
        """Write the relations of documents: each pair's best types above the threshold, sorted by
        score.

        docs (Iterable[Doc]): The documents to modify.
        scores (Sequence[PairScores]): What `predict` returned.
        """
        labels, decoding, attr = self.labels, self._decoding, self.cfg["attr"]
        check_extension(attr)
        for doc, doc_scores in zip(docs, scores, strict=True):
            if doc_scores.has_moved:
                renew_clusters(doc, self.cfg["prefix"])
            relations = decode(doc_scores, labels, **decoding)
            store_relations(doc, [dict(relation) for relation in relations], attr=attr)
            mark_left_out(doc, doc_scores.left_out, attr=attr)
            self.threshold_choice.note(doc, doc_scores)

    def score(self, examples: Iterable[Example], **settings: Any) -> dict[str, Any]:
        """Score the component's relations; see `TrainablePipe.score`.

        examples (Iterable[Example]): The examples.
        **settings (Any): Settings of the scorer.
        RETURNS (dict[str, Any]): The scores.
        """
        settings = {"choose_threshold": self.threshold_choice.choose, **settings}
        scores: dict[str, Any] = super().score(examples, **settings)
        return scores

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch of examples. A batch without a pair whose relations are known changes
        nothing, and neither does a loss that is not finite.

        examples (Iterable[Example]): The batch.
        drop (float): The dropout rate of the model's Thinc layers.
        sgd (Optional[Optimizer]): The optimizer; None only adds up gradients.
        losses (Optional[dict[str, float]]): The losses so far, by component; updated.
        RETURNS (dict[str, float]): The losses.
        RAISES (DocreError): If the loss is not finite, unless such steps are to be left out.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "DocRelationExtractor.update")
        self.supervision.prepare(examples)
        self.growth.learn_from_batch(examples)
        docs = [eg.predicted for eg in examples]
        clusters = self._learned_clusters(docs)
        if not len(clusters.pair_head):
            if is_listening(self.model):
                # Without an answer, the gradients of the components before this one would be lost.
                _, backprop = self.model.get_ref("encoder").begin_update((docs, clusters))
                backprop((None, None, None))
            return losses
        set_dropout_rate(self.model, drop)
        self.guard.begin(examples, losses)
        output, loss, gradients, backprop = self._begin_update(examples, clusters)
        if self.guard.check_loss(loss, examples, clusters, output):
            backprop(gradients)
            losses[self.name] += loss
        else:
            # Other components that learn with a shared encoder wait for an answer.
            backprop([None] * len(gradients))
        if sgd is not None:
            self.finish_update(sgd)
        return losses

    def fails_alone(self, example: Example) -> bool:
        """Whether loss or gradient of an example by itself are not finite. Takes away all
        gradients.

        example (Example): The example.
        RETURNS (bool): Whether one is not finite.
        """
        clusters = self._learned_clusters([example.predicted])
        if not len(clusters.pair_head):
            return False
        _, loss, gradients, backprop = self._begin_update([example], clusters)
        backprop(gradients)
        norm = Gradients.of([self.model]).norm
        drop_gradients(self.model)
        return not (math.isfinite(loss) and norm.isfinite())

    def get_loss(
        self, examples: Iterable[Example], scores: tuple[ClusterBatch, HeadOutput]
    ) -> tuple[float, list[Tensor | None]]:
        """The loss of the head, and its gradients.

        examples (Iterable[Example]): The batch.
        scores (tuple[ClusterBatch, HeadOutput]): The clusters that the model read, and its output.
        RETURNS (tuple[float, list[Optional[Tensor]]]): The loss, and its gradient for each of the
            output's tensors; None for those that the loss does not use.
        """
        clusters, output = scores
        validate_examples(examples, "DocRelationExtractor.get_loss")
        head = self.model.get_ref("head")
        targets, soft = self.supervision.targets(
            list(examples),
            clusters,
            device=output.logits.device,
            with_evidence=relation_head(head).learns_evidence,
        )
        return loss_and_gradients(head, output, targets, soft)

    def finish_update(self, sgd: Optimizer) -> None:
        """Apply the gradients, if all are finite, and drop them. Parameters without a gradient
        stay as they are.

        sgd (Optimizer): The optimizer. A `PartwiseAdamW` gives encoder and head learning rates of
            their own.
        RAISES (DocreError): If one is not finite, unless such steps are to be left out.
        """
        encoder, head = self.model.get_ref("encoder"), self.model.get_ref("head")
        gradients = Gradients.of([encoder, head])
        if self.guard.check_step(gradients):
            if isinstance(sgd, PartwiseAdamW):
                # Known from the first step on: spaCy hands over the optimizer after the gradients.
                self._trains_encoder = sgd.trains_encoder
                if sgd.trains_head != self._trains_head:
                    self._trains_head = sgd.trains_head
                    relation_head(head).requires_grad_(sgd.trains_head)
                sgd.update_parts(encoder, head, gradients)
            else:
                self.model.finish_update(sgd)
            self.threshold_choice.is_due = True
        drop_gradients(self.model)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Collect the labels and build the model. One that is built, of a pipeline that was loaded,
        keeps its weights and gets outputs for labels that are new.

        get_examples (Callable[[], Iterable[Example]]): Gives a representative sample.
        nlp (Optional[Language]): The pipeline.
        labels (Optional[Sequence[str]]): The relation types, for example from a file that
            `spacy init labels` made. None takes those of the examples, sorted.
        RAISES (DocreError): If there is no label, or the constraints do not go with the labels.
        """
        validate_get_examples(get_examples, "DocRelationExtractor.initialize")
        if self.is_initialized:
            self.growth.learn(get_examples, labels)
        else:
            self._build(get_examples, labels)
        self.growth.is_open = False

    def _build(
        self, get_examples: Callable[[], Iterable[Example]], labels: Sequence[str] | None
    ) -> None:
        observed = self.rules.observe(get_examples())
        self.growth.add(sorted(observed.labels) if labels is None else labels)
        if not self.labels:
            raise DocreError(Errors.D005.format(name=self.name, attr=self.cfg["attr"]))
        self.cfg["entity_types"] = sorted(observed.entity_types)
        self.rules.learn(observed)
        sample = list(islice(get_examples(), 4))
        self.supervision.prepare(sample)
        docs = [eg.predicted for eg in sample]
        for layer in self.model.layers:
            _set_dim_if_open(layer, "nT", len(self.cfg["entity_types"]) + 1)
        _set_dim_if_open(self.model.get_ref("head"), "nO", len(self.labels))
        self.model.initialize(X=(docs, self.reader.clusters(docs)))
        head = relation_head(self.model.get_ref("head"))
        if head.uses_prior:
            head.start_at(torch.from_numpy(self.supervision.prior(get_examples())))

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "DocRelationExtractor":
        """Load the component from disk; see `TrainablePipe.from_disk`.

        path (Union[str, Path]): The component's folder.
        exclude (Iterable[str]): What not to load.
        RETURNS (DocRelationExtractor): The component.
        RAISES (DocreError): If a file is not what the component saved.
        """
        excluded = set(exclude)
        files = {name: Path(path) / name for name in ("cfg", "model") if name not in excluded}
        with restored_on_error(self):
            load_parts(self, {name: read_file(file) for name, file in files.items()}, files)
            self._check_names()
            if "vocab" not in excluded:
                self.vocab.from_disk(Path(path) / "vocab", exclude=excluded)
        self.growth.is_open = True
        return self

    def from_bytes(
        self, bytes_data: bytes, *, exclude: Iterable[str] = ()
    ) -> "DocRelationExtractor":
        """Load the component from bytes; see `TrainablePipe.from_bytes`.

        bytes_data (bytes): What `to_bytes` gave.
        exclude (Iterable[str]): What not to load.
        RETURNS (DocRelationExtractor): The component.
        RAISES (DocreError): If they are not what the component saved.
        """
        excluded = set(exclude)
        place = f"The bytes of the component '{self.name}'"
        with naming(place):
            message = read_message(bytes_data, ())
        parts = {name: part for name, part in message.items() if name not in excluded}
        places = {name: f"{place}, part '{name}'," for name in ("cfg", "model")}
        with restored_on_error(self):
            load_parts(self, {name: parts[name] for name in places if name in parts}, places)
            self._check_names()
            if "vocab" in parts:
                self.vocab.from_bytes(parts["vocab"], exclude=excluded)
        self.growth.is_open = True
        return self

    def _check_names(self) -> None:
        """Check that settings name types that there are: better at loading than at the first
        text."""
        if self.labels:
            _ = self.rules.in_force, self._decoding

    def _begin_update(
        self, examples: Sequence[Example], clusters: ClusterBatch
    ) -> tuple[HeadOutput, float, list[Tensor | None], Callable]:
        docs = [eg.predicted for eg in examples]
        output, backprop = begin_update(
            self.model,
            (docs, clusters),
            train_encoder=self._trains_encoder or is_listening(self.model),
        )
        loss, gradients = self.get_loss(examples, (clusters, output))
        return output, loss, gradients, backprop

    def _learned_clusters(self, docs: Sequence[Doc]) -> ClusterBatch:
        """The clusters of documents to learn from, without the pairs that are not learned from if
        the head does without."""
        clusters = self.reader.clusters(docs)
        if not relation_head(self.model.get_ref("head")).can_leave_out_pairs:
            return clusters
        is_learned = self.rules.learned_from(clusters)
        return clusters if is_learned.all() else clusters.only(is_learned)

    @property
    def _decoding(self) -> dict[str, Any]:
        threshold = threshold_of_labels(
            self.cfg["threshold"], self.cfg["thresholds"], self.labels, name=self.name
        )
        return {"threshold": threshold, "max_labels": self.cfg["max_labels"]}

    @property
    def is_initialized(self) -> bool:
        """Whether the model is built."""
        return bool(self.model.get_ref("output_layer").has_dim("nI"))

    def _annotate(self, docs: list[Doc]) -> list[Doc]:
        try:
            self.set_annotations(docs, self.predict(docs))
        except Exception as error:
            if len(docs) > 1:
                annotated = [doc for single in docs for doc in self._annotate([single])]
                if len(annotated) == len(docs):
                    # Nobody else will say that something was wrong.
                    message = Warnings.DW23.format(name=self.name, n_docs=len(docs), error=error)
                    warnings.warn(message, stacklevel=2)
                return annotated
            self.get_error_handler()(self.name, self, docs, error)
            return []
        return docs

    def _use_one_thread_in_worker(self) -> None:
        # A process forked by `nlp.pipe(n_process=...)` inherits PyTorch's thread pool without its
        # threads and would wait for them for ever. The workers are the parallelism there.
        if os.getpid() != self._process:
            torch.set_num_threads(1)
            self._process = os.getpid()


def _set_dim_if_open(layer: Model, name: str, size: int) -> None:
    if layer.has_dim(name) is None:
        layer.set_dim(name, size)
