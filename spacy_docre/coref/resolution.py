"""Coreference chains and appositions, brought together with named entities."""

import itertools
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Sequence
from heapq import heappop, heappush

from spacy.tokens import Doc, Span, Token

from ..data.clusters import token_characters
from .anaphors import MAX_CANDIDATES, AnaphorRules
from .chains import Chain
from .entities import MAX_COMPARED, Entities, Entity, Mention, may_be_same, mention_of
from .phrases import PhraseFinder

DETERMINERS = ("the", "a", "an")


class ChainResolver:
    """Attaches the mentions of coreference chains to the entities of a document.

    doc (Doc): The document.
    chains (Sequence[Chain]): Its chains.
    """

    def __init__(self, doc: Doc, chains: Sequence[Chain]) -> None:
        self.doc = doc
        self.chains = chains
        self.is_parsed = doc.has_annotation("DEP")
        ents = doc.ents if chains else ()
        self._ent_at = {i: ent for ent in ents for i in range(ent.start, ent.end)}
        self._chains_of: dict[Mention, set[int]] = {}
        for number, chain in enumerate(chains):
            for mention in chain:
                ent = self._named_by(mention)
                if ent is not None:
                    self._chains_of.setdefault(mention_of(ent), set()).add(number)

    def chains_of(self, mention: Mention) -> Collection[int]:
        """The chains that hold a named mention.

        mention (tuple[int, int]): Its first token and the token after its last.
        RETURNS (Collection[int]): Their numbers.
        """
        return self._chains_of.get(mention, ())

    def attach(self, entities: Entities, rules: AnaphorRules) -> set[int]:
        """Attach what the chains hold besides names, and join entities whose names allow it.

        entities (Entities): The entities.
        rules (AnaphorRules): Tell which entities a pronoun may refer to.
        RETURNS (set[int]): The heads of the mentions that were attached.
        """
        attached: set[Mention] = set()
        for chain in self.chains:
            named = [ent for ent in map(self._named_by, chain) if ent is not None]
            members = sorted(mention_of(ent) for ent in named if mention_of(ent) in entities.owner)
            if not members:
                continue
            _join(entities, members)
            for mention in chain:
                if mention in attached or self._named_by(mention) is not None:
                    continue
                text = self._beginning(mention, entities.text, rules.longest + 1)
                entity = _antecedent(entities, members, mention, text, rules)
                if entity is not None:
                    entity.mentions.append(Span(self.doc, *mention, label=entity.label))
                    rules.note(text, entity)
                    attached.add(mention)
        return {self._head(mention) for mention in attached}

    def _beginning(self, mention: Mention, text: str, n: int) -> str:
        """The first characters of a mention: all that tells an anaphor from a longer expression,
        as a chain may hold thousands of mentions in one another."""
        start, end = token_characters(self.doc, *mention)
        return text[start : min(end, start + n)]

    def _head(self, mention: Mention) -> int:
        start, end = mention
        return self.doc[start:end].root.i if self.is_parsed else end - 1

    def _named_by(self, mention: Mention) -> Span | None:
        """The recognised entity that a mention is a name of: theirs is the same head or, without a
        parse, the same words but for the article and a possessive 's."""
        ent = self._ent_at.get(self._head(mention))
        if self.is_parsed:
            return ent if ent is not None and mention[0] <= ent.root.i < mention[1] else None
        ent = ent or self._ent_at.get(max(self._head(mention) - 1, mention[0]))
        is_same = ent is not None and self._trimmed(mention) == self._trimmed(mention_of(ent))
        return ent if is_same else None

    def _trimmed(self, mention: Mention) -> Mention:
        start, end = mention
        if end - start > 1 and self.doc[start].lower_ in DETERMINERS:
            start += 1
        if end - start > 1 and self.doc[end - 1].lower_ in ("'s", "’s", "'", "’"):
            end -= 1
        return start, end


def attach_appositions(doc: Doc, entities: Entities, taken: Collection[int]) -> set[int]:
    """Attach descriptions in apposition to a name ("Marie Curie, the physicist", "the physicist
    Marie Curie"), where the parser says so.

    doc (Doc): The document.
    entities (Entities): Its entities.
    taken (Collection[int]): The heads of descriptions that chains have attached.
    RETURNS (set[int]): The heads of the descriptions that were attached.
    """
    phrases = PhraseFinder(doc)
    if not phrases.is_parsed:
        return set()
    owner_of = {ent.root.i: entities.owner.get(mention_of(ent)) for ent in doc.ents}
    decided = {i for ent in doc.ents for i in range(ent.start, ent.end)}.union(taken)
    attached: set[int] = set()
    for token in doc:
        if token.dep_ != "appos":
            continue
        for name, other in ((token, token.head), (token.head, token)):
            entity = owner_of.get(name.i)
            if entity and _is_description(other, name) and other.i not in decided:
                entity.mentions.append(Span(doc, *phrases.of_head(other.i), label=entity.label))
                attached.add(other.i)
                decided.add(other.i)
    return attached


def _is_description(noun: Token, name: Token) -> bool:
    """Whether a noun may describe the one thing that is named, which those may not: "the
    sisters Ada and Uma"."""
    is_many = "Plur" in noun.morph.get("Number", []) or name.conjuncts or noun.conjuncts
    return noun.pos_ == "NOUN" and not is_many


def _join(entities: Entities, members: Sequence[Mention]) -> None:
    """Join the entities of a chain whose names allow it, which share a word at least."""
    owners = list(dict.fromkeys(entities.owner[member] for member in members))
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, entity in enumerate(owners):
        for key in entity.keys:
            places[key].append(place)
    dropped: set[int] = set()
    for at, entity in enumerate(owners):
        if at in dropped:
            continue
        # A name that is joined brings words of its own.
        waiting, seen = [at], {at}
        while waiting:
            place = heappop(waiting)
            keys = owners[place].keys
            if place != at:
                if not may_be_same(entity, owners[place]):
                    continue
                dropped.add(place)
                entity = entities.merge(entity, owners[place])
            for key in keys:
                after = bisect_right(places[key], place)
                for found in places[key][after : after + MAX_COMPARED]:
                    if found not in seen and found not in dropped:
                        seen.add(found)
                        heappush(waiting, found)


def _antecedent(
    entities: Entities, members: Sequence[Mention], mention: Mention, text: str, rules: AnaphorRules
) -> Entity | None:
    """The entity that an anaphor of a chain refers to: of those that it may refer to the nearest
    before or, if there is none, the first behind."""
    at = bisect_left(members, mention)
    before, behind = members[max(0, at - MAX_CANDIDATES) : at], members[at : at + MAX_CANDIDATES]
    for member in itertools.chain(reversed(before), behind):
        if rules.may_refer(text, entities.owner[member]):
            return entities.owner[member]
    return None
