"""The layout of spaCy's tutorial on relation extraction (explosion/projects, tutorials/
rel_component): `.spacy` files whose documents have, for each pair of first tokens of two entities,
the score of each relation type in `doc._.rel`."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.util import filter_spans
from spacy.vocab import Vocab

from ..errors import DocreError, shortened
from ..files import replacing
from .docbin import read_docbin
from .formats import Format, Option, Sample
from .mentions import READ_OPTIONS, GivenDocument, GivenMention, annotate, from_doc
from .report import ConversionReport
from .validation import DocumentError

REL: Any = ("._.", "rel", None, None)
# Beyond that, only pairs with a relation are in the table: all would be the square of them.
MAX_ENTITIES = 200


def read_spacy_rel(
    path: Path, nlp: Language, *, report: ConversionReport, threshold: float = 0.5, **options: Any
) -> Iterator[Doc]:
    """Read a file of the tutorial's. Tokens, sentences and entities are kept. The table itself is
    replaced by relations.

    path (Path): The file.
    nlp (Language): The pipeline whose vocabulary the documents have.
    report (ConversionReport): Counts what is not kept as it was.
    threshold (float): The score from which on a pair has a relation.
    **options: As for `to_doc`.
    YIELDS (Doc): The documents.
    RAISES (DocreError): If the file or a document in it is damaged.
    """
    for index, doc in enumerate(read_docbin(path, nlp.vocab)):
        try:
            table = doc.user_data.pop(REL, None)
            title = str(doc.user_data.get("title") or "")
            given = GivenDocument(title, doc.text)
            names = {ent.start: str(number) for number, ent in enumerate(doc.ents, start=1)}
            given.mentions = [
                GivenMention(
                    names[ent.start], ent.start_char, ent.end_char, ent.label_, None, ent.kb_id_
                )
                for ent in doc.ents
            ]
            if table is None:
                report.count("documents without `doc._.rel`, not annotated", title)
            else:
                given.relations = list(_relations(table, names, threshold))
            annotate(doc, given, report, **options)
        except DocumentError as error:
            raise error.in_file(path, index, doc.user_data) from None
        yield doc


def _relations(
    table: Any, names: dict[int, str], threshold: float
) -> Iterator[tuple[str, str, str]]:
    try:
        for (head, tail), scores in table.items():
            for label, score in scores.items():
                if float(score) >= threshold:
                    yield names[head], str(label), names[tail]
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        reason = f"no table of pairs of entities' first tokens: {type(error).__name__}: {error}"
        raise DocumentError("doc._.rel", shortened(reason)) from None


def _write(docs: Iterable[Doc], path: Path, *, report: ConversionReport, **settings: Any) -> int:
    doc_bin = DocBin(store_user_data=True)
    for doc in docs:
        given = from_doc(doc, report, has_ids=True, **settings)
        spans = {}
        for mention in given.mentions:
            span = doc.char_span(
                mention.start, mention.end, label=mention.label, kb_id=mention.kb_id
            )
            assert span is not None
            spans[mention.id] = span
        copied = Doc(
            doc.vocab,
            words=[token.text for token in doc],
            spaces=[bool(token.whitespace_) for token in doc],
            sent_starts=[token.is_sent_start for token in doc],
        )
        kept = filter_spans(spans.values())
        copied.ents = [Span(copied, s.start, s.end, label=s.label_, kb_id=s.kb_id_) for s in kept]
        starts = {ent.start: (ent.start, ent.end) for ent in copied.ents}
        labels = sorted({label for _, label, _ in given.relations or []})
        paired = starts if len(starts) <= MAX_ENTITIES else {}
        table = {
            (head, tail): dict.fromkeys(labels, 0.0)
            for head in paired
            for tail in paired
            if head != tail
        }
        title = given.title
        report.count("mentions inside others, skipped", title, len(spans) - len(kept))
        for head, label, tail in given.relations or []:
            ends = [(spans[name].start, spans[name].end) for name in (head, tail)]
            if any(starts.get(start) != (start, end) for start, end in ends) or head == tail:
                report.count("relations of skipped mentions, skipped", title)
                continue
            scores = table.setdefault((ends[0][0], ends[1][0]), dict.fromkeys(labels, 0.0))
            scores[label] = 1.0
        copied.user_data[REL] = table
        copied.user_data["title"] = given.title
        doc_bin.add(copied)
    with replacing(path) as draft:
        doc_bin.to_disk(draft)
    return len(doc_bin)


def _looks_like(sample: Sample) -> bool:
    if not sample.is_packed:
        return False
    try:
        return any(REL in doc.user_data for doc in read_docbin(sample.path, Vocab()))
    except DocreError:
        return False


FORMAT = Format(
    "spacy-rel",
    "the layout of spaCy's relation tutorial",
    "a .spacy file of spaCy's relation tutorial (doc._.rel by pairs of tokens)",
    read_spacy_rel,
    _write,
    _looks_like,
    suffix=".spacy",
    read_options=(
        *READ_OPTIONS,
        Option("threshold", float, 0.5, "The score from which on a pair has a relation."),
    ),
)
