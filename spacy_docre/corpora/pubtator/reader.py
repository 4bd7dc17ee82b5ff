"""PubTator's format: CDR, GDA, BioRED and what PubTator itself gives out."""

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.util import filter_spans

from ...data.clusters import DEFAULT_PREFIX, cluster_key, set_clusters
from ...data.relation import DEFAULT_ATTR, Relation, install_extension, set_relations
from ...errors import DocreError, Errors
from ..report import ConversionReport
from ..validation import DocumentError

# BioRED's relation types: "the relations are not directed" (Luo et al. 2022). Of the other corpora
# in this form none has a type of these names; CDR's CID and GDA's are directed.
SYMMETRIC = frozenset(
    {
        "Association",
        "Bind",
        "Comparison",
        "Conversion",
        "Cotreatment",
        "Drug_Interaction",
        "Negative_Correlation",
        "Positive_Correlation",
    }
)
SEPARATORS = "|,;"
UNKNOWN = frozenset({"", "-", "-1"})
ALL, NONE = "all", "none"
# The span group of mentions without an identifier, and the key in `doc.user_data` of what the
# format says beyond clusters and relations.
UNLINKED = "unlinked_mentions"
USER_DATA = "pubtator"

# Python refuses to read numbers of thousands of digits.
OFFSET = re.compile("[0-9]{1,18}")
TEXT_LINE = re.compile(r"([^\t|]*)\|([ta])\|(.*)", re.DOTALL)
# tmVar's names for variants, "p|SUB|R|123|W", hold the bar that joins identifiers elsewhere.
VARIANT = re.compile(r"(tmVar:)?[A-Za-z]?\|")


@dataclass
class PubtatorDocument:
    """A document as it stands in the file.

    identifier (str): The PubMed identifier.
    title (str): Its title.
    abstract (Optional[str]): Its abstract; None if there is no such line.
    mentions (list[list[str]]): The columns of the lines of mentions, after the first.
    relations (list[list[str]]): The same of the lines of relations.
    """

    identifier: str
    title: str
    abstract: str | None = None
    mentions: list[list[str]] = field(default_factory=list)
    relations: list[list[str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Title and abstract with one space between, which the offsets refer to."""
        return self.title if self.abstract is None else f"{self.title} {self.abstract}"


def read_pubtator(
    path: str | Path,
    nlp: Language,
    *,
    report: ConversionReport | None = None,
    symmetric: Container[str] = SYMMETRIC,
    separators: str = SEPARATORS,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
) -> Iterator[Doc]:
    """Read documents in PubTator's format. An identifier is an entity and becomes the `kb_id` of
    its cluster and mentions. A mention with several is one of each of those entities, unless a
    relation names them together, as in BioRED: then they are one entity. Mentions
    without a known identifier are in no cluster, since no relation can name them, but in
    `doc.spans["unlinked_mentions"]` and among `doc.ents`. An entity that only relations name is a
    cluster without mentions. Mentions are widened to whole tokens. The identifier of the document
    is `doc.user_data["title"]`; `doc.user_data["pubtator"]` has what `to_pubtator` needs to write
    the file as it was.

    path (Union[str, Path]): The file.
    nlp (Language): The pipeline that cuts the texts into tokens and sentences.
    report (Optional[ConversionReport]): Counts what could not be kept as it was.
    symmetric (Container[str]): The relation types that are set in both directions.
    separators (str): The characters that join the identifiers of a mention of several entities.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    YIELDS (Doc): The documents.
    RAISES (DocreError): If the file is malformed; names the document and the line.
    """
    install_extension(attr)
    for index, lines in enumerate(_blocks(path)):
        title = re.split(r"[|\t]", lines[0][1])[0]
        try:
            document = _parse(lines)
            reader = _Reader(document, nlp, report or ConversionReport(), separators, prefix)
            doc = reader.doc
            set_relations(doc, reader.relations(symmetric), attr=attr)
        except DocumentError as error:
            raise error.in_file(path, index, {"title": title}) from None
        yield doc


def split_identifiers(identifier: str, separators: str = SEPARATORS) -> list[str]:
    """The identifiers of a mention; the name of a variant, which may hold separators, is one.

    identifier (str): The column.
    separators (str): The characters that join identifiers.
    RETURNS (list[str]): The identifiers without surrounding spaces, each once; "" if unknown.
    """
    if not separators or VARIANT.match(identifier.strip()):
        parts = [identifier]
    else:
        parts = re.split(f"[{re.escape(separators)}]", identifier)
    stripped = (part.strip() for part in parts)
    return list(dict.fromkeys("" if part in UNKNOWN else part for part in stripped))


class SymmetricTypes:
    """The relation types that hold in both directions.

    choice (Optional[str]): "all", "none" or types with commas between; None stands for BioRED's.
    """

    def __init__(self, choice: str | None = None) -> None:
        self.all = choice == ALL
        names = (choice or "").split(",") if choice != NONE else []
        self.names = SYMMETRIC if choice is None else {name.strip() for name in names}

    def __contains__(self, label: object) -> bool:
        return self.all or label in self.names


def _blocks(path: str | Path) -> Iterator[list[tuple[int, str]]]:
    """The numbered lines of each document: between blank lines, or from one title to the next."""
    block: list[tuple[int, str]] = []
    try:
        # Only "\n" ends a line: texts may hold what else Unicode takes for one.
        with open(path, encoding="utf-8-sig", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                line = line.removesuffix("\n").removesuffix("\r")
                text = TEXT_LINE.fullmatch(line)
                if block and (not line.strip() or (text and text[2] == "t")):
                    yield block
                    block = []
                if line.strip():
                    block.append((number, line))
    except (OSError, UnicodeDecodeError) as error:
        raise DocreError(Errors.D015.format(path=path, reason=error)) from None
    if block:
        yield block


def _parse(lines: list[tuple[int, str]]) -> PubtatorDocument:
    first = TEXT_LINE.fullmatch(lines[0][1])
    if first is None or first[2] != "t":
        raise DocumentError(f"line {lines[0][0]}", "expected a title, as in '123|t|A title'")
    document = PubtatorDocument(first[1], first[3])
    for number, line in lines[1:]:
        place = f"line {number}"
        text, columns = TEXT_LINE.fullmatch(line), line.split("\t")
        identifier = text[1] if text else columns[0]
        if identifier != document.identifier:
            raise DocumentError(place, f"it belongs to the document '{identifier}'")
        if text:
            if document.abstract is not None:
                raise DocumentError(place, "there is an abstract already")
            document.abstract = text[3]
        elif all(OFFSET.fullmatch(column) for column in columns[1:3]) and len(columns) >= 5:
            document.mentions.append(columns[1:])
        elif len(columns) >= 4:
            document.relations.append(columns[1:])
        else:
            raise DocumentError(place, "neither a text nor a mention nor a relation")
    return document


class _Reader:
    """Makes a document of spaCy's of one in the format."""

    def __init__(
        self,
        document: PubtatorDocument,
        nlp: Language,
        report: ConversionReport,
        separators: str,
        prefix: str,
    ) -> None:
        self.document = document
        self.report = report
        self.separators = separators
        self.prefix = prefix
        # A joined identifier that mentions and relations have alike is one entity.
        named = {i.strip() for columns in document.relations for i in columns[1:3]}
        self.whole = named & {c[4].strip() for c in document.mentions if c[4:]} - UNKNOWN
        # Not `nlp(text)`, which refuses what is too long for parsers.
        self.doc = nlp(nlp.tokenizer(document.text))
        self.names: dict[str, list[str]] = {}
        self.spans: dict[str, list[Span]] = {"": []}
        # What the clusters alone do not tell, and for each mention the line that names it.
        self.lines: list[dict[str, Any]] = []
        self.line_of: dict[tuple[int, int, str, str], dict[str, Any]] = {}
        self.extra: list[list[Any]] = []
        self.left_out: list[list[str]] = []
        for columns in document.mentions:
            self._add_mention(columns)
        self._set_sentences()
        unlinked = self.spans.pop("")
        self.number = {identifier: i for i, identifier in enumerate(self.spans, start=1)}
        for identifier, group in zip(
            self.spans, set_clusters(self.doc, self.spans.values(), prefix), strict=True
        ):
            group.attrs["kb_id"] = identifier
            if self.names[identifier] != [span.text for span in group]:
                group.attrs["names"] = self.names[identifier]
            if len({span.label for span in group}) > 1:
                self._count("entities whose mentions differ in type, which is that of most")
        if unlinked:
            self.doc.spans[UNLINKED] = SpanGroup(self.doc, name=UNLINKED, spans=unlinked)
        self.doc.ents = filter_spans(
            span for spans in [*self.spans.values(), unlinked] for span in spans
        )
        self.doc.user_data["title"] = document.identifier
        self.doc.user_data[USER_DATA] = {
            "title_end": len(document.title),
            "lines": self.lines,
            "extra": self.extra,
            "left_out": self.left_out,
        }

    def _count(self, reason: str, n: int = 1) -> None:
        self.report.count(reason, self.document.identifier, n)

    def _add_mention(self, columns: list[str]) -> None:
        start, end, name, label = int(columns[0]), int(columns[1]), columns[2], columns[3]
        identifiers = self._split("".join(columns[4:5]))
        span = self._find(start, end, name, label)
        line: dict[str, Any] = {"columns": columns, "tokens": [], "ids": []}
        if span is None:
            self.lines.append(line)
            return
        line |= {"tokens": [span.start, span.end], "ids": identifiers}
        written = [str(span.start_char), str(span.end_char), span.text, label]
        plain = columns == [*written, identifiers[0] or "-1"]
        if len(identifiers) > 1:
            self._count("mentions of several entities, one of each")
        individual = columns[5].split("|") if len(columns) > 5 else []
        names = individual if len(individual) == len(identifiers) else [name] * len(identifiers)
        for identifier, own_name in zip(identifiers, names, strict=True):
            item = (span.start, span.end, label, identifier)
            if item in self.line_of:
                # Both lines are kept as they are, since the cluster has one mention for them.
                plain = False
                self._count("mentions of an entity on the same tokens as another, kept once")
                if self.line_of[item] not in self.lines:
                    self.lines.append(self.line_of[item])
                continue
            self.line_of[item] = line
            if not identifier:
                self._count(f"mentions without an identifier, in no cluster but in {UNLINKED}")
            self.names.setdefault(identifier, []).append(own_name)
            self.spans.setdefault(identifier, []).append(
                Span(self.doc, span.start, span.end, label=label, kb_id=identifier)
            )
        if not plain:
            self.lines.append(line)

    def _split(self, identifier: str) -> list[str]:
        whole = identifier.strip()
        return [whole] if whole in self.whole else split_identifiers(whole, self.separators)

    def _find(self, start: int, end: int, name: str, label: str) -> Span | None:
        """The whole tokens of a mention; at its offsets, or where they disagree with its text and
        the document has that text elsewhere, at the place of it that is nearest."""
        text = self.document.text
        inside = 0 <= start < end <= len(text)
        if not inside or _letters(text[start:end]) != _letters(name):
            places = [match.start() for match in re.finditer(re.escape(name), text)] if name else []
            if places:
                start = min(places, key=lambda place: abs(place - start))
                end = start + len(name)
                self._count("mentions moved to the nearest place of their text")
            elif inside:
                self._count("mentions whose text is not that at their offsets, kept there")
            else:
                self._count("mentions outside the text, left out")
                return None
        span = self.doc.char_span(start, end, label=label, alignment_mode="expand")
        if not span:
            self._count("mentions of nothing but white space, left out")
            return None
        if (span.start_char, span.end_char) != (start, end):
            self._count("mentions widened to whole tokens")
        return span

    def _set_sentences(self) -> None:
        """A sentence ends with the title, and none ends inside a mention or begins with a space."""
        doc = self.doc
        if not doc.has_annotation("SENT_START"):
            return
        starts = {sent.start for sent in doc.sents}
        title_end = len(self.document.title)
        starts.add(next((token.i for token in doc if token.idx > title_end), 0))
        for token in doc[1:]:
            if token.is_space and token.i in starts:
                starts ^= {token.i}
                starts.add(token.i + 1)
        inside = {
            i for spans in self.spans.values() for s in spans for i in range(s.start + 1, s.end)
        }
        self._count("ends of sentences inside mentions, removed", len(starts & inside))
        for token in doc:
            token.is_sent_start = token.i in starts - inside

    def relations(self, symmetric: Container[str]) -> list[Relation]:
        """The relations of the document, with clusters for those entities without mentions.

        symmetric (Container[str]): The types that are set in both directions.
        RETURNS (list[Relation]): The relations.
        """
        triples: dict[tuple[str, str, str], None] = {}
        for label, head, tail, *extra in self.document.relations:
            heads, tails = (self._split(identifier) for identifier in (head, tail))
            if "" in heads + tails:
                self._count("relations of an unknown identifier, left out")
                self.left_out.append([label, head, tail, *extra])
                continue
            if len(heads) * len(tails) > 1:
                self._count("relations of several entities, set for each of them")
            for triple in ((self._key(h), label, self._key(t)) for h in heads for t in tails):
                if triple in triples:
                    self._count("relations listed again, kept once")
                    continue
                triples[triple] = None
                if extra:
                    self.extra.append([*triple, extra])
                opposite = (triple[2], label, triple[0])
                if label in symmetric and opposite not in triples:
                    self._count("undirected relations, set in both directions")
                    triples[opposite] = None
        return [Relation(*triple) for triple in triples]

    def _key(self, identifier: str) -> str:
        if identifier not in self.number:
            self._count("entities of relations without a mention, clusters without mentions")
            self.number[identifier] = len(self.number) + 1
            key = cluster_key(self.prefix, self.number[identifier])
            group = SpanGroup(self.doc, name=key, attrs={"kb_id": identifier})
            self.doc.spans[key] = group
        return cluster_key(self.prefix, self.number[identifier])


def _letters(text: str) -> str:
    return "".join(text.split()).casefold()
