"""Predictions that were saved, beside the corpus that they are for: so that nothing need be run
twice to be scored or compared."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import spacy
from pydantic import BaseModel, Field
from spacy.tokens import Doc
from spacy.training import Example

from ..corpora.jsonl import read_jsonl
from ..corpora.readers import copy_sentences, read_docs
from ..corpora.validation import DocumentError, validate
from ..data.clusters import DEFAULT_PREFIX, cluster_key, copy_clusters, describe
from ..data.docs import bare_doc
from ..data.relation import DEFAULT_ATTR, set_relations
from ..errors import DocreError, Errors
from ..files import read_json

SUFFIXES = (".spacy", ".jsonl", ".json")


class DocredPrediction(BaseModel):
    """A relation in DocRED's submission format, with the score that `predict` adds."""

    title: str
    h_idx: int = Field(ge=0)
    t_idx: int = Field(ge=0)
    r: str
    evidence: list[int] = []
    score: float = 1.0


def is_predictions(name: str) -> bool:
    """Whether a name is that of a file of predictions, and not of a pipeline."""
    path = Path(name)
    return path.suffix in SUFFIXES and path.is_file()


def read_predictions(
    path: str | Path,
    references: Sequence[Doc],
    *,
    relation_names: Mapping[str, str] | None = None,
) -> list[Example]:
    """Read what `predict` wrote: documents (.spacy, .jsonl), or relations in DocRED's submission
    format (.json), which are between the clusters of the corpus.

    path (Union[str, Path]): The file.
    references (Sequence[Doc]): The documents of the corpus.
    relation_names (Optional[Mapping[str, str]]): Names for the relations' identifiers ("P19") in
        DocRED's format, as the corpus was converted with.
    RETURNS (list[Example]): The predicted documents beside the references, in their order.
    RAISES (DocreError): If the file is malformed, or is not for this corpus.
    """
    path = Path(path)
    if path.suffix == ".json":
        docs = _read_docred(path, references, relation_names or {})
    else:
        docs = _find_docs(path, references)
    return [Example(doc, reference) for doc, reference in zip(docs, references, strict=True)]


def _find_docs(path: Path, references: Sequence[Doc]) -> list[Doc]:
    by_text: dict[str, list[Doc]] = defaultdict(list)
    for doc in reversed(list(_read_docs(path, references))):
        by_text[doc.text].append(doc)
    docs = []
    for reference in references:
        if not by_text[reference.text]:
            raise _mismatch(path, f"{describe(reference)} has no predictions")
        docs.append(by_text[reference.text].pop())
    for left in by_text.values():
        if left:
            raise _mismatch(path, f"{describe(left[0])} is not in the corpus")
    return docs


def _read_docs(path: Path, references: Sequence[Doc]) -> Iterable[Doc]:
    nlp = spacy.blank("xx")
    if path.suffix == ".spacy":
        return read_docs(path, nlp.vocab)
    tokens = {reference.text: reference for reference in references}
    tokenize_others = nlp.tokenizer

    def tokenize(text: str) -> Doc:
        # The corpus's tokens, so that no mention is widened to others.
        known = tokens.get(text)
        return tokenize_others(text) if known is None else bare_doc(known, nlp.vocab)

    nlp.tokenizer = tokenize
    return read_jsonl(path, nlp)


def _read_docred(
    path: Path, references: Sequence[Doc], relation_names: Mapping[str, str]
) -> list[Doc]:
    rows = read_json(path)
    if not isinstance(rows, list):
        raise DocreError(Errors.D015.format(path=path, reason="expected a list of relations"))
    by_title: dict[str, list[DocredPrediction]] = {
        reference.user_data.get("title", ""): [] for reference in references
    }
    if len(by_title) < len(references):
        raise _mismatch(path, "it tells documents by their titles, but titles occur twice there")
    for index, row in enumerate(rows):
        try:
            prediction = validate(DocredPrediction, row)
        except DocumentError as error:
            raise error.in_file(path, index, row) from None
        if prediction.title not in by_title:
            raise _mismatch(path, f"there is no document '{prediction.title}'")
        by_title[prediction.title].append(prediction)
    return [
        _with_relations(path, reference, predictions, relation_names)
        for reference, predictions in zip(references, by_title.values(), strict=True)
    ]


def _with_relations(
    path: Path,
    reference: Doc,
    predictions: list[DocredPrediction],
    relation_names: Mapping[str, str],
) -> Doc:
    doc = bare_doc(reference, reference.vocab)
    copy_clusters(reference, doc)
    copy_sentences(reference, doc)
    sentences = [(s.start, s.end) for s in doc.sents] if doc.has_annotation("SENT_START") else []
    relations: list[dict[str, Any]] = []
    for prediction in predictions:
        keys = [cluster_key(DEFAULT_PREFIX, i + 1) for i in (prediction.h_idx, prediction.t_idx)]
        if not all(key in doc.spans for key in keys):
            numbers = f"{prediction.h_idx} or {prediction.t_idx}"
            raise _mismatch(path, f"{describe(doc)} has no entity {numbers}")
        if not all(0 <= i < len(sentences) for i in prediction.evidence):
            raise _mismatch(path, f"{describe(doc)} has not all sentences {prediction.evidence}")
        relations.append(
            {
                "head": keys[0],
                "label": relation_names.get(prediction.r, prediction.r),
                "tail": keys[1],
                "score": prediction.score,
                "evidence": [sentences[i] for i in prediction.evidence],
            }
        )
    set_relations(doc, relations, attr=DEFAULT_ATTR)
    return doc


def _mismatch(path: Path, reason: str) -> DocreError:
    return DocreError(Errors.D088.format(path=path, reason=reason))
