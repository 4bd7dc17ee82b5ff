"""BioC (Comeau et al. 2013) in XML and JSON, as PubTator 3, BioRED and BioCreative's tasks give it
out; read and written with the package `bioc`."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..errors import DocreError, Errors, shortened
from ..files import displayed, parse_rows, read_text, replacing
from .formats import Format, Option, Sample
from .mentions import READ_OPTIONS, GivenDocument, GivenMention, from_doc, to_doc
from .pubtator.identifiers import UNKNOWN, Names
from .report import ConversionReport
from .validation import DocumentError
from .xml_text import ENTITIES, check_for_xml, safe_to_parse

# What corpora call an annotation's identifier and a relation's type and arguments.
IDENTIFIERS = ("identifier", "Identifier", "MESH", "NCBI Gene", "concept_id")
TYPES = ("type", "relation", "relation type")
ARGUMENTS = (("role1", "role2"), ("entity1", "entity2"), ("Chemical", "Disease"))


def read_bioc(
    path: Path,
    nlp: Language,
    *,
    report: ConversionReport,
    entities: str = "ids",
    **options: Any,
) -> Iterator[Doc]:
    """Read a BioC collection. The passages of a document become one text with a blank between.
    Mentions are annotations with a type; relations name two of them, or the identifiers of two
    entities ("role1": "Chemical|MESH:D008750"), of which the first mentions are taken.

    path (Path): The file.
    nlp (Language): The pipeline whose tokenizer cuts the texts.
    report (ConversionReport): Counts what is not kept as it was.
    entities (str): How mentions become entities, as for `to_doc`.
    **options: As for `to_doc`.
    YIELDS (Doc): The documents.
    RAISES (DocreError): If the file is malformed, or the package is missing.
    """
    for index, document in enumerate(_load(path).documents):
        try:
            given = _given(document, report)
            yield to_doc(given, nlp, report, entities=entities, **options)
        except DocumentError as error:
            raise error.in_file(path, index, {"title": document.id}) from None


def _package() -> Any:
    try:
        import bioc
        from bioc import biocjson, biocxml  # noqa: F401  become attributes of the package
    except ImportError:
        raise DocreError(Errors.D021.format(package="bioc", purpose="BioC", extra="bioc")) from None
    return bioc


def _load(path: Path) -> Any:
    bioc, text = _package(), read_text(path)
    try:
        if text.lstrip().startswith("{"):
            return bioc.biocjson.loads(json.dumps(_complete(parse_rows(text))))
        return bioc.biocxml.loads(safe_to_parse(text, ENTITIES))
    except DocreError:
        raise
    except Exception as error:  # whatever a broken file does to the library that reads it
        reason = shortened(f"not BioC: {type(error).__name__}: {error}")
        raise DocreError(Errors.D015.format(path=displayed(path), reason=reason)) from None


def _complete(rows: list[Any]) -> Any:
    """A collection with the keys that the package wants and its writers often leave away, and of
    the documents that PubTator's APIs give out."""
    row = rows[0]
    if "documents" not in row:
        documents = row.get("PubTator3", rows if "passages" in row else None)
        row = {"documents": documents}
    elif len(rows) > 1:
        raise ValueError("there are several collections in it")
    collection = {"source": "", "date": "", "key": "", "infons": {}, "version": "1.0", **row}
    collection["documents"] = [_complete_part(part) for part in row["documents"]]
    return collection


def _complete_part(row: Any) -> Any:
    kinds = ("passages", "sentences", "annotations", "relations")
    lists = {kind: [_complete_part(part) for part in row.get(kind) or []] for kind in kinds}
    empty: dict[str, Any] = {
        "id": "",
        "infons": {},
        "text": None,
        "locations": [],
        "nodes": [],
        "offset": 0,
    }
    return {**empty, **row, **lists}


def _given(document: Any, report: ConversionReport) -> GivenDocument:
    title = str(document.id or "")
    given = GivenDocument(title, "")
    passages = document.passages
    parts = [_passage_text(passage) for passage in passages]
    given.text = " ".join(parts)
    report.count("passages joined to one text with the first", title, max(len(parts) - 1, 0))
    start = 0
    relations = list(document.relations)
    for passage, part in zip(passages, parts, strict=True):
        rows = [*passage.annotations, *(a for s in passage.sentences for a in s.annotations)]
        mentions = _passage_mentions(rows, given.text, (start, passage.offset), report, title)
        given.mentions += mentions
        relations += [*passage.relations, *(r for s in passage.sentences for r in s.relations)]
        start += len(part) + 1
    for annotation in document.annotations:
        offset = -passages[0].offset if passages else 0
        given.mentions.append(_mention(annotation, offset, report, title))
    names = Names([m.kb_id for m in given.mentions if m.kb_id], {m.label for m in given.mentions})
    first: dict[str, str] = {}
    for mention in given.mentions:
        if mention.kb_id:
            mention.kb_id = names.entity(mention.kb_id)
            first.setdefault(mention.kb_id, mention.id)
    known = {mention.id for mention in given.mentions}
    given.relations = []
    for relation in relations:
        ends = _ends(relation, names, first, known)
        if ends is None:
            report.count("relations that do not name two mentions or entities, skipped", title)
            continue
        label = next((relation.infons[key] for key in TYPES if relation.infons.get(key)), "related")
        given.relations.append((ends[0], str(label), ends[1]))
    return given


def _passage_mentions(
    annotations: list[Any],
    text: str,
    offsets: tuple[int, int],
    report: ConversionReport,
    title: str,
) -> list[GivenMention]:
    """The annotations of a passage. They count from where its offset does; some writers count from
    its beginning, or from the beginning of the text where its offset does not.

    annotations (list[Any]): The annotations.
    text (str): The text of the document.
    offsets (tuple[int, int]): Where the passage begins in the text, and its offset in the source.
    report (ConversionReport): Counts what is not kept as it was.
    title (str): The document's title.
    RETURNS (list[GivenMention]): The mentions.
    """
    start, offset = offsets
    given = [_mention(annotation, start - offset, report, title) for annotation in annotations]

    def shifted(shift: int) -> list[GivenMention]:
        return [replace(m, start=m.start + shift, end=m.end + shift) for m in given]

    def n_agreeing(shift: int) -> int:
        return sum(m.start >= 0 and text[m.start : m.end] == m.text for m in shifted(shift))

    # Of equal ones the first, which is what BioC says.
    shift = max((0, offset, offset - start), key=n_agreeing)
    if not shift or 2 * n_agreeing(shift) <= len(given):
        return given
    report.count("mentions moved to where their text is in their passage", title, len(given))
    return shifted(shift)


def _passage_text(passage: Any) -> str:
    if passage.text is not None:
        return passage.text
    text = ""
    for sentence in passage.sentences:
        gap = sentence.offset - passage.offset - len(text)
        text += " " * min(max(gap, 1 if text else 0), 1000) + (sentence.text or "")
    return text


def _mention(annotation: Any, shift: int, report: ConversionReport, title: str) -> GivenMention:
    if not annotation.locations:
        raise DocumentError(f"annotation {annotation.id}", "it has no location")
    start = min(location.offset for location in annotation.locations)
    end = max(location.end for location in annotation.locations)
    parts = len(annotation.locations)
    report.count("discontinuous mentions filled", title, parts > 1)
    found = (annotation.infons.get(key) for key in IDENTIFIERS)
    kb_id = next((str(value) for value in found if value), "")
    return GivenMention(
        str(annotation.id),
        start + shift,
        end + shift,
        str(annotation.infons.get("type", "")),
        annotation.text if parts == 1 and annotation.text else None,
        "" if kb_id in UNKNOWN else kb_id,
    )


def _ends(
    relation: Any, names: Names, first: dict[str, str], known: set[str]
) -> tuple[str, str] | None:
    nodes = [str(node.refid) for node in relation.nodes]
    if len(nodes) == 2:
        return (nodes[0], nodes[1]) if known.issuperset(nodes) else None
    for keys in ARGUMENTS:
        values = [str(_identifier(relation.infons.get(key))) for key in keys]
        entities = [names.named(names.without_type(value)) for value in values]
        mentions = [entity and first.get(entity) for entity in entities]
        if mentions[0] and mentions[1]:
            return mentions[0], mentions[1]
    return None


def _identifier(value: Any) -> Any:
    # PubTator 3's API gives an object for each argument.
    return value.get("identifier", "") if isinstance(value, dict) else value or ""


def _write(docs: Iterable[Doc], path: Path, *, report: ConversionReport, **settings: Any) -> int:
    bioc, is_json = _package(), path.suffix == ".json"
    collection = bioc.BioCCollection()
    collection.source, collection.date, collection.key = "", "", ""
    for doc in docs:
        given = from_doc(doc, report, has_ids=True, **settings)
        if not is_json:
            check_for_xml(doc, given)
        document, passage = bioc.BioCDocument(), bioc.BioCPassage()
        document.id = given.title
        passage.offset, passage.text = 0, given.text
        for mention in given.mentions:
            annotation = bioc.BioCAnnotation()
            annotation.id, annotation.text = mention.id, mention.text
            annotation.infons["type"] = mention.label
            if mention.kb_id:
                annotation.infons["identifier"] = mention.kb_id
            length = mention.end - mention.start
            annotation.add_location(bioc.BioCLocation(mention.start, length))
            passage.add_annotation(annotation)
        for number, (head, label, tail) in enumerate(given.relations or [], start=1):
            relation = bioc.BioCRelation()
            relation.id, relation.infons["type"] = f"R{number}", label
            relation.add_node(bioc.BioCNode(head, "head"))
            relation.add_node(bioc.BioCNode(tail, "tail"))
            document.add_relation(relation)
        document.add_passage(passage)
        collection.add_document(document)
    text = bioc.biocjson.dumps(collection) if is_json else bioc.biocxml.dumps(collection)
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf8")
    return len(collection.documents)


def _looks_like(sample: Sample) -> bool:
    start = sample.text[:1000]
    return {"passages", "infons"} <= sample.keys or "<collection>" in start or "BioC.dtd" in start


FORMAT = Format(
    "bioc",
    "BioC",
    "a BioC collection, in XML or, by its name, in JSON",
    read_bioc,
    _write,
    _looks_like,
    suffix=".xml",
    read_options=(
        Option("entities", str, "ids", READ_OPTIONS[0].help),
        READ_OPTIONS[1],
    ),
    package="bioc",
)
