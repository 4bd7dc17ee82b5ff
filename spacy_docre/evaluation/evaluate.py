"""The metrics of a pipeline on an annotated corpus, in one call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.training import Example
from spacy.vocab import Vocab

from ..corpora.readers import read_docs
from ..data.keys import DocKeys
from ..errors import DocreError, Errors
from ..extractor.pipeline import find_extractor
from ..scoring.judgement import Fact, collect_facts, count_types
from ..scoring.scorer import score_relations
from .run import annotate_examples, read_examples


@dataclass(frozen=True)
class TrainingData:
    """What training corpora say.

    facts (dict[str, set[tuple[str, str, str]]]): The facts of each, by its name.
    counts (Optional[Mapping[str, int]]): How often each relation type occurs in the first.
    """

    facts: dict[str, set[Fact]]
    counts: Mapping[str, int] | None


def evaluate(
    nlp: Language,
    corpus: str | Path | Sequence[Example],
    *,
    gold_clusters: bool = True,
    train_corpora: Sequence[str | Path] = (),
    subsets: bool = False,
) -> dict[str, Any]:
    """Run a pipeline over an annotated corpus and score its relations.

    nlp (Language): The pipeline.
    corpus (Union[str, Path, Sequence[Example]]): A `.spacy` file, a folder of them, or what
        `read_examples` gave, whose predicted documents are replaced.
    gold_clusters (bool): Whether the extractor gets the gold clusters, or those that the pipeline
        makes from the bare text.
    train_corpora (Sequence[Union[str, Path]]): The training corpora, for Ign F1.
    subsets (bool): Whether to score subsets of the relations, too.
    RETURNS (dict[str, Any]): The metrics, as of `score_relations`.
    RAISES (DocreError): If the pipeline has no relation extractor, no document has entity clusters,
        or a training corpus has no facts.
    """
    _, extractor = find_extractor(nlp)
    keys = DocKeys.of(extractor.cfg)
    training = read_training_data(train_corpora, nlp.vocab, subsets, keys)
    examples = read_examples(nlp, corpus) if isinstance(corpus, str | Path) else corpus
    annotated = annotate_examples(nlp, examples, gold_clusters=gold_clusters)
    return score_relations(
        (eg for eg, _ in annotated),
        **keys,
        train_facts=training.facts,
        train_counts=training.counts,
        subsets=subsets,
    )


def read_training_data(
    paths: Sequence[str | Path], vocab: Vocab, count: bool, keys: DocKeys | None = None
) -> TrainingData:
    """Read what training corpora say, a document at a time: distant ones are large.

    paths (Sequence[Union[str, Path]]): The corpora.
    vocab (Vocab): A vocabulary.
    count (bool): Whether to count the relation types of the first.
    keys (Optional[DocKeys]): Where clusters and relations are, if not at the usual keys.
    RETURNS (TrainingData): The facts, by the names of the files.
    RAISES (DocreError): If a corpus has no facts.
    """
    keys = keys or DocKeys()
    names = [Path(path).stem for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    facts = {}
    for name, path in zip(names, paths, strict=True):
        facts[name] = collect_facts(read_docs(path, vocab), **keys)
        if not facts[name]:
            raise DocreError(Errors.D085.format(path=path))
    if not (count and paths):
        return TrainingData(facts, None)
    return TrainingData(facts, count_types(read_docs(paths[0], vocab), attr=keys.attr))
