"""Reading the `.data` form."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from spacy.tokens import Doc, Span
from spacy.util import filter_spans
from spacy.vocab import Vocab

from ...data.clusters import DEFAULT_PREFIX, cluster_key, set_clusters
from ...data.docs import blanks_after
from ...data.relation import (
    DEFAULT_ATTR,
    EXCLUDED_PAIRS,
    Relation,
    install_extension,
    set_relations,
)
from ...data.sentences import sentence_of_token
from ...files import read_text
from ..report import ConversionReport
from ..validation import DocumentError

N_COLUMNS = 17
NEGATIVE = "1:NR:2"
EXCLUDED = "not_include"
FORM = "an identifier, a text and 17 columns for each pair of entities"
LABEL = re.compile(r"1:(.+):2")
# The key in `doc.user_data` of the pairs that the file lists, as lists of two keys of clusters.
CANDIDATE_PAIRS = "candidate_pairs"


class EdgeOrientedMention(NamedTuple):
    """A mention: its name ("" if it cannot be told from the entity's others), its first token, the
    token after its last, both counted through the document, and its sentence."""

    name: str
    start: int
    end: int
    sentence: int


class EdgeOrientedEntity(NamedTuple):
    """An entity as a pair describes it."""

    identifier: str
    label: str
    mentions: list[EdgeOrientedMention]


class EdgeOrientedPair(NamedTuple):
    """A pair of entities and what the file says of it: a relation, none, or that it is excluded."""

    label: str
    head: EdgeOrientedEntity
    tail: EdgeOrientedEntity


def read_edge_oriented(
    path: str | Path,
    vocab: Vocab,
    *,
    report: ConversionReport | None = None,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
) -> Iterator[Doc]:
    """Read documents of the `.data` form. Tokens and sentences are kept. The entities that occur in
    a pair become clusters in the order of the file, with their identifiers as `kb_id`; those whose
    mentions are spelled otherwise than the tokens keep their names. "1:CID:2" is the relation CID,
    "1:NR:2" none; "not_include" is none and excluded besides. The pairs that the file lists are
    `doc.user_data["candidate_pairs"]`, the excluded ones `doc.user_data["excluded_pairs"]`. The
    identifier of the document is `doc.user_data["title"]`.

    path (Union[str, Path]): The file.
    vocab (Vocab): The vocabulary of the documents.
    report (Optional[ConversionReport]): Counts what could not be kept as it was.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    YIELDS (Doc): The documents.
    RAISES (DocreError): If a line is malformed; names the document and the column.
    """
    install_extension(attr)
    report = report or ConversionReport()
    seen: set[str] = set()
    lines = [line.rstrip("\r") for line in read_text(path).split("\n")]
    for index, line in enumerate(line for line in lines if line.strip() or "\t" in line):
        identifier, *columns = line.split("\t")
        report.count(
            "documents with the identifier of an earlier one", identifier, identifier in seen
        )
        seen.add(identifier)
        try:
            if not columns or not identifier:
                raise DocumentError("line", f"it does not have {FORM}")
            doc = _to_doc(identifier, columns, vocab, report, prefix, attr)
        except DocumentError as error:
            raise error.in_file(path, index, {"title": identifier}) from None
        # A table of two columns would look like that, too.
        report.count("documents without a pair of entities", identifier, len(columns) == 1)
        yield doc


def has_pairs(line: str) -> bool:
    """Whether a line has the columns of pairs of entities, as at least one line of a file has."""
    columns = line.split("\t")
    is_label = len(columns) > 2 and (columns[2] == EXCLUDED or LABEL.fullmatch(columns[2]))
    return bool(is_label) and not (len(columns) - 2) % N_COLUMNS


def _to_doc(
    identifier: str,
    columns: list[str],
    vocab: Vocab,
    report: ConversionReport,
    prefix: str,
    attr: str,
) -> Doc:
    doc = _text("".join(columns[:1]), vocab)
    doc.user_data["title"] = identifier
    pairs = list(_pairs(columns[1:]))
    entities = _merge(pairs, report, identifier)
    sentences = sentence_of_token(doc).tolist()
    for name, entity in entities.items():
        for place, mention in enumerate(entity.mentions):
            _check_mention(doc, mention, f"{name}, mention {place}", report, sentences)
    keys = {name: cluster_key(prefix, i) for i, name in enumerate(entities, start=1)}
    clusters = [
        [Span(doc, m.start, m.end, label=entity.label, kb_id=name) for m in entity.mentions]
        for name, entity in entities.items()
    ]
    groups = set_clusters(doc, clusters, prefix)
    for group, entity in zip(groups, entities.values(), strict=True):
        group.attrs["kb_id"] = entity.identifier
        texts = [span.text for span in group]
        names = [m.name or text for m, text in zip(entity.mentions, texts, strict=True)]
        if names != texts:
            group.attrs["names"] = names
    doc.ents = filter_spans(span for spans in clusters for span in spans)
    _set_pairs(doc, pairs, keys, report, attr)
    return doc


def _text(text: str, vocab: Vocab) -> Doc:
    """The tokens and sentences. A bar between spaces is a token, any other ends a sentence."""
    sentences = [part.split(" ") for part in re.split(r"(?<! )\||\|(?! )", text)] if text else []
    words = [word for sentence in sentences for word in sentence]
    if not all(words):
        raise DocumentError("text", "a token is empty")
    starts: list[bool | int | None] = [
        i == 0 for sentence in sentences for i in range(len(sentence))
    ]
    return Doc(vocab, words=words, spaces=blanks_after(words, vocab), sent_starts=starts)


def _pairs(columns: list[str]) -> Iterator[EdgeOrientedPair]:
    if len(columns) % N_COLUMNS:
        reason = f"{len(columns)} columns are not a multiple of {N_COLUMNS}"
        raise DocumentError("pairs", reason)
    for number, start in enumerate(range(0, len(columns), N_COLUMNS)):
        group = columns[start : start + N_COLUMNS]
        field = f"pair {number}"
        match = LABEL.fullmatch(group[0])
        if match is None and group[0] != EXCLUDED:
            raise DocumentError(
                field, f"the label '{group[0]}' is neither '1:...:2' nor {EXCLUDED}"
            )
        yield EdgeOrientedPair(group[0], _entity(group[5:11], field), _entity(group[11:17], field))


def _entity(columns: list[str], field: str) -> EdgeOrientedEntity:
    identifier, names, label, *numbers = columns
    try:
        starts, ends, sentences = ([int(n) for n in column.split(":")] for column in numbers)
    except ValueError:
        reason = f"'{' '.join(numbers)}' are not numbers with colons between"
        raise DocumentError(f"{field}, {identifier}", reason) from None
    if not len(starts) == len(ends) == len(sentences):
        reason = "the numbers of first tokens, last tokens and sentences differ"
        raise DocumentError(f"{field}, {identifier}", reason)
    spellings = names.split("|")
    if len(spellings) != len(starts):
        spellings = [""] * len(starts)
    mentions = list(map(EdgeOrientedMention, spellings, starts, ends, sentences))
    return EdgeOrientedEntity(identifier, label, mentions)


def _merge(
    pairs: list[EdgeOrientedPair], report: ConversionReport, title: str
) -> dict[str, EdgeOrientedEntity]:
    """The entities by identifier, each as the first pair with it describes it."""
    entities: dict[str, EdgeOrientedEntity] = {}
    seen: dict[str, set[EdgeOrientedMention]] = {}
    for pair in pairs:
        for entity in (pair.head, pair.tail):
            known = entities.setdefault(entity.identifier, entity)
            if known.label != entity.label:
                report.count("descriptions of an entity with another type", title)
            if known.mentions != entity.mentions:
                report.count("descriptions of an entity with other mentions, joined", title)
                mentions = seen.setdefault(entity.identifier, set(known.mentions))
                new = [m for m in dict.fromkeys(entity.mentions) if m not in mentions]
                known.mentions.extend(new)
                mentions.update(new)
    return entities


def _check_mention(
    doc: Doc,
    mention: EdgeOrientedMention,
    field: str,
    report: ConversionReport,
    sentences: list[int],
) -> None:
    if not 0 <= mention.start < mention.end <= len(doc):
        raise DocumentError(field, f"{mention.start}-{mention.end} is not inside the document")
    title, named = doc.user_data["title"], bool(mention.name)
    first, last = sentences[mention.start], sentences[mention.end - 1]
    report.count("mentions whose names cannot be told apart, spelled as the text", title, not named)
    wrong = first != mention.sentence
    report.count("mentions whose sentence is not that of their tokens", title, wrong)
    report.count("mentions that go on in the next sentence", title, first != last)


def _set_pairs(
    doc: Doc,
    pairs: list[EdgeOrientedPair],
    keys: dict[str, str],
    report: ConversionReport,
    attr: str,
) -> None:
    title = doc.user_data["title"]
    listed: dict[tuple[str, str], None] = {}
    excluded, relations = [], {}
    for pair in pairs:
        head, tail = keys[pair.head.identifier], keys[pair.tail.identifier]
        listed[head, tail] = None
        if pair.label == EXCLUDED:
            excluded.append([head, tail])
        elif pair.label != NEGATIVE:
            triple = (head, pair.label[2:-2], tail)
            report.count("relations listed again, kept once", title, triple in relations)
            relations[triple] = Relation(*triple)
    report.count("pairs marked not_include, kept as negative and excluded", title, len(excluded))
    set_relations(doc, relations.values(), attr=attr)
    doc.user_data[CANDIDATE_PAIRS] = [list(pair) for pair in listed]
    doc.user_data[EXCLUDED_PAIRS] = excluded
