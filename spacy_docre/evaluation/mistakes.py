"""What a pipeline gets wrong: which relations, of what kind, and where."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..data.clusters import DEFAULT_PREFIX, EntityCluster, get_clusters
from ..data.relation import DEFAULT_ATTR, has_relations
from ..data.sentences import sentence_of_token
from ..scoring.judgement import Judgement, gold_keys, judge_relations
from ..scoring.subsets import SUBSETS

Kind = Literal["wrong", "type", "direction", "missed"]

KINDS: dict[Kind, str] = {
    "wrong": "Set where there is none",
    "type": "Of the wrong type",
    "direction": "In the wrong direction",
    "missed": "Missed",
}
# Instead of a type, in confusions.
NO_RELATION = ""
# The characters of a text that a mistake shows.
MAX_TEXT = 600


@dataclass(frozen=True)
class Entity:
    """An entity of a mistake.

    key (str): The key of its cluster in the gold document, or of one that only the pipeline has.
    name (str): Its canonical name.
    type (str): Its type.
    mentions (int): How many mentions it has.
    """

    key: str
    name: str
    type: str
    mentions: int


@dataclass(frozen=True)
class Mistake:
    """A relation that is set and should not be, or should be and is not. One that has the wrong
    type or direction is one mistake, not two.

    kind (Kind): See `KINDS`.
    document (int): The number of its document, from 0, among those whose relations are annotated.
    title (str): The document's title, or else its identifier; may be empty.
    head (Entity): The entity that the predicted relation starts from, or if none is predicted the
        gold one.
    tail (Entity): The entity that it points to.
    predicted (Optional[str]): The type that is set.
    gold (Optional[str]): The type that should be; of the wrong direction, from tail to head.
    score (Optional[float]): The score of what is set; None for what is missed.
    distance (int): The distance of the entities in sentences, -1 where one has no mentions.
    text (str): The sentences of the mentions that are closest to each other.
    """

    kind: Kind
    document: int
    title: str
    head: Entity
    tail: Entity
    predicted: str | None
    gold: str | None
    score: float | None
    distance: int
    text: str

    def to_dict(self) -> dict[str, Any]:
        """The mistake as plain values, as a line of JSON Lines has it."""
        return asdict(self)


@dataclass(frozen=True)
class Counts:
    """What there is of a kind of relations.

    gold (int): Gold relations.
    predicted (int): Predicted ones.
    correct (int): Those that are both.
    mistakes (Mapping[Kind, int]): The mistakes, by kind. One of the wrong type counts for the type
        that is gold.
    """

    gold: int
    predicted: int
    correct: int
    mistakes: Mapping[Kind, int]

    @property
    def f1(self) -> float:
        """F1, in 0..1."""
        total = self.gold + self.predicted
        return 2 * self.correct / total if total else 0.0


@dataclass(frozen=True)
class ErrorAnalysis:
    """The mistakes of a pipeline on a corpus.

    mistakes (list[Mistake]): What is set, the most confident first; then what is missed, those
        whose entities are closest first.
    total (Counts): Of all relations.
    by_type (dict[str, Counts]): By relation type, those with most mistakes first.
    by_distance (dict[str, Counts]): By distance in sentences.
    by_mentions (dict[str, Counts]): By the numbers of mentions.
    confusions (Counter[tuple[str, str]]): How often a gold type is predicted as another or itself;
        an empty one stands for no relation.
    """

    mistakes: list[Mistake]
    total: Counts
    by_type: dict[str, Counts]
    by_distance: dict[str, Counts]
    by_mentions: dict[str, Counts]
    confusions: Counter[tuple[str, str]]


def analyse_errors(
    examples: Sequence[Example], *, prefix: str = DEFAULT_PREFIX, attr: str = DEFAULT_ATTR
) -> ErrorAnalysis:
    """Find the mistakes among predicted relations, and count them.

    examples (Sequence[Example]): Predicted and reference documents; those whose references are not
        annotated are left out.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    RETURNS (ErrorAnalysis): The mistakes.
    """
    annotated = [eg for eg in examples if has_relations(eg.reference, attr=attr)]
    judged = judge_relations(annotated, prefix=prefix, attr=attr)
    rows = _classify(judged)
    places = _Places(annotated, prefix)
    mistakes = [places.mistake(judged, *row) for row in rows]
    order = sorted(mistakes, key=lambda m: (m.score is None, -(m.score or 0.0), m.distance))
    confusions = Counter(
        (m.gold or NO_RELATION, m.predicted or NO_RELATION)
        for m in mistakes
        # What is right but for its direction says nothing of types.
        if m.kind != "direction"
    )
    confusions.update((judged.labels[i],) * 2 for i in judged.label[judged.correct].tolist())

    def count(where: np.ndarray) -> Counts:
        chosen = Counter(kind for kind, row, gold in rows if where[row if gold is None else gold])
        return Counts(
            gold=int((where & judged.gold).sum()),
            predicted=int((where & judged.predicted).sum()),
            correct=int((where & judged.correct).sum()),
            mistakes={kind: chosen[kind] for kind in KINDS},
        )

    by_type = {name: count(judged.label == i) for i, name in enumerate(judged.labels)}
    subsets = {
        group: {
            subset.title: count(subset.where(judged))
            for name, subset in SUBSETS.items()
            if name.startswith(group)
        }
        for group in ("distance", "mentions")
    }
    return ErrorAnalysis(
        mistakes=order,
        total=count(np.ones(len(judged.label), dtype=bool)),
        by_type=dict(sorted(by_type.items(), key=lambda item: -sum(item[1].mistakes.values()))),
        by_distance=subsets["distance"],
        by_mentions=subsets["mentions"],
        confusions=confusions,
    )


def _classify(judged: Judgement) -> list[tuple[Kind, int, int | None]]:
    """The kind of each mistake, the row of what is predicted or else missed, and of the gold
    relation that is meant where there is another."""
    missed: dict[tuple[int, str, str], list[int]] = defaultdict(list)
    for row in np.flatnonzero(judged.gold & ~judged.predicted).tolist():
        missed[judged.pairs[judged.pair[row]]].append(row)
    wrong = np.flatnonzero(judged.predicted & ~judged.gold)
    # The surest first: it is what one would say instead.
    wrong = wrong[np.argsort(-judged.score[wrong], kind="stable")]
    rows: list[tuple[Kind, int, int | None]] = []
    left = []
    for row in wrong.tolist():
        doc, head, tail = judged.pairs[judged.pair[row]]
        same = [i for i in missed[doc, tail, head] if judged.label[i] == judged.label[row]]
        if same:
            missed[doc, tail, head].remove(same[0])
            rows.append(("direction", row, same[0]))
        else:
            left.append(row)
    for row in left:
        others = missed[judged.pairs[judged.pair[row]]]
        rows.append(("type", row, others.pop(0)) if others else ("wrong", row, None))
    rows += [("missed", row, None) for others in missed.values() for row in others]
    return rows


class _Places:
    """Where the entities of mistakes are."""

    def __init__(self, examples: Sequence[Example], prefix: str) -> None:
        self.examples = examples
        self.prefix = prefix
        self._clusters: dict[int, dict[str, EntityCluster]] = {}

    def mistake(self, judged: Judgement, kind: Kind, row: int, gold: int | None) -> Mistake:
        document, *keys = judged.pairs[judged.pair[row]]
        clusters = self._of(document)
        reference = self.examples[document].reference
        own = judged.labels[judged.label[row]]
        is_set = kind != "missed"
        meant = None if gold is None else judged.labels[judged.label[gold]]
        head, tail = (_entity(key, clusters.get(key)) for key in keys)
        return Mistake(
            kind=kind,
            document=document,
            title=str(reference.user_data.get("title") or reference.user_data.get("id") or ""),
            head=head,
            tail=tail,
            predicted=own if is_set else None,
            gold=meant if is_set else own,
            score=float(judged.score[row]) if is_set else None,
            distance=int(judged.distance[row]),
            text=_text(reference, *(clusters.get(key) for key in keys)),
        )

    def _of(self, document: int) -> dict[str, EntityCluster]:
        if document not in self._clusters:
            example = self.examples[document]
            names = gold_keys(example, self.prefix)
            own = {names[c.key]: c for c in get_clusters(example.predicted, self.prefix)}
            gold = {c.key: c for c in get_clusters(example.reference, self.prefix)}
            self._clusters[document] = own | gold
        return self._clusters[document]


def _entity(key: str, cluster: EntityCluster | None) -> Entity:
    if cluster is None:
        return Entity(key, key, "", 0)
    return Entity(key, cluster.text, cluster.label, len(cluster.group))


def _text(doc: Doc, head: EntityCluster | None, tail: EntityCluster | None) -> str:
    if head is None or tail is None:
        return ""
    spans = [[_in(doc, span) for span in cluster.mentions] for cluster in (head, tail)]
    pairs = [(a, b) for a in spans[0] for b in spans[1] if a and b]
    if not pairs:
        return ""
    sentence = sentence_of_token(doc)

    def distance(pair: tuple[Any, Any]) -> tuple[int, int]:
        a, b = (span.start for span in pair)
        return abs(int(sentence[a] - sentence[b])), abs(a - b)

    closest = min(pairs, key=distance)
    numbers = sorted({int(sentence[span.start]) for span in closest})
    parts = [doc[tokens[0] : tokens[-1] + 1].text for tokens in _tokens(sentence, numbers)]
    text = " … ".join(part.strip() for part in parts)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _tokens(sentence: np.ndarray, numbers: Sequence[int]) -> list[list[int]]:
    if len(numbers) == 2 and numbers[1] == numbers[0] + 1:
        return [np.flatnonzero((sentence >= numbers[0]) & (sentence <= numbers[1])).tolist()]
    return [np.flatnonzero(sentence == number).tolist() for number in numbers]


def _in(doc: Doc, span: Span) -> Span | None:
    """A span of one of the two documents in the gold one."""
    return doc.char_span(span.start_char, span.end_char, alignment_mode="expand")
