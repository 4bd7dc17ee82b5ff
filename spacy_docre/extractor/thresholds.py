"""The decision thresholds with the best micro F1 on development data, or of a given precision,
exactly: as a function of a threshold they have no more steps than there are scores."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from spacy.training import Example

from ..data.relation import excluded_pairs, get_relations, has_relations
from ..scoring.judgement import gold_keys
from .decoding import PairScores

# The scores of the pairs of a document, and whether they are right.
Outcomes = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Candidates:
    """The relations of a corpus that some threshold could set: of each pair the `max_labels` best
    types.

    score (np.ndarray): [C] float32. The score of each.
    label (np.ndarray): [C] int64. Its type.
    correct (np.ndarray): [C] bool. Whether it is gold.
    doc (np.ndarray): [C] int64. Its document.
    gold_doc (np.ndarray): [G] int64. The document of each gold relation, candidate or not.
    gold_label (np.ndarray): [G] int64. Its type; -1 for one that the component does not know.
    """

    score: np.ndarray
    label: np.ndarray
    correct: np.ndarray
    doc: np.ndarray
    gold_doc: np.ndarray
    gold_label: np.ndarray

    def of_docs(self, is_chosen: Callable[[np.ndarray], np.ndarray]) -> "Candidates":
        """The candidates and gold relations of some of the documents.

        is_chosen (Callable[[np.ndarray], np.ndarray]): From numbers of documents to whether they
            are among them.
        RETURNS (Candidates): The candidates.
        """
        rows, gold = is_chosen(self.doc), is_chosen(self.gold_doc)
        return Candidates(
            score=self.score[rows],
            label=self.label[rows],
            correct=self.correct[rows],
            doc=self.doc[rows],
            gold_doc=self.gold_doc[gold],
            gold_label=self.gold_label[gold],
        )

    def counts(self, thresholds: "Thresholds") -> np.ndarray:
        """[3] int64. How many relations are correct, predicted and gold at thresholds."""
        n_labels = int(self.label.max(initial=-1)) + 1
        by_label = np.array([thresholds.of(i) for i in range(n_labels)], dtype=np.float32)
        is_set = self.score > by_label[self.label]
        return np.array([(is_set & self.correct).sum(), is_set.sum(), len(self.gold_doc)])

    def f1(self, thresholds: "Thresholds") -> float:
        """Micro F1 at thresholds, in 0..1."""
        return _f1(self.counts(thresholds))


@dataclass(frozen=True)
class Thresholds:
    """A threshold for all relation types, and some types' own.

    common (float): The threshold of the types without their own.
    own (Mapping[int, float]): Thresholds by the numbers of types.
    """

    common: float
    own: Mapping[int, float]

    def of(self, label: int) -> float:
        """The threshold of a type."""
        return self.own.get(label, self.common)


Fit = Callable[[Candidates], Thresholds]


def collect_candidates(
    scored: Sequence[tuple[Example, PairScores]],
    labels: Sequence[str],
    *,
    max_labels: int,
    prefix: str,
    attr: str,
) -> Candidates:
    """Collect what thresholds can be chosen by.

    scored (Sequence[tuple[Example, PairScores]]): Examples and the scores of their predicted
        documents, see `annotate_examples`.
    labels (Sequence[str]): The relation types of the scores.
    max_labels (int): The most types that one pair can have.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    RETURNS (Candidates): The candidates of the annotated documents.
    """
    annotated = [(eg, p) for eg, p in scored if has_relations(eg.reference, attr=attr)]
    columns = {label: i for i, label in enumerate(labels)}
    parts, gold = [], []
    outcomes = pair_outcomes(annotated, labels, prefix=prefix, attr=attr)
    for doc, ((eg, _), (scores, correct)) in enumerate(zip(annotated, outcomes, strict=True)):
        best = np.argsort(-scores, axis=1, kind="stable")[:, :max_labels]
        kept = [np.take_along_axis(array, best, axis=1).ravel() for array in (scores, correct)]
        parts.append((kept[0], best.ravel(), kept[1], np.full(best.size, doc)))
        triples = {relation.triple for relation in get_relations(eg.reference, attr=attr)}
        gold += [(doc, columns.get(label, -1)) for _, label, _ in triples]
    types = (np.float32, np.int64, bool, np.int64)
    arrays = [
        np.concatenate([np.zeros(0, dtype), *(part[i] for part in parts)])
        for i, dtype in enumerate(types)
    ]
    gold_rows = np.array(gold, dtype=np.int64).reshape(-1, 2)
    return Candidates(*arrays, *gold_rows.T)


def best_threshold(candidates: Candidates) -> Thresholds:
    """The threshold for all types with the best micro F1; of equally good ones the highest.

    candidates (Candidates): The candidates of development data.
    RETURNS (Thresholds): The threshold.
    """
    steps = _Steps.of(candidates.score, candidates.correct)
    f1 = 2 * steps.correct / np.maximum(steps.n + len(candidates.gold_doc), 1)
    return Thresholds(steps.threshold(int(np.argmax(f1))), {})


def threshold_of_precision(candidates: Candidates, precision: float) -> Thresholds | None:
    """The threshold for all types that sets the most relations at a precision.

    candidates (Candidates): The candidates of development data.
    precision (float): The precision, above 0 and up to 1.
    RETURNS (Optional[Thresholds]): The threshold; None if there is none of that precision.
    """
    steps = _Steps.of(candidates.score, candidates.correct)
    reached = np.flatnonzero(steps.correct[1:] >= precision * steps.n[1:])
    return Thresholds(steps.threshold(int(reached[-1]) + 1), {}) if len(reached) else None


def best_thresholds_by_label(candidates: Candidates, min_gold: int) -> Thresholds:
    """The thresholds with the best micro F1 of all those that give each frequent type a threshold
    of its own and all the others a common one: a threshold that is fitted to a handful of relations
    fits these and no others. The optimum is exact (Dinkelbach 1967): for a given F1 the best number
    of relations of each type can be found by itself, and improves F1 until nothing does.

    candidates (Candidates): The candidates of development data.
    min_gold (int): How many gold relations a type must have there for a threshold of its own.
    RETURNS (Thresholds): The thresholds.
    """
    counts = np.bincount(candidates.gold_label[candidates.gold_label >= 0])
    frequent = np.flatnonzero(counts >= min_gold).tolist()
    groups = {label: candidates.label == label for label in frequent}
    rest = ~np.isin(candidates.label, frequent)
    steps = {
        label: _Steps.of(candidates.score[rows], candidates.correct[rows])
        for label, rows in [*groups.items(), (-1, rest)]
    }
    f1, choice = 0.0, {label: 0 for label in steps}
    while True:
        chosen = {label: int(np.argmax(2 * s.correct - f1 * s.n)) for label, s in steps.items()}
        correct = sum(s.correct[chosen[label]] for label, s in steps.items())
        n = sum(s.n[chosen[label]] for label, s in steps.items())
        better = float(2 * correct / max(n + len(candidates.gold_doc), 1))
        if better <= f1:
            break
        f1, choice = better, chosen
    own = {label: steps[label].threshold(choice[label]) for label in frequent}
    if rest.any():
        return Thresholds(steps[-1].threshold(choice[-1]), own)
    return Thresholds(best_threshold(candidates).common, own)


def held_out_f1(candidates: Candidates, fit: Fit) -> float:
    """Micro F1 of thresholds on documents that they were not fitted to: every other document by
    thresholds fitted to the rest, and the other way round.

    candidates (Candidates): The candidates of development data.
    fit (Callable[[Candidates], Thresholds]): What fits thresholds.
    RETURNS (float): F1, in 0..1.
    """
    halves = [
        candidates.of_docs(lambda doc: doc % 2 == 0),
        candidates.of_docs(lambda doc: doc % 2 == 1),
    ]
    return _f1(halves[0].counts(fit(halves[1])) + halves[1].counts(fit(halves[0])))


@dataclass(frozen=True)
class _Steps:
    """What thresholds between scores do, from setting nothing to setting all.

    score (np.ndarray): [S] float32. The different scores, descending.
    n (np.ndarray): [S + 1] int64. How many relations are set.
    correct (np.ndarray): [S + 1] int64. How many of them are correct.
    """

    score: np.ndarray
    n: np.ndarray
    correct: np.ndarray

    @classmethod
    def of(cls, score: np.ndarray, correct: np.ndarray) -> "_Steps":
        # Scores of zero are those that constraints forbid, and no threshold is below them.
        is_possible = score > 0
        values, places, counts = np.unique(
            -score[is_possible], return_inverse=True, return_counts=True
        )
        right = np.bincount(places, correct[is_possible], minlength=len(values))
        sums = (np.concatenate([[0], np.cumsum(column)]) for column in (counts, right))
        return cls(-values, *(column.astype(np.int64) for column in sums))

    def threshold(self, step: int) -> float:
        """The roundest number that sets what the step sets: not below the next lower score, but
        below the lowest that is to be above it."""
        upper = float(self.score[step - 1]) if step else 1.0
        lower = float(self.score[step]) if step < len(self.score) else 0.0
        for digits in range(2, 9):
            value = round((upper + lower) / 2, digits)
            if lower <= np.float32(value) < upper:
                return value
        return lower


def _f1(counts: np.ndarray) -> float:
    correct, predicted, gold = counts.tolist()
    return 2 * correct / (predicted + gold) if predicted + gold else 0.0


def pair_outcomes(
    scored: Sequence[tuple[Example, PairScores]], labels: Sequence[str], *, prefix: str, attr: str
) -> Iterator[Outcomes]:
    """Which pairs have which relation types. A type of a pair of which an entity corresponds to no
    gold cluster is wrong, as it is in `score_relations`, and excluded pairs are left out, as there.

    scored (Sequence[tuple[Example, PairScores]]): Examples and the scores of their predicted
        documents, see `annotate_examples`.
    labels (Sequence[str]): The relation types of the scores.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    YIELDS (tuple[np.ndarray, np.ndarray]): For each annotated document [P, R] float32, the scores,
        and [P, R] bool, whether they are right.
    """
    columns = {label: i for i, label in enumerate(labels)}
    for eg, pairs in scored:
        if not has_relations(eg.reference, attr=attr):
            continue
        keys = gold_keys(eg, prefix) if pairs.keys else {}
        names = [keys[key] for key in pairs.keys]
        ends = zip(pairs.pair_head.tolist(), pairs.pair_tail.tolist(), strict=True)
        rows = {(names[h], names[t]): i for i, (h, t) in enumerate(ends)}
        correct = np.zeros(pairs.scores.shape, dtype=bool)
        for relation in get_relations(eg.reference, attr=attr):
            head, label, tail = relation.triple
            if (head, tail) in rows and label in columns:
                correct[rows[head, tail], columns[label]] = True
        left_out = [rows[p] for p in excluded_pairs(eg.reference, attr=attr) if p in rows]
        yield np.delete(pairs.scores, left_out, axis=0), np.delete(correct, left_out, axis=0)
