"""INCEpTION and WebAnno: UIMA CAS in XMI, beside its TypeSystem.xml, and in JSON, a file each
document; read and written with the package `dkpro-cassis`."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..errors import DocreError, Errors, shortened
from ..files import displayed, read_text
from .folders import corpus_files, new_folder, title_of
from .formats import Format, Option
from .mentions import COREFERENCE, READ_OPTIONS, GivenDocument, GivenMention, from_doc, to_doc
from .report import ConversionReport
from .validation import DocumentError
from .xml_text import ANY_TYPES, check_for_xml, safe_to_parse

TYPES_FILE = "TypeSystem.xml"
NAMED_ENTITY = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
CHAIN = "de.tudarmstadt.ukp.dkpro.core.api.coref.type.CoreferenceChain"
LINK = "de.tudarmstadt.ukp.dkpro.core.api.coref.type.CoreferenceLink"
# Layers that projects define themselves.
CUSTOM = "webanno.custom."
RELATION = "webanno.custom.Relation"
# What layers call the label of an annotation.
LABELS = ("value", "label", "Label", "relation")


def read_inception(
    folder: Path, nlp: Language, *, report: ConversionReport, **options: Any
) -> Iterator[Doc]:
    """Read a folder of INCEpTION's. Named entities and the spans of a project's own layers are
    mentions; relations are those of layers with a Governor and a Dependent; a coreference chain is
    one entity.

    folder (Path): The folder of `.xmi` and `.json` files.
    nlp (Language): The pipeline whose tokenizer cuts the texts.
    report (ConversionReport): Counts what is not kept as it was.
    **options: As for `to_doc`.
    YIELDS (Doc): The documents.
    RAISES (DocreError): If a file is malformed, or the package is missing.
    """
    cassis = _package()
    files = corpus_files(Path(folder), (".xmi", ".json", ".xml"), report)
    types = next((path for path in files if path.name == TYPES_FILE), None)
    paths = [path for path in files if path.suffix in (".xmi", ".json")]
    if not paths:
        reason = "no file there ends in .xmi or .json; unpack what INCEpTION has exported"
        raise DocreError(Errors.D015.format(path=displayed(folder), reason=reason))
    system = _load(cassis.load_typesystem, types) if types else None
    for path in paths:
        if path.suffix == ".json":
            cas = _load(cassis.load_cas_from_json, path)
        elif system is None:
            reason = f"there is no {TYPES_FILE} beside it"
            raise DocreError(Errors.D015.format(path=displayed(path), reason=reason))
        else:
            cas = _load(cassis.load_cas_from_xmi, path, typesystem=system, lenient=True)
        if cas.sofa_string is None:
            reason = "no CAS of UIMA: it has no text"
            raise DocreError(Errors.D015.format(path=displayed(path), reason=reason))
        title = title_of(path, Path(folder))
        try:
            doc = to_doc(_given(cas, title, report), nlp, report, **options)
        except DocumentError as error:
            raise error.in_file(path, 0, {"title": title}) from None
        yield doc


def _package() -> Any:
    try:
        import cassis
    except ImportError:
        needed = {"package": "dkpro-cassis", "purpose": "INCEpTION's files", "extra": "inception"}
        raise DocreError(Errors.D021.format(**needed)) from None
    return cassis


def _load(load: Any, path: Path, **settings: Any) -> Any:
    text = read_text(path)
    try:
        if path.suffix != ".json":
            text = safe_to_parse(text, ANY_TYPES)
        return load(BytesIO(text.encode("utf8")), **settings)
    except Exception as error:  # whatever a broken file does to the library that reads it
        reason = shortened(f"no CAS of UIMA: {type(error).__name__}: {error}")
        raise DocreError(Errors.D015.format(path=displayed(path), reason=reason)) from None


def _given(cas: Any, title: str, report: ConversionReport) -> GivenDocument:
    given = GivenDocument(title, cas.sofa_string, relations=[])
    ids: dict[Any, str] = {}
    by_place: dict[tuple[int, int], str] = {}
    relations, others = [], 0
    # In the order in which they were made, not in that of the text.
    for annotation in sorted(cas.select_all(), key=lambda annotation: annotation.xmiID or 0):
        name = annotation.type.name
        features = {feature.name for feature in annotation.type.all_features}
        if {"Governor", "Dependent"} <= features and name.startswith(CUSTOM):
            relations.append(annotation)
        elif name == NAMED_ENTITY or (name.startswith(CUSTOM) and "begin" in features):
            ids[annotation.xmiID] = str(len(ids) + 1)
            given.mentions.append(_mention(annotation, ids[annotation.xmiID]))
            by_place.setdefault((annotation.begin, annotation.end), ids[annotation.xmiID])
        else:
            others += name.startswith(CUSTOM)
    report.count("annotations of other layers, which are not read", title, others)
    for relation in relations:
        ends = [getattr(relation, role, None) for role in ("Governor", "Dependent")]
        names = [ids.get(getattr(end, "xmiID", None)) for end in ends]
        if None in names:
            report.count("relations that do not name two mentions, skipped", title)
            continue
        given.relations = given.relations or []
        given.relations.append((str(names[0]), _label(relation) or "related", str(names[1])))
    _add_chains(cas, given, by_place)
    return given


def _mention(annotation: Any, name: str) -> GivenMention:
    kb_id = getattr(annotation, "identifier", None)
    return GivenMention(
        name, annotation.begin, annotation.end, _label(annotation), None, str(kb_id or "")
    )


def _label(annotation: Any) -> str:
    values = (getattr(annotation, name, None) for name in LABELS)
    # Without such a feature, some of these are methods.
    return next((value for value in values if value and isinstance(value, str)), "")


def _add_chains(cas: Any, given: GivenDocument, by_place: dict[tuple[int, int], str]) -> None:
    """The mentions of a chain, joined; those that no other layer has are mentions of their own."""
    if not cas.typesystem.contains_type(CHAIN):
        return
    given.relations = given.relations or []
    seen = set()
    for chain in cas.select(CHAIN):
        link, former = chain.first, None
        while link is not None:
            place = (link.begin, link.end)
            if place not in by_place:
                by_place[place] = str(len(given.mentions) + 1)
                given.mentions.append(GivenMention(by_place[place], *place))
            if former is not None and former != by_place[place]:
                given.relations.append((former, COREFERENCE, by_place[place]))
            # What follows has been read, in another chain or in a circle.
            if id(link) in seen:
                break
            seen.add(id(link))
            link, former = link.next, by_place[place]


def _write(
    docs: Iterable[Doc], path: Path, *, report: ConversionReport, form: str = "xmi", **settings: Any
) -> int:
    cassis, n_docs = _package(), 0
    system = _type_system(cassis)
    with new_folder(path) as folder:
        for doc in docs:
            given = from_doc(doc, report, has_ids=True, **settings)
            if form != "json":
                check_for_xml(doc, given)
            cas = _to_cas(cassis, system, given)
            content = cas.to_json() if form == "json" else cas.to_xmi()
            folder.write(doc, {f".{form}": content})
            n_docs += 1
        if form != "json":
            (folder.path / TYPES_FILE).write_text(system.to_xml(), encoding="utf8")
    return n_docs


def _type_system(cassis: Any) -> Any:
    system = cassis.TypeSystem()
    named = system.create_type(NAMED_ENTITY)
    relation = system.create_type(RELATION)
    for made, names in ((named, ("value", "identifier")), (relation, ("label",))):
        for name in names:
            system.create_feature(made, name, "uima.cas.String")
    for role in ("Governor", "Dependent"):
        system.create_feature(relation, role, NAMED_ENTITY)
    return system


def _to_cas(cassis: Any, system: Any, given: GivenDocument) -> Any:
    cas = cassis.Cas(system)
    cas.sofa_string, cas.sofa_mime = given.text, "text/plain"
    make_entity, make_relation = system.get_type(NAMED_ENTITY), system.get_type(RELATION)
    made = {}
    for mention in given.mentions:
        entity = make_entity(begin=mention.start, end=mention.end, value=mention.label)
        entity.identifier = mention.kb_id or None
        made[mention.id] = entity
        cas.add(entity)
    for head, label, tail in given.relations or []:
        # INCEpTION draws a relation where its dependent is.
        relation = make_relation(begin=made[tail].begin, end=made[tail].end, label=label)
        relation.Governor, relation.Dependent = made[head], made[tail]
        cas.add(relation)
    return cas


FORMAT = Format(
    "inception",
    "INCEpTION's UIMA CAS",
    "a folder of INCEpTION's UIMA CAS files, in XMI (with TypeSystem.xml) or JSON",
    read_inception,
    _write,
    lambda sample: ".xmi" in sample.suffixes or "%FEATURE_STRUCTURES" in sample.keys,
    is_folder=True,
    read_options=READ_OPTIONS,
    write_options=(Option("form", str, "xmi", "The form of the files: xmi or json."),),
    package="cassis",
)
