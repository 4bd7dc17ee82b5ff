"""What inference, `nlp.pipe` and a training step take beside the bare encoder."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch

from ..corpora.readers import copy_sentences
from ..data.clusters import copy_clusters
from ..extractor.component import DocRelationExtractor
from ..extractor.pipeline import find_extractor
from ..training.optimizer import drop_gradients
from .bare import BareEncoder
from .timing import Timing, interleaved

# What can be timed, and what it is beside.
STEPS: dict[str, str] = {
    "inference": "`predict`",
    "pipe": "`nlp.pipe`",
    "training": "training step",
}


def benchmark(
    nlp: Language,
    examples: Sequence[Example],
    *,
    steps: Sequence[str] = tuple(STEPS),
    batch_size: int = 4,
    repeats: int = 5,
    min_seconds: float = 0.0,
) -> dict[str, Timing]:
    """Time a pipeline's relation extractor, and in turn with it its bare encoder, see
    `BareEncoder`, on the same windows of the same wordpieces.

    nlp (Language): The pipeline; its extractor is initialised. Other components are left out.
    examples (Sequence[Example]): Documents whose predicted ones have the clusters of the reference.
    steps (Sequence[str]): What to time:
        "inference": `predict`, from documents to scores, beside the encoder's forward pass.
        "pipe": `nlp.pipe` as a user calls it, from texts to relations: tokenisation, the clusters,
            which are an input, set on the documents, `predict`, decoding and writing. Beside the
            same forward pass.
        "training": `update`, with the loss, beside the encoder's forward and backward pass. The
            optimizer's step is not timed: it is the same for both.
    batch_size (int): Documents in a batch of training. At inference it is the pipeline's.
    repeats (int): How often each is timed at least, in turn, after one round that is not.
    min_seconds (float): See `interleaved`.
    RETURNS (dict[str, Timing]): The timings of the steps.
    RAISES (DocreError): If the encoder has no bare one.
    """
    name, extractor = find_extractor(nlp)
    docs = [eg.predicted for eg in examples]
    timings: dict[str, Timing] = {}

    def measure(bare: Sequence[BareEncoder], functions: dict[str, Callable[[], None]]) -> None:
        measured = interleaved(
            functions, device=bare[0].device, repeats=repeats, min_seconds=min_seconds
        )
        floor = measured.pop("bare")
        wordpieces = sum(part.wordpieces for part in bare)
        for step, samples in measured.items():
            timings[step] = Timing(floor, samples, len(docs), wordpieces)

    whole = BareEncoder(extractor, docs)
    forward_steps: dict[str, Callable[[], None]] = {
        "inference": lambda: _predict(extractor, docs, nlp.batch_size),
        "pipe": lambda: _pipe(nlp, name, examples),
    }
    wanted = {step: function for step, function in forward_steps.items() if step in steps}
    if wanted:
        measure([whole], {"bare": whole.forward, **wanted})
    if "training" in steps:
        batches = [BareEncoder(extractor, part) for part in minibatch(docs, batch_size)]

        def bare_steps() -> None:
            for batch in batches:
                batch.forward_and_backward()

        def update() -> None:
            for part in minibatch(examples, batch_size):
                extractor.update(part)

        try:
            measure(batches, {"bare": bare_steps, "training": update})
        finally:
            drop_gradients(extractor.model)
    return timings


def calibrate(extractor: DocRelationExtractor, docs: Sequence[Doc], n_relations: int) -> None:
    """Set the threshold of an extractor that nobody has trained so that it finds as many relations
    as a trained one would; of itself it would find several for each pair, and writing them would
    take longer than a user will ever see.

    extractor (DocRelationExtractor): The initialised extractor.
    docs (Sequence[Doc]): Documents with clusters.
    n_relations (int): How many relations to find in all of them.
    """
    n_best = extractor.cfg["max_labels"]
    best = [-np.sort(-doc.scores, axis=1)[:, :n_best].ravel() for doc in extractor.predict(docs)]
    ranked = -np.sort(-np.concatenate(best))
    extractor.cfg["threshold"] = float(ranked[min(n_relations, len(ranked) - 1)])


def _predict(extractor: DocRelationExtractor, docs: Sequence[Doc], batch_size: int) -> None:
    for batch in minibatch(docs, batch_size):
        extractor.predict(batch)


def _pipe(nlp: Language, name: str, examples: Sequence[Example]) -> None:
    with nlp.select_pipes(enable=name):
        for _ in nlp.pipe(make_docs(nlp, [eg.reference for eg in examples])):
            pass


def make_docs(nlp: Language, references: Iterable[Doc]) -> Iterator[Doc]:
    """Tokenise the texts of annotated documents and give them their clusters and sentences. Those
    whose text is not known, only their tokens, keep these.

    nlp (Language): The pipeline with a relation extractor.
    references (Iterable[Doc]): The annotated documents.
    YIELDS (Doc): The new documents.
    """
    _, extractor = find_extractor(nlp)
    for reference in references:
        if reference.has_unknown_spaces:
            doc = Doc(nlp.vocab, words=[token.text for token in reference])
        else:
            doc = nlp.make_doc(reference.text)
        copy_clusters(reference, doc, extractor.cfg["prefix"])
        copy_sentences(reference, doc)
        yield doc
