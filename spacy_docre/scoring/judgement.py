"""Which relations of a corpus are right, and what is known about each: what every metric of
relations is counted from."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from spacy.tokens import Doc
from spacy.training import Example

from ..data.alignment import align_clusters
from ..data.clusters import DEFAULT_PREFIX, get_clusters
from ..data.evidence import Triple, sentence_numbers
from ..data.relation import DEFAULT_ATTR, Relation, excluded_pairs, get_relations, has_relations
from ..data.sentences import sentence_ends, sentence_of_token

Fact = tuple[str, str, str]
# The name of a training corpus that is given none.
TRAIN = "train"

# What `Judgement.distance` is for entities without mentions.
NO_DISTANCE = -1


@dataclass(frozen=True)
class Judgement:
    """The N relations of a corpus that are predicted, gold or both, each once, and features of the
    pairs of entities that they hold between.

    n_docs (int): The number of documents whose references are annotated.
    labels (list[str]): The relation types.
    sources (list[str]): The names of the training corpora.
    pairs (list[tuple[int, str, str]]): The document of each pair and the keys of its head and tail:
        those of gold clusters, and see `gold_keys`.
    doc (np.ndarray): [N] int64. The document of each relation.
    pair (np.ndarray): [N] int64. Its ordered pair of entities, numbered through the corpus.
    label (np.ndarray): [N] int64. Its type.
    predicted (np.ndarray): [N] bool. Whether it is predicted.
    gold (np.ndarray): [N] bool. Whether it is gold.
    score (np.ndarray): [N] float64. The score of a predicted relation; not a number for others.
    distance (np.ndarray): [N] int64. The smallest distance in sentences of the gold document
        between mentions of its two entities; -1 where an entity has none.
    mentions (np.ndarray): [N, 2] int64. How many mentions head and tail have.
    evidence (np.ndarray): [N, 3] int64. How many evidence sentences are in common, predicted, gold.
    known (np.ndarray): [N, S] bool. Whether it is correct and, by the names of its entities, a fact
        of each training corpus.
    """

    n_docs: int
    labels: list[str]
    sources: list[str]
    pairs: list[tuple[int, str, str]]
    doc: np.ndarray
    pair: np.ndarray
    label: np.ndarray
    predicted: np.ndarray
    gold: np.ndarray
    score: np.ndarray
    distance: np.ndarray
    mentions: np.ndarray
    evidence: np.ndarray
    known: np.ndarray

    @property
    def correct(self) -> np.ndarray:
        """[N] bool. Whether the relation is both predicted and gold."""
        return self.predicted & self.gold

    def with_labels(self, labels: list[str]) -> "Judgement":
        """The same relations, with the types numbered otherwise.

        labels (list[str]): The types, at least those that occur.
        RETURNS (Judgement): The relations.
        """
        places = np.array([labels.index(label) for label in self.labels], dtype=np.int64)
        return replace(self, labels=labels, label=places[self.label])


def judge_relations(
    examples: Iterable[Example],
    *,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
    train_facts: set[Fact] | Mapping[str, set[Fact]] | None = None,
) -> Judgement:
    """Compare predicted with gold relations. The time is linear in the number of relations, apart
    from the alignment of clusters where the pipeline made its own.

    examples (Iterable[Example]): Predicted and reference documents; those whose references are not
        annotated are left out.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    train_facts (Optional[Union[set, Mapping[str, set]]]): What `collect_facts` gave for the
        training data; for several training corpora by their names.
    RETURNS (Judgement): The relations.
    """
    if isinstance(train_facts, set):
        train_facts = {TRAIN: train_facts}
    facts = list((train_facts or {}).values())
    labels: dict[str, int] = {}
    pairs: dict[tuple[int, str, str], int] = {}
    rows: list[tuple[int, ...]] = []
    scores: list[float] = []
    n_docs = 0
    for example in examples:
        if not has_relations(example.reference, attr=attr):
            continue
        for triple, score, features in _judge_document(example, prefix, attr, facts):
            head, label, tail = triple
            pair = pairs.setdefault((n_docs, head, tail), len(pairs))
            rows.append((n_docs, pair, labels.setdefault(label, len(labels)), *features))
            scores.append(score)
        n_docs += 1
    table = np.array(rows, dtype=np.int64).reshape(len(rows), 11 + len(facts))
    return Judgement(
        n_docs=n_docs,
        labels=list(labels),
        sources=list(train_facts or {}),
        pairs=list(pairs),
        doc=table[:, 0],
        pair=table[:, 1],
        label=table[:, 2],
        predicted=table[:, 3].astype(bool),
        gold=table[:, 4].astype(bool),
        score=np.array(scores, dtype=np.float64),
        distance=table[:, 5],
        mentions=table[:, 6:8],
        evidence=table[:, 8:11],
        known=table[:, 11:].astype(bool),
    )


def collect_facts(
    docs: Iterable[Doc], *, prefix: str = DEFAULT_PREFIX, attr: str = DEFAULT_ATTR
) -> set[Fact]:
    """The facts of training documents: for each relation, every name of the head with every name
    of the tail, as the official DocRED script has it.

    docs (Iterable[Doc]): The training documents.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    RETURNS (set[tuple[str, str, str]]): Name of the head, name of the tail, relation type.
    """
    facts: set[Fact] = set()
    for doc in docs:
        names = _names(doc, prefix)
        for relation in get_relations(doc, attr=attr):
            facts.update(_facts(relation.triple, names))
    return facts


def count_types(docs: Iterable[Doc], *, attr: str = DEFAULT_ATTR) -> Counter[str]:
    """How often each relation type occurs in training documents; what is listed twice for a pair
    counts once.

    docs (Iterable[Doc]): The training documents.
    attr (str): The name of the extension attribute that holds the relations.
    RETURNS (Counter[str]): The number of relations of each type.
    """
    counts: Counter[str] = Counter()
    for doc in docs:
        triples = {relation.triple for relation in get_relations(doc, attr=attr)}
        counts.update(label for _, label, _ in triples)
    return counts


def gold_keys(example: Example, prefix: str) -> dict[str, str]:
    """How the clusters of a predicted document are called in judgements: by the keys of the gold
    clusters that they are aligned with, and if there is none by names of their own.

    example (Example): The two documents.
    prefix (str): What the clusters' keys start with.
    RETURNS (dict[str, str]): From each key of the predicted document to a key.
    """
    aligned = align_clusters(example, prefix)
    keys = (cluster.key for cluster in get_clusters(example.predicted, prefix))
    return {key: aligned.get(key, f"{key} (predicted only)") for key in keys}


def _judge_document(
    example: Example, prefix: str, attr: str, facts: list[set[Fact]]
) -> Iterator[tuple[Triple, float, tuple[int, ...]]]:
    # Of what is listed twice the official script takes the last where it is gold, and the first
    # where it is predicted.
    gold = {r.triple: r for r in get_relations(example.reference, attr=attr)}
    predicted, keys = _predicted_relations(example, prefix, attr)
    ends = sentence_ends(example.reference)
    sentences = _sentences(example, keys, prefix)
    names = _names(example.reference, prefix) if facts else {}
    excluded = excluded_pairs(example.reference, attr=attr)
    for triple in gold | predicted:
        head, _, tail = triple
        if (head, tail) in excluded:
            continue
        is_predicted, is_gold = triple in predicted, triple in gold
        own = set(sentence_numbers(predicted[triple], ends)) if is_predicted else set()
        true = set(sentence_numbers(gold[triple], ends)) if is_gold else set()
        heads, tails = sentences.get(head, []), sentences.get(tail, [])
        known = (
            is_predicted and is_gold and any(fact in source for fact in _facts(triple, names))
            for source in facts
        )
        score = predicted[triple].score if is_predicted else float("nan")
        yield (
            triple,
            score,
            (
                is_predicted,
                is_gold,
                _distance(heads, tails),
                len(heads),
                len(tails),
                len(own & true),
                len(own),
                len(true),
                *known,
            ),
        )


def _predicted_relations(
    example: Example, prefix: str, attr: str
) -> tuple[dict[Triple, Relation], dict[str, str]]:
    """The predicted relations by the keys of `gold_keys`, and these."""
    relations = get_relations(example.predicted, attr=attr)
    if not relations:
        return {}, {}
    keys = gold_keys(example, prefix)
    found: dict[Triple, Relation] = {}
    for relation in relations:
        head, label, tail = relation.triple
        found.setdefault((keys.get(head, head), label, keys.get(tail, tail)), relation)
    return found, keys


def _sentences(example: Example, keys: Mapping[str, str], prefix: str) -> dict[str, list[int]]:
    """The sentence of the gold document that each mention of a cluster begins in: of gold clusters,
    and of predicted ones that no gold cluster corresponds to."""
    sentence = sentence_of_token(example.reference).tolist()
    found = {
        cluster.key: [sentence[span.start] for span in cluster.mentions]
        for cluster in get_clusters(example.reference, prefix)
    }
    if all(key in found for key in keys.values()):
        return found
    starts = np.array([token.idx for token in example.reference])
    for cluster in get_clusters(example.predicted, prefix):
        if keys[cluster.key] not in found:
            places = [span.start_char for span in cluster.mentions]
            tokens = np.searchsorted(starts, places, side="right") - 1
            found[keys[cluster.key]] = [sentence[i] for i in tokens]
    return found


def _distance(heads: list[int], tails: list[int]) -> int:
    if not heads or not tails:
        return NO_DISTANCE
    first, second = set(heads), set(tails)
    if not first.isdisjoint(second):
        return 0
    return min(abs(a - b) for a in first for b in second)


def _names(doc: Doc, prefix: str) -> dict[str, list[str]]:
    return {cluster.key: cluster.names for cluster in get_clusters(doc, prefix)}


def _facts(triple: Triple, names: Mapping[str, list[str]]) -> Iterator[Fact]:
    head, label, tail = triple
    return ((a, b, label) for a in names.get(head, ()) for b in names.get(tail, ()))
