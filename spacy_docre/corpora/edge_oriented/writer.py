"""Documents in the `.data` form of CDR and GDA."""

import re
from collections.abc import Collection, Iterator

import numpy as np
from spacy.tokens import Doc

from ...data.clusters import DEFAULT_PREFIX, EntityCluster, describe, get_clusters
from ...data.relation import DEFAULT_ATTR, excluded_pairs, get_relations
from ...data.sentences import sentence_of_token
from ...errors import DocreError, Errors
from ..report import ConversionReport
from ..validation import export
from .reader import CANDIDATE_PAIRS, EXCLUDED, NEGATIVE

HEAD_TYPES = ("Chemical", "Gene")
TAIL_TYPES = ("Disease",)
BREAKS = r"[\t\r\n]"
# At the start of a file U+FEFF would be taken for the mark of its encoding.
NOT_IN_TITLES = rf"{BREAKS}|^\ufeff"

# First token, token after the last, sentence.
Mention = tuple[int, int, int]


@export("`.data`")
def to_edge_oriented(
    doc: Doc,
    *,
    report: ConversionReport | None = None,
    head_types: Collection[str] = HEAD_TYPES,
    tail_types: Collection[str] = TAIL_TYPES,
    prefix: str = DEFAULT_PREFIX,
    attr: str = DEFAULT_ATTR,
) -> str:
    """A document as a line of the `.data` form. What `read_edge_oriented` has read is written as it
    was; the columns for direction, distance and the nearest mentions are computed anew. A document
    from elsewhere has the pairs of the given types. Entities in no pair have no place in the form,
    nor have evidence and scores.

    doc (Doc): The document. Its identifier is `doc.user_data["title"]`.
    report (Optional[ConversionReport]): Counts what could not be written as it is.
    head_types (Collection[str]): The types of the entities that relations start from.
    tail_types (Collection[str]): The types of those that they point to.
    prefix (str): What the clusters' keys start with.
    attr (str): The name of the extension attribute that holds the relations.
    RETURNS (str): The line.
    RAISES (DocreError): If a relation type stands for no relation in this form.
    """
    return _Writer(doc, report or ConversionReport(), prefix).line(head_types, tail_types, attr)


class _Writer:
    """Writes one document."""

    def __init__(self, doc: Doc, report: ConversionReport, prefix: str) -> None:
        self.doc = doc
        self.report = report
        self.title = str(doc.user_data.get("title") or "")
        # Tokens of white space have no place between spaces: what follows moves up.
        self.place = np.append(0, np.cumsum([not token.is_space for token in doc])).tolist()
        self.sentences = self._sentences()
        self.clusters = {cluster.key: cluster for cluster in get_clusters(doc, prefix)}
        self.mentions = {key: self._mentions(cluster) for key, cluster in self.clusters.items()}
        self.described: dict[str, list[str]] = {}

    def _count(self, reason: str, n: int = 1) -> None:
        self.report.count(reason, self.title, n)

    def _clean(self, text: str, forbidden: str) -> str:
        plain = re.sub(forbidden, "_", text)
        self._count("texts with characters that the form cannot hold, replaced by _", plain != text)
        return plain

    def line(self, heads: Collection[str], tails: Collection[str], attr: str) -> str:
        """The whole line, without its end."""
        self._count("documents without an identifier, named -", not self.title)
        columns = [self._clean(self.title, NOT_IN_TITLES) or "-", self._text()]
        for (head, tail), label in self._pairs(heads, tails, attr):
            columns += self._pair(head, tail, label)
        left_out = self.clusters.keys() - self.described.keys()
        self._count("entities in no pair, left out", len(left_out))
        return "\t".join(columns)

    def _sentences(self) -> list[int]:
        """The sentence of each token, without the sentences that are nothing but white space."""
        numbers = sentence_of_token(self.doc)
        filled = np.unique([numbers[token.i] for token in self.doc if not token.is_space])
        return np.searchsorted(filled, numbers).tolist()

    def _text(self) -> str:
        sentences: dict[int, list[str]] = {}
        for token in self.doc:
            if not token.is_space:
                sentences.setdefault(self.sentences[token.i], []).append(token.text)
        self._count("tokens of white space, left out", len(self.doc) - self.place[-1])
        for words in sentences.values():
            for i, word in enumerate(words):
                if word != "|" or i in (0, len(words) - 1):
                    words[i] = self._clean(word, r"[\s|]")
        return "|".join(" ".join(words) for words in sentences.values())

    def _mentions(self, cluster: EntityCluster) -> list[tuple[Mention, str]]:
        mentions = []
        for span, name in zip(cluster.mentions, cluster.names, strict=True):
            start, end = self.place[span.start], self.place[span.end]
            self._count("mentions without a token, left out", start == end)
            if start < end:
                first = next(token.i for token in span if not token.is_space)
                spelling = self._clean(name, r"[\t\r\n|]")
                mentions.append(((start, end, self.sentences[first]), spelling))
        return mentions

    def _pairs(
        self, heads: Collection[str], tails: Collection[str], attr: str
    ) -> Iterator[tuple[tuple[str, str], str]]:
        labels: dict[tuple[str, str], list[str]] = {}
        for relation in get_relations(self.doc, attr=attr):
            head, label, tail = relation.triple
            if f"1:{label}:2" == NEGATIVE:
                raise DocreError(Errors.D081.format(label=label, doc=describe(self.doc)))
            if not (self.mentions.get(head) and self.mentions.get(tail)):
                self._count("relations of entities without mentions, left out")
                continue
            self._count("relations with evidence, which is left out", bool(relation["evidence"]))
            self._count("relations with a score, which is left out", relation.score != 1.0)
            labels.setdefault((head, tail), []).append(f"1:{self._clean(label, BREAKS)}:2")
        excluded = excluded_pairs(self.doc, attr=attr)
        for pair in dict.fromkeys([*self._candidates(heads, tails), *labels]):
            for label in labels.get(pair, [EXCLUDED if pair in excluded else NEGATIVE]):
                yield pair, label

    def _candidates(self, heads: Collection[str], tails: Collection[str]) -> list[tuple[str, str]]:
        listed = self.doc.user_data.get(CANDIDATE_PAIRS)
        if listed is None:
            of_type = {
                role: [c.key for c in self.clusters.values() if c.label in types]
                for role, types in (("head", heads), ("tail", tails))
            }
            listed = [(h, t) for h in of_type["head"] for t in of_type["tail"] if h != t]
        known = self.mentions
        return [(head, tail) for head, tail in listed if known.get(head) and known.get(tail)]

    def _pair(self, head: str, tail: str, label: str) -> list[str]:
        heads, tails = ([mention for mention, _ in self.mentions[key]] for key in (head, tail))
        forward = heads[0] <= tails[0]
        common = {mention[2] for mention in heads} & {mention[2] for mention in tails}
        nearest = _nearest(heads, tails) if forward else _nearest(tails, heads)[::-1]
        return [
            label,
            "L2R" if forward else "R2L",
            "NON-CROSS" if common else "CROSS",
            *(f"{start}-{end}" for start, end, _ in nearest),
            *self._entity(head),
            *self._entity(tail),
        ]

    def _entity(self, key: str) -> list[str]:
        if key not in self.described:
            mentions, names = zip(*self.mentions[key], strict=True)
            cluster = self.clusters[key]
            self._count("clusters without an identifier, named by their key", not cluster.kb_id)
            self.described[key] = [
                self._clean(cluster.kb_id or key, BREAKS),
                "|".join(names),
                self._clean(cluster.label, BREAKS),
                *(":".join(str(mention[i]) for mention in mentions) for i in range(3)),
            ]
        return self.described[key]


def _nearest(firsts: list[Mention], seconds: list[Mention]) -> tuple[Mention, Mention]:
    """The two mentions that the form names for a pair, earlier one first. This is not always the
    pair with the smallest distance: the distance that is remembered of a pair in opposite order is
    the wrong one, and has to be for the columns to be those of the published files."""
    smallest = float("inf")
    nearest = firsts[0], seconds[0]
    for first in firsts:
        for second in seconds:
            after = first[1] - 1 <= second[0]
            gap = abs(second[0] - first[1] + 1) if after else abs(first[0] - second[1] + 1)
            if gap < smallest:
                nearest = first, second
                smallest = abs(second[0] - first[1] + 1)
    first, second = nearest
    return nearest if first[1] - 1 <= second[0] else (second, first)
