"""Splits of a corpus by document, without leaks of the same text."""

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Mapping

from spacy.tokens import Doc

from ..errors import DocreError, Errors

TRAIN = "train"


def split_documents(
    docs: Iterable[Doc], shares: Mapping[str, float], *, seed: int
) -> dict[str, list[Doc]]:
    """Split a corpus by document. Documents of the same text (white space and case aside) or the
    same title go to the same part, so that nothing that is tested was trained on. Which group comes
    to which part depends on its texts and the seed alone, not on the order of the documents.

    docs (Iterable[Doc]): The documents.
    shares (Mapping[str, float]): The share of each part but "train", which gets the rest.
    seed (int): What to draw by.
    RETURNS (dict[str, list[Doc]]): The documents of "train" and of each part, in their order.
    RAISES (DocreError): If the shares are not between 0 and 1 together, or a part would be empty.
    """
    if any(share < 0 for share in shares.values()) or sum(shares.values()) >= 1:
        given = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        raise DocreError(Errors.D155.format(shares=given))
    rows = list(docs)
    keys = _keys(rows)
    groups = Counter(keys)
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    wanted = {name: round(share * len(rows)) for name, share in shares.items()}
    sizes = dict.fromkeys(shares, 0)
    part_of: dict[str, str] = {}
    for key in order:
        fitting = (name for name in shares if sizes[name] + groups[key] <= wanted[name])
        part_of[key] = next(fitting, TRAIN)
        if part_of[key] != TRAIN:
            sizes[part_of[key]] += groups[key]
    parts: dict[str, list[Doc]] = {name: [] for name in (TRAIN, *shares)}
    for key, doc in zip(keys, rows, strict=True):
        parts[part_of[key]].append(doc)
    empty = [name for name, its in parts.items() if not its and (shares.get(name, 1) > 0)]
    if empty:
        raise DocreError(Errors.D156.format(n_docs=len(rows), n_groups=len(groups), part=empty[0]))
    return parts


def fold_documents(docs: Iterable[Doc], n_folds: int, *, seed: int) -> list[list[Doc]]:
    """Cut a corpus into parts of about one size, with what belongs together in one part, as
    `split_documents` does.

    docs (Iterable[Doc]): The documents.
    n_folds (int): How many parts.
    seed (int): What to draw by.
    RETURNS (list[list[Doc]]): The documents of each part, in their order.
    RAISES (DocreError): If there are fewer groups of documents than parts.
    """
    rows = list(docs)
    keys = _keys(rows)
    groups = Counter(keys)
    if len(groups) < n_folds:
        part = f"part {len(groups) + 1}"
        raise DocreError(Errors.D156.format(n_docs=len(rows), n_groups=len(groups), part=part))
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    order.sort(key=groups.__getitem__, reverse=True)
    sizes = [0] * n_folds
    part_of: dict[str, int] = {}
    for key in order:
        part_of[key] = sizes.index(min(sizes))
        sizes[part_of[key]] += groups[key]
    return [
        [doc for key, doc in zip(keys, rows, strict=True) if part_of[key] == part]
        for part in range(n_folds)
    ]


def _keys(docs: list[Doc]) -> list[str]:
    """What is the same for the documents of a group: the smallest of their names."""
    parent: dict[str, str] = {}

    def find(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    texts = [_name("text", "".join(doc.text.split()).casefold()) for doc in docs]
    for text, doc in zip(texts, docs, strict=True):
        root = find(text)
        title = doc.user_data.get("title")
        if title:
            other = find(_name("title", str(title)))
            low, high = sorted((root, other))
            parent[high] = low
    return [find(text) for text in texts]


def _name(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}\0{value}".encode("utf8", "surrogatepass")).hexdigest()
