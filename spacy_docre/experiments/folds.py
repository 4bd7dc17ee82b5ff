"""Cross-validation: each part of a corpus is the development corpus once."""

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from ..corpora.readers import read_docs
from ..corpora.splits import fold_documents
from ..data.relation import install_extension
from ..files import read_json, replacing
from ..files.folders import checksum
from ..scoring.judgement import Judgement
from .runs import Experiment

# What the parts were made of: they are made anew where it differs, and so are the runs.
MADE_OF = "folds.json"


def make_folds(experiment: Experiment, n_folds: int, *, seed: int = 0) -> list[Experiment]:
    """An experiment for each part of the training corpus, which is the development corpus there and
    the rest the training corpus. The parts are written to the folder of the runs, unless they are
    there.

    experiment (Experiment): What all have in common; its `train` is the whole corpus.
    n_folds (int): How many parts.
    seed (int): What to draw by.
    RETURNS (list[Experiment]): The experiments.
    RAISES (DocreError): If there are too few documents.
    """
    folders = [experiment.output / f"fold-{number}" for number in range(1, n_folds + 1)]
    made_of = {"corpus": checksum(experiment.train), "folds": n_folds, "seed": seed}
    file = experiment.output / MADE_OF
    if not file.exists() or read_json(file) != made_of:
        install_extension()
        parts = fold_documents(read_docs(experiment.train, Vocab()), n_folds, seed=seed)
        for number, folder in enumerate(folders):
            others = [doc for other, docs in enumerate(parts) if other != number for doc in docs]
            _write(others, folder / "train.spacy")
            _write(parts[number], folder / "dev.spacy")
        with replacing(file) as draft:
            draft.write_text(json.dumps(made_of), encoding="utf8")
    return [
        replace(experiment, train=folder / "train.spacy", dev=folder / "dev.spacy", output=folder)
        for folder in folders
    ]


def _write(docs: list[Any], path: Path) -> None:
    with replacing(path) as draft:
        DocBin(docs=docs, store_user_data=True).to_disk(draft)


def join(judgements: Sequence[Judgement]) -> Judgement:
    """The relations of several corpora as those of one.

    judgements (Sequence[Judgement]): Those of each corpus.
    RETURNS (Judgement): The relations, with the documents numbered on.
    """
    labels = sorted({label for judgement in judgements for label in judgement.labels})
    parts = [judgement.with_labels(labels) for judgement in judgements]
    arrays: dict[str, Any] = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(Judgement)
        if isinstance(getattr(parts[0], field.name), np.ndarray)
    }
    sizes = [len(part.pair) for part in parts]
    docs = np.cumsum([0, *(part.n_docs for part in parts)]).tolist()
    pairs = np.cumsum([0, *(len(part.pairs) for part in parts)]).tolist()
    arrays["doc"] = arrays["doc"] + np.repeat(docs[:-1], sizes)
    arrays["pair"] = arrays["pair"] + np.repeat(pairs[:-1], sizes)
    numbered = [
        (first + doc, head, tail)
        for first, part in zip(docs, parts, strict=False)
        for doc, head, tail in part.pairs
    ]
    return replace(parts[0], n_docs=docs[-1], pairs=numbered, **arrays)
