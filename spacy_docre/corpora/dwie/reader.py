"""DWIE (Zaporojets et al. 2021): one JSON file a document, with text, as the data set's own script
`dwie_download.py` writes them to `annos_with_content`."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from ...data.clusters import (
    DEFAULT_PREFIX,
    cluster_key,
    set_clusters,
)
from ...data.relation import (
    DEFAULT_ATTR,
    Relation,
    install_extension,
    set_relations,
)
from ...errors import DocreError, Errors
from ...files import read_json
from ..folders import corpus_files
from ..placing import Claim, Placing
from ..report import ConversionReport
from ..text import align_mention, keep_source, read_text
from ..validation import DocumentError, Row, validate

# The one type of an entity is the first of these that it is tagged with, as in the DocRED-style
# DWIE that the papers on document-level relation extraction train on (Ru et al. 2021).
TYPES = (
    "location",
    "organization",
    "person",
    "misc",
    "event",
    "ethnicity",
    "time",
    "role",
    "money",
)
OTHER_TYPE = "other"
TYPE_TAG = "type::"
USER_DATA = "dwie"


class DwieMention(Row):
    """A mention: its first character, the character after its last, its text and its entity."""

    NAME = "mentions"
    UNREAD = frozenset({"scores"})

    begin: int
    end: int
    text: str
    concept: int
    candidates: list[Any] = Field(default_factory=list)


class DwieConcept(Row):
    """An entity: its number, name, tags ("type::person") and Wikipedia page, if it has one."""

    NAME = "concepts"
    UNREAD = frozenset({"count"})

    # The number is kept with the cluster, in files whose numbers have 64 bits.
    concept: int = Field(ge=0, lt=2**63)
    text: str | None = None
    keyword: bool = False
    link: str | None = None
    tags: list[str] = Field(default_factory=list)


class DwieRelation(Row):
    """A relation from the entity `s` to the entity `o`."""

    NAME = "relations"

    s: int
    p: str
    o: int


class DwieDocument(Row):
    """A document. Without `relations` it is not annotated."""

    MEANT: ClassVar = {"text": "content", "entities": "concepts", "clusters": "concepts"}

    id: str
    content: str
    tags: list[str] = Field(default_factory=list)
    mentions: list[DwieMention]
    concepts: list[DwieConcept]
    relations: list[DwieRelation] | None = None
    frames: list[Any] = Field(default_factory=list)
    iptc: list[str] = Field(default_factory=list)


def read_dwie(
    folder: str | Path,
    nlp: Language,
    *,
    splits: str | Path | None = None,
    split: str | None = None,
    report: ConversionReport | None = None,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
) -> Iterator[Doc]:
    """Read documents of DWIE.

    An entity's type is that of the `TYPES` that it is tagged with, or "other"; all its tags are the
    span group's attribute "tags", its Wikipedia page the attribute "link" and the spans' `kb_id_`,
    its number "concept", its name "name". Left out, and counted in the report, are entities without
    mentions and their relations, relations of an entity to itself, the second of two equal
    relations, frames, and the entity linker's candidates.

    folder (Union[str, Path]): The folder of the JSON files.
    nlp (Language): The pipeline whose tokenizer cuts the texts.
    splits (Optional[Union[str, Path]]): A JSON object from the names of splits to the ids of their
        documents. None reads the whole folder, in the order of the names.
    split (Optional[str]): The split to read.
    report (Optional[ConversionReport]): Counts what was not kept as it was.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    YIELDS (Doc): The documents, in the order of the split.
    RAISES (DocreError): If a file is malformed; names the file and the field.
    """
    install_extension(attr)
    report = report or ConversionReport()
    for path in _paths(Path(folder), splits, split, report):
        row = read_json(path)
        try:
            document = validate(DwieDocument, row, report, path.stem)
            yield _to_doc(document, nlp, report, prefix, attr)
        except DocumentError as error:
            raise error.in_file(path, 0, {"title": path.stem}) from None


def _paths(
    folder: Path, splits: str | Path | None, split: str | None, report: ConversionReport
) -> list[Path]:
    paths = {path.stem: path for path in corpus_files(folder, (".json",), report)}
    if not paths:
        raise DocreError(Errors.D015.format(path=folder, reason="no file there ends in .json"))
    if splits is None:
        return list(paths.values())
    ids_of = read_json(splits)
    if not isinstance(ids_of, dict) or not isinstance(ids_of.get(split), list):
        names = ", ".join(map(repr, ids_of)) if isinstance(ids_of, dict) else "no splits"
        raise DocreError(Errors.D078.format(path=splits, split=split, names=names))
    missing = [name for name in ids_of[split] if not isinstance(name, str) or name not in paths]
    if missing:
        reason = f"there is no {missing[0]!r}.json, which '{split}' in {splits} lists"
        raise DocreError(Errors.D015.format(path=folder, reason=reason))
    return [paths[name] for name in ids_of[split]]


def _to_doc(
    document: DwieDocument, nlp: Language, report: ConversionReport, prefix: str, attr: str
) -> Doc:
    doc = read_text(document.content, nlp, document.id, "content")
    doc.user_data[USER_DATA] = {"tags": document.tags, "iptc": document.iptc}
    report.count("frames left out", document.id, len(document.frames))
    key_of = _set_entities(document, doc, report, prefix)
    if document.relations is not None:
        set_relations(doc, _relations(document, key_of, report), attr=attr)
    return doc


def _set_entities(
    document: DwieDocument, doc: Doc, report: ConversionReport, prefix: str
) -> dict[int, str | None]:
    # The key of each entity's cluster; None for those that get none.
    concepts = {concept.concept: concept for concept in document.concepts}
    if len(concepts) < len(document.concepts):
        raise DocumentError("concepts", "two have the same number")
    mentions = _mentions(document, doc, concepts, report)
    kept = [number for number in concepts if mentions[number]]
    groups = set_clusters(doc, ([span for _, span in mentions[n]] for n in kept), prefix)
    for number, group in zip(kept, groups, strict=True):
        concept = concepts[number]
        rows = [row for row, _ in mentions[number]]
        keep_source(group, [[(row.begin, row.end)] for row in rows], [row.text for row in rows])
        group.attrs.update(concept=number, tags=concept.tags, keyword=concept.keyword)
        # A link to nothing and no link at all differ: an entity outside Wikipedia, or no entity.
        if "link" in concept.model_fields_set:
            group.attrs["link"] = concept.link
        if concept.text:
            group.attrs["name"] = concept.text
    doc.ents = filter_spans(span for rows in mentions.values() for _, span in rows)
    left_out = len(concepts) - len(kept)
    report.count("entities without mentions left out", document.id, left_out)
    keys = {number: cluster_key(prefix, i) for i, number in enumerate(kept, start=1)}
    return {number: keys.get(number) for number in concepts}


def _mentions(
    document: DwieDocument, doc: Doc, concepts: dict[int, DwieConcept], report: ConversionReport
) -> dict[int, list[tuple[DwieMention, Span]]]:
    mentions = defaultdict(list)
    claims = [Claim([(m.begin, m.end)], (m.text,)) for m in document.mentions]
    placing = Placing(document.content, claims, report, document.id)
    for i, (mention, claim) in enumerate(zip(document.mentions, claims, strict=True)):
        field = f"mentions[{i}]"
        if mention.concept not in concepts:
            raise DocumentError(f"{field}.concept", f"there is no concept {mention.concept}")
        concept = concepts[mention.concept]
        place = placing.place(claim)
        if place is None:
            found = document.content[mention.begin : mention.end][:60]
            raise DocumentError(f"{field}.text", f"the text there is {found!r}")
        # Offsets as the text has them, from here on.
        ((mention.begin, mention.end),) = place
        span = align_mention(
            doc,
            place,
            report,
            field=field,
            label=entity_type(concept.tags),
            kb_id=concept.link or "",
        )
        has_candidates = bool(mention.candidates)
        report.count("mentions' candidates for links left out", document.id, has_candidates)
        if span is not None:
            mentions[mention.concept].append((mention, span))
    return mentions


def entity_type(tags: list[str]) -> str:
    """The one type of an entity.

    tags (list[str]): All its tags.
    RETURNS (str): The first of `TYPES` among them, or else "other".
    """
    return next((name for name in TYPES if TYPE_TAG + name in tags), OTHER_TYPE)


def _relations(
    document: DwieDocument, key_of: dict[int, str | None], report: ConversionReport
) -> list[Relation]:
    triples: dict[tuple[str, str, str], None] = {}
    for i, relation in enumerate(document.relations or []):
        for name, entity in (("s", relation.s), ("o", relation.o)):
            if entity not in key_of:
                raise DocumentError(f"relations[{i}].{name}", f"there is no concept {entity}")
        head, tail = key_of[relation.s], key_of[relation.o]
        if head is None or tail is None:
            report.count("relations of entities without mentions left out", document.id)
        elif head == tail:
            report.count("relations of an entity to itself left out", document.id)
        elif (head, relation.p, tail) in triples:
            report.count("relations listed twice kept once", document.id)
        else:
            triples[head, relation.p, tail] = None
    return [Relation(*triple) for triple in triples]
