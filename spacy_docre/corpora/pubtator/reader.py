"""Reading PubTator's format."""

import re
from collections.abc import Container, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.util import filter_spans

from ...data.clusters import DEFAULT_PREFIX, cluster_key, set_clusters
from ...data.relation import DEFAULT_ATTR, Relation, install_extension, set_relations
from ..placing import MAX_SEARCHES, Claim, Placing
from ..report import ConversionReport
from ..text import set_sentences, tokenize
from ..validation import DocumentError
from .document import PubtatorDocument, parse_block, read_blocks
from .identifiers import SEPARATORS, UNKNOWN, Names, is_unnamed_variant, split_identifiers

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
ALL, NONE = "all", "none"
# The span group of mentions without an identifier, and the key in `doc.user_data` of what the
# format says beyond clusters and relations.
UNLINKED = "unlinked_mentions"
USER_DATA = "pubtator"

# Pairs of entities that one relation of joined identifiers may stand for: those of BioRED are one.
MAX_PAIRS = 100


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
    for index, lines in enumerate(read_blocks(path)):
        title = re.split(r"[|\t]", lines[0][1])[0]
        try:
            document = parse_block(lines)
            reader = _Reader(document, nlp, report or ConversionReport(), separators, prefix)
            doc = reader.doc
            set_relations(doc, reader.relations(symmetric), attr=attr)
        except DocumentError as error:
            raise error.in_file(path, index, {"title": title}) from None
        yield doc


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
        joined = {c[4].strip() for c in document.mentions if c[4:]}
        self.whole = named & joined - UNKNOWN
        parts = (part for c in document.mentions if c[4:] for part in self._split(c[4]))
        self.known = Names(filter(None, parts), {columns[3] for columns in document.mentions})
        self.doc = nlp(tokenize(nlp, document.text))
        self.names: dict[str, list[str]] = {}
        self.spans: dict[str, list[Span]] = {"": []}
        claims = [_claim(columns) for columns in document.mentions]
        self.placing = Placing(
            document.text, claims, report, document.identifier, normalized=_letters
        )
        self.places: dict[str, list[int]] = {}
        # What the clusters alone do not tell, and for each mention the line that names it.
        self.lines: list[dict[str, Any]] = []
        self.line_of: dict[tuple[int, int, str, str], dict[str, Any]] = {}
        self.kept: set[int] = set()
        self.extra: list[list[Any]] = []
        self.arguments: list[list[Any]] = []
        self.left_out: list[list[str]] = []
        for columns, claim in zip(document.mentions, claims, strict=True):
            self._add_mention(columns, claim)
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
            "arguments": self.arguments,
            "left_out": self.left_out,
        }

    def _count(self, reason: str, n: int = 1) -> None:
        self.report.count(reason, self.document.identifier, n)

    def _add_mention(self, columns: list[str], claim: Claim) -> None:
        name, label = columns[2], columns[3]
        identifiers = [self.known.entity(part) for part in self._split("".join(columns[4:5]))]
        span = self._find(claim, name, label)
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
                self._keep(self.line_of[item])
                continue
            self.line_of[item] = line
            if not identifier:
                self._count(f"mentions without an identifier, in no cluster but in {UNLINKED}")
            self.names.setdefault(identifier, []).append(own_name)
            self.spans.setdefault(identifier, []).append(
                Span(self.doc, span.start, span.end, label=label, kb_id=identifier)
            )
        if not plain:
            self._keep(line)

    def _keep(self, line: dict[str, Any]) -> None:
        """Keep a line as it was."""
        if id(line) not in self.kept:
            self.kept.add(id(line))
            self.lines.append(line)

    def _split(self, identifier: str) -> list[str]:
        whole = identifier.strip()
        return [whole] if whole in self.whole else split_identifiers(whole, self.separators)

    def _find(self, claim: Claim, name: str, label: str) -> Span | None:
        """The whole tokens of a mention; at its offsets, or where they disagree with its text and
        the document has that text elsewhere, at the place of it that is nearest."""
        ((start, end),) = self.placing.convert(claim.fragments)
        inside = 0 <= start < end <= len(self.document.text)
        if not self.placing.agrees(claim):
            places = self._places(name)
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

    def _places(self, name: str) -> list[int]:
        """The first places of a name, which are looked for once."""
        if name not in self.places:
            found = []
            if name and len(self.places) < MAX_SEARCHES:
                matches = re.finditer(re.escape(name), self.document.text)
                found = [match.start() for match in islice(matches, MAX_SEARCHES)]
            self.places[name] = found
        return self.places[name]

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
                starts.discard(token.i)
                starts.add(token.i + 1)
        ends = np.zeros(len(doc) + 1, dtype=np.int64)
        for span in chain(*self.spans.values()):
            ends[span.start + 1] += 1
            ends[span.end] -= 1
        inside = set(np.flatnonzero(np.cumsum(ends)).tolist())
        self._count("ends of sentences inside mentions, removed", len(starts & inside))
        set_sentences(doc, [i for i in starts - inside if i < len(doc)])

    def relations(self, symmetric: Container[str]) -> list[Relation]:
        """The relations of the document, with clusters for those entities without mentions.

        symmetric (Container[str]): The types that are set in both directions.
        RETURNS (list[Relation]): The relations.
        """
        triples: dict[tuple[str, str, str], None] = {}
        for label, head, tail, *extra in self.document.relations:
            heads, tails = (self._named(argument) for argument in (head, tail))
            if "" in heads + tails:
                self._count("relations of an unknown identifier, left out")
                self.left_out.append([label, head, tail, *extra])
                continue
            if len(heads) * len(tails) > MAX_PAIRS:
                self._count(f"relations of more than {MAX_PAIRS} pairs of entities, left out")
                self.left_out.append([label, head, tail, *extra])
                continue
            if len(heads) * len(tails) > 1:
                self._count("relations of several entities, set for each of them")
            for triple in ((self._key(h), label, self._key(t)) for h in heads for t in tails):
                if triple in triples:
                    self._count("relations listed again, kept once")
                    continue
                triples[triple] = None
                if len(heads) * len(tails) == 1 and (heads[0], tails[0]) != (head, tail):
                    self.arguments.append([*triple, [head, tail]])
                if extra:
                    self.extra.append([*triple, extra])
                opposite = (triple[2], label, triple[0])
                if label in symmetric and opposite not in triples:
                    self._count("undirected relations, set in both directions")
                    triples[opposite] = None
        return [Relation(*triple) for triple in triples]

    def _named(self, argument: str) -> list[str]:
        """The identifiers of the entities that an argument of a relation names."""
        argument = self.known.without_type(argument.strip())
        entity = self.known.named(argument)
        parts = [entity] if entity else self._split(argument)
        names = [self.known.named(part) or part for part in parts]
        return ["" if is_unnamed_variant(name) else name for name in names]

    def _key(self, identifier: str) -> str:
        if identifier not in self.number:
            self._count("entities of relations without a mention, clusters without mentions")
            self.number[identifier] = len(self.number) + 1
            key = cluster_key(self.prefix, self.number[identifier])
            group = SpanGroup(self.doc, name=key, attrs={"kb_id": identifier})
            self.doc.spans[key] = group
        return cluster_key(self.prefix, self.number[identifier])


def _claim(columns: list[str]) -> Claim:
    # A mention without text is one whose text is not that at its offsets.
    return Claim([(int(columns[0]), int(columns[1]))], (columns[2],))


def _letters(text: str) -> str:
    return "".join(text.split()).casefold()
