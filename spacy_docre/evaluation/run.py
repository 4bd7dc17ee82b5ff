"""Running a pipeline over annotated documents, with gold clusters, gold mentions or its own."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import filter_spans

from ..corpora.readers import GoldClusterCorpus
from ..data.clusters import copy_clusters, get_clusters, remove_clusters
from ..data.docs import bare_doc
from ..errors import DocreError, Errors
from ..extractor.decoding import PairScores
from ..extractor.pipeline import find_extractor


def read_examples(nlp: Language, path: str | Path, *, limit: int = 0) -> list[Example]:
    """Read an annotated corpus for a pipeline's relation extractor; the predicted documents have
    the gold clusters.

    nlp (Language): The pipeline.
    path (Union[str, Path]): A `.spacy` file or a folder of them.
    limit (int): Read at most that many documents; 0 sets no limit.
    RETURNS (list[Example]): The examples.
    RAISES (DocreError): If no document has entity clusters.
    """
    _, extractor = find_extractor(nlp)
    prefix, attr = extractor.cfg["prefix"], extractor.cfg["attr"]
    examples = list(GoldClusterCorpus(path, prefix=prefix, attr=attr, limit=limit)(nlp))
    if not any(get_clusters(eg.reference, prefix) for eg in examples):
        raise DocreError(Errors.D017.format(path=path, prefix=prefix, attr=attr))
    return examples


def annotate_examples(
    nlp: Language,
    examples: Sequence[Example],
    *,
    gold_clusters: bool = True,
    gold_mentions: bool = False,
    batch_size: int = 32,
) -> Iterator[tuple[Example, PairScores]]:
    """Run a pipeline over the predicted documents of examples, up to and with its relation
    extractor, and replace them by the annotated ones.

    nlp (Language): The pipeline.
    examples (Sequence[Example]): The examples.
    gold_clusters (bool): Whether the extractor gets the gold clusters, or those that the pipeline
        makes from the bare text.
    gold_mentions (bool): Instead of the bare text, give the pipeline the gold entities, in place of
        those that its components would set as `doc.ents`.
    batch_size (int): How many documents go through the pipeline at once.
    YIELDS (tuple[Example, PairScores]): Each example, and the scores of its document's pairs.
    """
    name, extractor = find_extractor(nlp)
    prefix = extractor.cfg["prefix"]
    before = nlp.pipe_names[: nlp.pipe_names.index(name)]
    if gold_mentions:
        before = [n for n in before if "doc.ents" not in nlp.get_pipe_meta(n).assigns]
    for start in range(0, len(examples), batch_size):
        batch = examples[start : start + batch_size]
        docs = [
            eg.predicted if gold_clusters else bare_doc(eg.predicted, nlp.vocab) for eg in batch
        ]
        if gold_mentions:
            for eg, doc in zip(batch, docs, strict=True):
                _copy_entities(eg.reference, doc, prefix)
        with nlp.select_pipes(enable=before):
            docs = list(nlp.pipe(docs, batch_size=batch_size))
        for eg, doc in zip(batch, docs, strict=True):
            if gold_clusters:
                remove_clusters(doc, prefix)
                copy_clusters(eg.reference, doc, prefix)
            eg.predicted = doc
        scores = extractor.predict(docs)
        extractor.set_annotations(docs, scores)
        yield from zip(batch, scores, strict=True)


def _copy_entities(source: Doc, target: Doc, prefix: str) -> None:
    """Set the entities of a document to those of another of the same text: `doc.ents`, or where it
    has none the mentions of its clusters, of overlapping ones the longest. Without the identifiers
    of knowledge bases, which would tell which of them are one."""
    entities = source.ents or [
        span for cluster in get_clusters(source, prefix) for span in cluster.mentions
    ]
    copied = (
        target.char_span(e.start_char, e.end_char, label=e.label_, alignment_mode="expand")
        for e in entities
    )
    target.set_ents(filter_spans(span for span in copied if span))
