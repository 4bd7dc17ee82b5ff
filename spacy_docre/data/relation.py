"""Relations between entity clusters, and the Doc extension that holds them."""

from collections.abc import Container, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from spacy.tokens import Doc, Span

from ..errors import DocreError, Errors, shortened
from .clusters import EntityCluster, describe, token_characters

DEFAULT_ATTR = "relations"
# What other models say of a training document, with their scores, and the key in `doc.user_data` of
# how to learn it, see `DistillationCorpus`.
SOFT_ATTR = "soft_relations"
DISTILLATION = "distillation"
# The key in `doc.user_data` of the pairs that are neither right nor wrong, as lists of two keys of
# clusters.
EXCLUDED_PAIRS = "excluded_pairs"

# For pairs of entities and relation types, by their numbers: start and end token, within the
# document, of the spans that support the relation, strongest first.
Evidence = dict[tuple[int, int], list[tuple[int, int]]]
# Of each span of evidence the first character and the one after its last.
Characters = list[tuple[int, int]]


class Relation(dict):
    """A relation between two entity clusters of a document.

    A relation is a dictionary of plain values, so that it survives `DocBin(store_user_data=True)`,
    `Doc.to_bytes`, `Doc.to_json`, pickling and `nlp.pipe(n_process=2)`. Its attributes look the
    spans up in the document that it was read from.

    head (str): The key in `doc.spans` of the cluster that the relation starts from.
    label (str): The relation type.
    tail (str): The key in `doc.spans` of the cluster that the relation points to.
    score (float): The model's confidence, in 0..1.
    evidence (Iterable[tuple[int, int]]): Start and end token of each span that supports the
        relation, strongest first. Empty where the method gives none.
    doc (Optional[Doc]): The document that the keys and offsets refer to.
    """

    __slots__ = ("_characters", "doc")

    def __init__(
        self,
        head: str,
        label: str,
        tail: str,
        score: float = 1.0,
        evidence: Iterable[Iterable[int]] = (),
        *,
        doc: Doc | None = None,
    ) -> None:
        super().__init__(
            head=head,
            label=label,
            tail=tail,
            score=float(score),
            evidence=[[int(start), int(end)] for start, end in evidence],
        )
        self.doc = doc
        self._characters: Characters = []

    @property
    def head(self) -> EntityCluster:
        """The cluster that the relation starts from."""
        return self._cluster("head")

    @property
    def label(self) -> str:
        """The relation type."""
        return self["label"]

    @property
    def tail(self) -> EntityCluster:
        """The cluster that the relation points to."""
        return self._cluster("tail")

    @property
    def score(self) -> float:
        """The model's confidence, in 0..1."""
        return self["score"]

    @property
    def evidence(self) -> list[Span]:
        """The spans that support the relation, strongest first. They follow their characters where
        tokens were merged or split since the relation was set."""
        doc = self._bound_doc()
        tokens = _current_tokens(doc, self["evidence"], self._characters)
        return [doc[start:end] for start, end in tokens]

    @property
    def evidence_sentences(self) -> list[Span]:
        """The sentences of the evidence, strongest first, each once. A document whose sentences are
        not marked is one sentence."""
        doc = self._bound_doc()
        if not doc.has_annotation("SENT_START"):
            return [doc[:]] if self["evidence"] else []
        return list({span.sent.start: span.sent for span in self.evidence}.values())

    @property
    def triple(self) -> tuple[str, str, str]:
        """Head key, label and tail key: what identifies the relation within its document."""
        return self["head"], self["label"], self["tail"]

    def __repr__(self) -> str:
        head, label, tail = self.triple
        return f"Relation({head!r}, {label!r}, {tail!r}, score={self['score']:.3f})"

    def __reduce__(self) -> tuple:
        return Relation, (*self.triple, self["score"], self["evidence"])

    def _bound_doc(self) -> Doc:
        if self.doc is None:
            raise DocreError(Errors.D003.format(relation=self))
        return self.doc

    def _cluster(self, role: str) -> EntityCluster:
        doc, key = self._bound_doc(), self[role]
        if key not in doc.spans:
            raise DocreError(Errors.D004.format(relation=self, key=key))
        return EntityCluster(key, doc.spans[key])


def get_relations(doc: Doc, *, attr: str = DEFAULT_ATTR) -> tuple[Relation, ...]:
    """The relations of a document, in the order in which they were set; like `doc.ents`, a tuple
    that is replaced as a whole.

    doc (Doc): The document.
    attr (str): The name of the extension attribute.
    RETURNS (tuple[Relation, ...]): The relations, bound to the document; empty if none were set.
    RAISES (DocreError): If something else is stored there.
    """
    rows = doc.user_data.get(_user_data_key(attr), ())
    try:
        relations = tuple(Relation(**row, doc=doc) for row in rows)
    except (TypeError, ValueError):
        relations = None
    for relation, spans in zip(relations or (), _stored_characters(doc, attr), strict=False):
        relation._characters = spans
        relation["evidence"] = _current_tokens(doc, relation["evidence"], spans)
    if relations is None or not all(map(_is_sound, relations)):
        value = shortened(repr(rows))
        raise DocreError(Errors.D116.format(doc=describe(doc), attr=attr, value=value))
    return relations


def set_relations(doc: Doc, relations: Iterable[Mapping], *, attr: str = DEFAULT_ATTR) -> None:
    """Replace the relations of a document.

    doc (Doc): The document.
    relations (Iterable[Mapping]): Relations, or mappings with the keys of one.
    attr (str): The name of the extension attribute.
    RAISES (DocreError): If a value is not a relation, or the attribute another package's, which can
        take it at any time.
    """
    check_extension(attr)
    store_relations(doc, [_to_row(value) for value in relations], attr=attr)


def store_relations(doc: Doc, rows: list[dict[str, Any]], *, attr: str = DEFAULT_ATTR) -> None:
    """As `set_relations`, for relations that need no check.

    doc (Doc): The document.
    rows (list[dict[str, Any]]): Relations as plain values.
    attr (str): The name of the extension attribute.
    """
    doc.user_data[_user_data_key(attr)] = rows
    # spaCy renumbers no evidence when tokens are merged or split, but characters stay.
    doc.user_data.pop(_characters_key(attr), None)
    if any(row["evidence"] for row in rows):
        # Many relations of a document have the same evidence.
        characters = {(start, end): None for row in rows for start, end in row["evidence"]}
        found = {span: list(_characters(doc, *span)) for span in characters}
        doc.user_data[_characters_key(attr)] = [
            [list(found[start, end]) for start, end in row["evidence"]] for row in rows
        ]


def has_relations(doc: Doc, *, attr: str = DEFAULT_ATTR) -> bool:
    """Whether relations were set on a document, be it to none: a document that nobody annotated
    is not a document without relations.

    doc (Doc): The document.
    attr (str): The name of the extension attribute.
    RETURNS (bool): Whether the document carries annotation.
    """
    return _user_data_key(attr) in doc.user_data


def remove_relations(doc: Doc, *, attr: str = DEFAULT_ATTR) -> None:
    """Make a document one that nobody annotated, see `has_relations`.

    doc (Doc): The document.
    attr (str): The name of the extension attribute.
    """
    for key in (_user_data_key(attr), _characters_key(attr)):
        doc.user_data.pop(key, None)


def excluded_pairs(doc: Doc, *, attr: str = DEFAULT_ATTR) -> set[tuple[str, str]]:
    """The pairs of which the annotation leaves open whether they are related, so that they take
    part neither in training nor in scores: those of `doc.user_data["excluded_pairs"]` that have no
    relation. CDR's hypernym filter (Christopoulou et al. 2019) leaves out such pairs.

    doc (Doc): The document.
    attr (str): The name of the extension attribute.
    RETURNS (set[tuple[str, str]]): The keys of head and tail.
    RAISES (DocreError): If something else than pairs of keys is stored there.
    """
    stored = doc.user_data.get(EXCLUDED_PAIRS)
    if not stored:
        return set()
    if not isinstance(stored, list | tuple) or not all(map(_is_pair, stored)):
        value = shortened(repr(stored))
        raise DocreError(Errors.D118.format(doc=describe(doc), value=value))
    listed = {(head, tail) for head, tail in stored}
    return listed - {(r["head"], r["tail"]) for r in get_relations(doc, attr=attr)}


def check_clusters(relation: Relation, doc: Doc) -> None:
    """Check that the clusters of a relation are there.

    relation (Relation): The relation.
    doc (Doc): Its document.
    RAISES (DocreError): If it names a span group that the document does not have.
    """
    head, label, tail = relation.triple
    for key in (head, tail):
        if key not in doc.spans:
            raise DocreError(
                Errors.D009.format(head=head, label=label, tail=tail, doc=describe(doc), key=key)
            )


def check_entities(relation: Relation, doc: Doc, keys: Container[str], prefix: str) -> None:
    """Check that a relation is one between entities.

    relation (Relation): The relation.
    doc (Doc): Its document.
    keys (Container[str]): The keys of the document's entity clusters.
    prefix (str): What they start with.
    RAISES (DocreError): If it names something else.
    """
    for key in (relation["head"], relation["tail"]):
        if key not in keys:
            raise DocreError(
                Errors.D046.format(relation=relation, doc=describe(doc), key=key, prefix=prefix)
            )


def install_extension(attr: str = DEFAULT_ATTR) -> None:
    """Register the Doc extension that holds relations, unless it is registered already.

    attr (str): The name of the extension attribute.
    RAISES (DocreError): If another package has registered an attribute of that name.
    """
    if not Doc.has_extension(attr):
        Doc.set_extension(
            attr,
            getter=partial(get_relations, attr=attr),
            setter=partial(set_relations, attr=attr),
        )
    check_extension(attr)


def set_up_extension() -> None:
    """Register `doc._.relations`, unless there is an attribute of that name: one of another package
    stays, and is an error only where relations are written."""
    if not Doc.has_extension(DEFAULT_ATTR):
        install_extension()


def check_extension(attr: str) -> None:
    """Check that an extension attribute, if there is one of that name, is the one of relations.

    attr (str): The name.
    RAISES (DocreError): If it is another package's.
    """
    if Doc.has_extension(attr):
        _, _, getter, _ = Doc.get_extension(attr)
        if getattr(getter, "func", None) is not get_relations:
            raise DocreError(Errors.D001.format(attr=attr))


def _user_data_key(attr: str) -> Any:
    # The key of spaCy's own extension values, so that `Doc.to_json` and `Doc.from_docs` treat
    # relations as they treat any other attribute.
    return ("._.", attr, None, None)


def _characters_key(attr: str) -> str:
    return f"{attr}_evidence_characters"


def _stored_characters(doc: Doc, attr: str) -> list[Characters]:
    """Those of each relation; none where something else is stored there."""
    try:
        return [
            [(int(start), int(end)) for start, end in spans]
            for spans in doc.user_data.get(_characters_key(attr), ())
        ]
    except (TypeError, ValueError):
        return []


def _characters(doc: Doc, start: int, end: int) -> tuple[int, int]:
    """As `token_characters`; (0, 0) for what is no span of the document."""
    return token_characters(doc, start, end) if 0 <= start < end <= len(doc) else (0, 0)


def _current_tokens(
    doc: Doc, tokens: Sequence[Sequence[int]], characters: Sequence[Sequence[int]]
) -> list[list[int]]:
    """[[start, end], ...] The tokens of spans in the document as it is now."""
    if len(tokens) != len(characters):
        return [[start, end] for start, end in tokens]
    current = []
    for (start, end), (first, last) in zip(tokens, characters, strict=True):
        if first < last and _characters(doc, start, end) != (first, last):
            span = doc.char_span(first, last, alignment_mode="expand")
            start, end = (span.start, span.end) if span is not None else (start, end)
        current.append([start, end])
    return current


def _to_row(value: Any) -> dict[str, Any]:
    try:
        row = dict(Relation(**value))
    except (TypeError, ValueError, KeyError):
        raise DocreError(Errors.D002.format(value=repr(value))) from None
    if not _is_sound(row):
        raise DocreError(Errors.D002.format(value=repr(value)))
    return row


def _is_sound(row: Mapping) -> bool:
    names = (row[role] for role in ("head", "label", "tail"))
    return all(isinstance(name, str) for name in names) and 0 <= row["score"] <= 1


def _is_pair(value: Any) -> bool:
    is_list = isinstance(value, list | tuple)
    return is_list and len(value) == 2 and all(isinstance(key, str) for key in value)
