"""Entities in the making: mentions that were joined so far."""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, pairwise, product

from spacy.tokens import Doc, Span

from .names import (
    PERSON_TYPES,
    Name,
    is_alias,
    is_compatible,
    is_surname,
    links_aliases,
    read_name,
    without_possessive,
)

# The entity linker's identifier of an entity that its knowledge base does not hold.
NIL = "NIL"
# With how many entities that share a word with it, those of the longest names last, a name is
# compared for each of its words, and with how many of the names of each: a list of thousands of
# people named Smith must not take minutes.
MAX_COMPARED = 100
Mention = tuple[int, int]


@dataclass(eq=False)
class Entity:
    """The mentions of one entity.

    label (str): The type that its cluster gets.
    types (set[str]): That, and the recogniser's own labels: what the rules look at.
    mentions (list[Span]): All mentions.
    names (dict[Mention, Name]): The names of those that were recognised, by their tokens.
    kb_id (str): The knowledge base id, or "".
    anaphor_group (Optional[int]): The group of exclusive anaphors ("she", "he") that has referred
        to it.
    distinct_names (dict[Name, None]): The names, each once, in the order in which they were found.
    starts (list[int]): The first tokens of the mentions that were recognised, ascending.
    chains (set[int]): The coreference chains that hold any of these.
    """

    label: str
    types: set[str]
    mentions: list[Span] = field(default_factory=list)
    names: dict[Mention, Name] = field(default_factory=dict)
    kb_id: str = ""
    anaphor_group: int | None = None
    distinct_names: dict[Name, None] = field(default_factory=dict)
    starts: list[int] = field(default_factory=list)
    chains: set[int] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The canonical name: the longest, the first such in a draw."""
        named = [span for span in self.mentions if mention_of(span) in self.names]
        names = (span.text for span in sorted(named, key=order_of))
        name = without_possessive(max(names, key=len))
        return " ".join(name.removeprefix("the ").split()) or name

    @property
    def compared_names(self) -> Iterable[Name]:
        """The names that others are compared with."""
        return islice(self.distinct_names, MAX_COMPARED)

    @property
    def keys(self) -> set[str]:
        """What it shares at least one of with each entity of a compatible name."""
        return {key for name in self.compared_names for key in name.keys}

    def contradicts(self, kb_id: str) -> bool:
        """Whether the entity is known to be another than that of the identifier."""
        return bool(self.kb_id and kb_id) and self.kb_id != kb_id


class Entities:
    """The entities of a document, and which of them each recognised mention belongs to.

    doc (Doc): The document.
    types (Mapping[str, str]): The cluster's label for the recogniser's; "" leaves mentions out.
    """

    def __init__(self, doc: Doc, types: Mapping[str, str]) -> None:
        self.doc = doc
        self.text = doc.text
        self.types = types
        self.owner: dict[Mention, Entity] = {}

    def __iter__(self) -> Iterator[Entity]:
        return iter(dict.fromkeys(self.owner.values()))

    def join_names(self, chains_of: Callable[[Mention], Collection[int]]) -> None:
        """Join the document's named entities by their identifiers and names.

        chains_of (Callable[[Mention], Collection[int]]): The numbers of the coreference chains that
            hold a mention: of several entities that a short form may belong to, one that shares a
            chain with it is taken.
        """
        named = []
        for ent in self.doc.ents:
            label = self.types.get(ent.label_, ent.label_)
            if label or ent.label_ not in self.types:
                types = {ent.label_, label}
                span = Span(self.doc, ent.start, ent.end, label=label, kb_id=ent.kb_id_)
                named.append((span, types, read_name(self._text_of(span), types)))
        # Full names first, so that a short form finds its entity wherever it stands.
        by_length = sorted(named, key=lambda row: (-len(row[2].words), len(row[2].words[0]) == 1))
        # Only entities that share a word with a name can be it: comparing all with all is too slow.
        index: defaultdict[str, dict[Entity, None]] = defaultdict(dict)
        for span, types, name in by_length:
            kb_id = known_id(span)
            keys = sorted(name.keys) + ([f"kb:{kb_id}"] if kb_id else [])
            compared = (islice(reversed(index[key]), MAX_COMPARED) for key in keys)
            entities = list(dict.fromkeys(chain.from_iterable(compared)))
            label = span.label_
            matches = [entity for entity in entities if _matches(entity, label, kb_id, name)]
            if not matches and name.kind != "value" and _is_word(self._text_of(span)):
                matches = [entity for entity in entities if _is_persons(entity, kb_id, name)]
            chains = chains_of(mention_of(span))
            if matches:
                entity = min(
                    matches,
                    key=lambda entity: (entity.chains.isdisjoint(chains), _distance(entity, span)),
                )
            else:
                entity = Entity(span.label_, types)
            entity.chains.update(chains)
            self._add_named(entity, span, name)
            for key in keys:
                index[key][entity] = None
        self._join_aliases([span for span, _, _ in named])

    def merge(self, entity: Entity, other: Entity) -> Entity:
        """Make one of two entities.

        entity (Entity): The one whose label counts.
        other (Entity): The other.
        RETURNS (Entity): That of more names, with the mentions of both. The other is dropped.
        """
        label, kb_id = entity.label, entity.kb_id or other.kb_id
        groups = (entity.anaphor_group, other.anaphor_group)
        if len(entity.names) < len(other.names):
            # A large one that each neighbour is joined with is not to be copied each time.
            entity, other = other, entity
        entity.label, entity.kb_id = label, kb_id
        entity.anaphor_group = next((group for group in groups if group is not None), None)
        entity.mentions += other.mentions
        entity.names |= other.names
        entity.distinct_names |= other.distinct_names
        for start in other.starts:
            insort(entity.starts, start)
        entity.types |= other.types
        entity.chains |= other.chains
        self.owner |= dict.fromkeys(other.names, entity)
        return entity

    def _add_named(self, entity: Entity, span: Span, name: Name) -> None:
        entity.mentions.append(span)
        entity.names[span.start, span.end] = name
        entity.distinct_names[name] = None
        insort(entity.starts, span.start)
        entity.kb_id = entity.kb_id or known_id(span)
        self.owner[span.start, span.end] = entity

    def _text_of(self, span: Span) -> str:
        # A span puts its text together token by token.
        return self.text[span.start_char : span.end_char]

    def _join_aliases(self, spans: Sequence[Span]) -> None:
        """Join neighbours of which the text says that they are names of the same thing."""
        for first, second in pairwise(spans):
            entity, other = (self.owner[span.start, span.end] for span in (first, second))
            if entity is other or first.label_ != second.label_ or entity.contradicts(other.kb_id):
                continue
            between = self.text[first.end_char : second.start_char]
            # A parenthesis alone must close.
            after = self.doc[second.end : second.end + 2].text if "(" in between else ""
            kind = entity.names[first.start, first.end].kind
            names = self._text_of(first), self._text_of(second)
            if links_aliases(between, after, *names, kind):
                self.merge(entity, other)


def mention_of(span: Span) -> Mention:
    """The tokens of a span."""
    return span.start, span.end


def order_of(span: Span) -> tuple[int, int, int, int, int]:
    """What spaCy sorts the spans of a document by."""
    return span.start_char, span.end_char, span.label, span.kb_id, span.id


def known_id(span: Span) -> str:
    """The knowledge base id of a mention, or "" if it has none."""
    return "" if span.kb_id_ == NIL else span.kb_id_


def may_be_same(entity: Entity, other: Entity) -> bool:
    """Whether two entities may be one if a coreference chain holds mentions of both: they have the
    same label, compatible names and no different identifiers."""
    if entity.label != other.label or entity.contradicts(other.kb_id):
        return False
    names = product(entity.compared_names, other.compared_names)
    return any(is_compatible(name, its) for name, its in names)


def _matches(entity: Entity, label: str, kb_id: str, name: Name) -> bool:
    if kb_id and entity.kb_id:
        return kb_id == entity.kb_id
    if label != entity.label:
        return False
    return any(is_alias(name, other) for other in entity.compared_names)


def _is_word(text: str) -> bool:
    return len(without_possessive(text).split()) == 1 and text[0].isupper()


def _is_persons(entity: Entity, kb_id: str, name: Name) -> bool:
    """Whether a word like no other name of its label is somebody's surname: recognisers often take
    a surname by itself for a place or an organisation."""
    if entity.contradicts(kb_id) or entity.types.isdisjoint(PERSON_TYPES):
        return False
    return any(is_surname(name, full) for full in entity.compared_names)


def _distance(entity: Entity, span: Span) -> tuple[bool, int]:
    """Entities named before come first, the last of them foremost."""
    n_before = bisect_right(entity.starts, span.start)
    if n_before:
        return False, span.start - entity.starts[n_before - 1]
    return True, entity.mentions[0].start - span.start


def first_mention(entity: Entity) -> Mention:
    """Where the entity is mentioned first."""
    return min((span.start, span.end) for span in entity.mentions)
