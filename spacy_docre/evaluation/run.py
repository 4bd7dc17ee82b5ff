"""Running a pipeline over annotated documents, with gold clusters, gold mentions or its own."""

import configparser
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import filter_spans
from spacy.vocab import Vocab
from thinc.api import Config, ConfigValidationError

from ..corpora.readers import GoldClusterCorpus
from ..data.clusters import copy_clusters, get_clusters, remove_clusters
from ..errors import DocreError, Errors
from ..extractor.component import DocRelationExtractor
from ..extractor.decoding import PairScores


def find_extractor(nlp: Language) -> tuple[str, DocRelationExtractor]:
    """The relation extractor of a pipeline.

    nlp (Language): The pipeline.
    RETURNS (tuple[str, DocRelationExtractor]): The component's name and the component.
    RAISES (DocreError): If there is none.
    """
    for name, component in nlp.pipeline:
        if isinstance(component, DocRelationExtractor):
            return name, component
    raise DocreError(Errors.D019.format(names=", ".join(nlp.pipe_names) or "none"))


def change_settings(nlp: Language, **settings: Any) -> None:
    """Give a pipeline's relation extractor other settings, which are saved with the pipeline.

    nlp (Language): The pipeline.
    **settings (Any): The settings.
    RAISES (DocreError): If it has no relation extractor.
    """
    name, extractor = find_extractor(nlp)
    extractor.cfg |= settings
    # The component's own file has them all, and counts. A config cannot hold every relation type.
    config = nlp.get_pipe_config(name)
    config.update({key: value for key, value in settings.items() if _fits_config(value)})


def _fits_config(value: Any) -> bool:
    config = Config({"settings": {"value": value}})
    try:
        return bool(Config().from_str(config.to_str()) == config)
    except (ConfigValidationError, configparser.Error):
        return False


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


def bare_doc(doc: Doc, vocab: Vocab) -> Doc:
    """The document with its tokens and its title only.

    doc (Doc): The document.
    vocab (Vocab): The vocabulary of the new one.
    RETURNS (Doc): A new document.
    """
    return Doc(
        vocab,
        words=[token.text for token in doc],
        spaces=[bool(token.whitespace_) for token in doc],
        user_data={"title": doc.user_data.get("title", "")},
    )
