"""Constraints on relations, brought from a component's settings into numbers."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import DocreError, Errors, Warnings
from ...models.batch import UNKNOWN_TYPE
from .application import Constraints
from .observations import Observations
from .settings import ANY, LEARNED, ConstraintSettings, Names, read_settings

# The share of a relation type's instances in the training data that must speak against what the
# settings say of it before a warning is given.
DOUBTFUL = 0.5


def build_constraints(
    settings: Mapping[str, Any] | None,
    *,
    labels: Sequence[str],
    entity_types: Sequence[str],
    observed: Mapping[str, Any] | None,
    name: str,
) -> Constraints | None:
    """Bring the constraints of a component into numbers.

    settings (Optional[Mapping[str, Any]]): The settings, see `ConstraintSettings`.
    labels (Sequence[str]): The relation types, in the order of the model's logits.
    entity_types (Sequence[str]): The known entity types; the first becomes 1.
    observed (Optional[Mapping[str, Any]]): What `Observations.to_dict` gave for the training data,
        None if nobody counted.
    name (str): The component's name, for messages.
    RETURNS (Optional[Constraints]): The constraints; None if all are off.
    RAISES (DocreError): If a setting is malformed, names a relation or entity type that the
        component does not have, contradicts another, or is to be learned from counts that are not
        there.
    """
    parsed = read_settings(settings, name=name)
    if not parsed.active:
        return None
    counts = Observations() if observed is None else Observations.from_dict(observed)
    if observed is None and parsed.learns:
        raise DocreError(Errors.D052.format(name=name))
    known = Names(name, "relation label", labels)
    known_types = Names(name, "entity type", entity_types)
    if parsed.types is not None and not any(entity_types):
        warnings.warn(Warnings.DW16.format(name=name), stacklevel=2)
    inverse = _inverse_labels(parsed, counts, known)
    if parsed.types is None:
        allowed = np.ones((len(labels), len(entity_types), len(entity_types)), dtype=bool)
    elif parsed.types == LEARNED:
        allowed = _learned_types(counts, inverse, known, known_types, parsed.min_count)
    else:
        allowed = _given_types(parsed, inverse, known, known_types)
    return Constraints(_with_unknown_type(allowed), inverse)


def warn_of_contradictions(
    constraints: Constraints,
    observed: Observations,
    *,
    labels: Sequence[str],
    entity_types: Sequence[str],
    name: str,
) -> None:
    """Warn of constraints that most of a relation type's instances in the training data
    contradict: head and tail types may have been exchanged.

    constraints (Constraints): The constraints.
    observed (Observations): What was counted in the training data.
    labels (Sequence[str]): The relation types.
    entity_types (Sequence[str]): The known entity types.
    name (str): The component's name.
    """
    type_ids = {label: i for i, label in enumerate(entity_types, start=UNKNOWN_TYPE + 1)}
    counts = observed.relation_counts()
    against: Counter[tuple[str, str]] = Counter()
    for (label, head, tail), count in observed.types.items():
        if label in labels:
            types = type_ids.get(head, UNKNOWN_TYPE), type_ids.get(tail, UNKNOWN_TYPE)
            is_allowed = constraints.allowed[labels.index(label), types[0], types[1]]
            against[label, "types"] += 0 if is_allowed else count
    for label, inverse in zip(labels, constraints.inverse.tolist(), strict=True):
        if inverse >= 0:
            setting = "symmetric" if labels[inverse] == label else "inverse"
            confirmed = observed.opposites[label, labels[inverse]]
            against[label, setting] = counts[label] - confirmed
    for (label, setting), n_against in against.items():
        if n_against > DOUBTFUL * counts[label]:
            warnings.warn(
                Warnings.DW15.format(
                    setting=f"constraints.{setting}",
                    name=name,
                    label=label,
                    n_against=n_against,
                    n_relations=counts[label],
                ),
                stacklevel=2,
            )


def _inverse_labels(
    settings: ConstraintSettings, observed: Observations, known: Names
) -> np.ndarray:
    """[R] The relation type that holds in the opposite direction, -1 for none. What the user gives
    goes before what is learned; of that the surest goes first."""
    inverse = np.full(len(known.values), -1, dtype=np.int64)
    for setting, first, second in settings.given_inverses:
        pair = known.index(first, setting), known.index(second, setting)
        for label, other in (pair, pair[::-1]):
            if inverse[label] not in (-1, other):
                names = [known.values[i] for i in (label, inverse[label], other)]
                reason = (
                    "the inverse of {!r} would be both {!r} and {!r}. A relation type has one "
                    "inverse, and a symmetric one is its own".format(*names)
                )
                raise DocreError(Errors.D051.format(name=known.component, reason=reason))
            inverse[label] = other
    for label, other in _learned_inverses(settings, observed, known.values):
        if inverse[label] == inverse[other] == -1:
            inverse[label], inverse[other] = other, label
    return inverse


def _learned_inverses(
    settings: ConstraintSettings, observed: Observations, labels: Sequence[str]
) -> list[tuple[int, int]]:
    counts, known = observed.relation_counts(), set(labels)
    found = []
    for (label, other), count in observed.opposites.items():
        setting = settings.symmetric if label == other else settings.inverse
        if setting == LEARNED and label in known and other in known and label <= other:
            n_instances = counts[label], counts[other]
            # Counted from either side the number of pairs is the same.
            share = count / max(n_instances)
            if share >= settings.min_share and min(n_instances) >= settings.min_count:
                found.append((-share, labels.index(label), labels.index(other)))
    return [(first, second) for _, first, second in sorted(found)]


def _learned_types(
    observed: Observations,
    inverse: np.ndarray,
    known: Names,
    known_types: Names,
    min_count: int,
) -> np.ndarray:
    """[R, T, T] The types that relations were seen with. A relation seen in one direction tells of
    its inverse too; one of which nothing is known is free."""
    label_ids = {label: i for i, label in enumerate(known.values)}
    type_ids = {label: i for i, label in enumerate(known_types.values)}
    allowed = np.zeros((len(label_ids), len(type_ids), len(type_ids)), dtype=bool)
    for (label, head, tail), count in observed.types.items():
        if count >= min_count and label in label_ids and head in type_ids and tail in type_ids:
            allowed[label_ids[label], type_ids[head], type_ids[tail]] = True
    linked = np.flatnonzero(inverse >= 0)
    allowed[linked] |= allowed[inverse[linked]].swapaxes(1, 2)
    allowed[~allowed.any(axis=(1, 2))] = True
    return allowed


def _given_types(
    settings: ConstraintSettings, inverse: np.ndarray, known: Names, known_types: Names
) -> np.ndarray:
    """[R, T, T] The types that the user allows. What is said of a relation holds for its inverse
    too, with head and tail exchanged."""
    n_types = len(known_types.values)
    allowed = np.zeros((len(known.values), n_types, n_types), dtype=bool)
    is_named = np.zeros(len(known.values), dtype=bool)
    for label, heads, tails in settings.given_types:
        row = known.index(label, "types")
        is_named[row] = True
        allowed[row] |= np.outer(_type_mask(heads, known_types), _type_mask(tails, known_types))
    allowed[~is_named] = True
    for label_id in np.flatnonzero(is_named & (inverse >= 0)).tolist():
        reverse, other = allowed[label_id].T, int(inverse[label_id])
        if is_named[other] and (allowed[other] != reverse).any():
            label = repr(known.values[label_id])
            reason = (
                f"{label} is symmetric"
                if label_id == other
                else f"{label} and {known.values[other]!r} hold in opposite directions"
            )
            reason += ", but `constraints.types` is not the same with head and tail exchanged"
            raise DocreError(Errors.D051.format(name=known.component, reason=reason))
        allowed[other] = reverse
    return allowed


def _type_mask(types: Sequence[str], known_types: Names) -> np.ndarray:
    mask = np.full(len(known_types.values), not types or ANY in types)
    mask[[known_types.index(label, "types") for label in types if label != ANY]] = True
    return mask


def _with_unknown_type(allowed: np.ndarray) -> np.ndarray:
    """[R, T + 1, T + 1] The same with the unknown type as the first, which stands for any."""
    n_labels, n_types, _ = allowed.shape
    extended = np.ones((n_labels, n_types + 1, n_types + 1), dtype=bool)
    extended[:, 1:, 1:] = allowed
    extended[:, 0, 1:] = allowed.any(axis=1)
    extended[:, 1:, 0] = allowed.any(axis=2)
    return extended
