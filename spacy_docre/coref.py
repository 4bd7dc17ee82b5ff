"""From named entities to entity clusters, by rules."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.pipeline import Pipe
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from .clusters import sentence_of_token, set_clusters

PERSON_TYPES = ("PERSON", "PER")
ORGANISATION_TYPES = ("ORG",)
WORK_TYPES = ("WORK_OF_ART", "WORK")
# How many sentences nearer an entity counts that "she" has referred to before, for another "she".
FAMILIARITY = 2


@dataclass
class _Entity:
    """A cluster in the making: its label, its mentions, and the group of exclusive anaphors ("she",
    "he") that has referred to it."""

    label: str
    mentions: list[Span]
    names: set[tuple[str, ...]] = field(default_factory=set)
    kb_ids: set[str] = field(default_factory=set)
    anaphor_group: int | None = None


class EntityClusterer(Pipe):
    """Joins the entities of a document that name the same thing, and the pronouns and definite
    descriptions that refer to them, into `doc.spans[f"{prefix}_1"]`, ...

    Entities are joined if they have the same knowledge base id; or the same label and the same
    name but for case, punctuation and a leading "the"; or if one is a short form of the other: part
    of a person's name ("Okafor", "Ada Okafor"), the beginning of an organisation's ("Brandt",
    "Brandt Optics"), or an acronym ("NIT", "Norvale Institute of Technology"). A short form goes to
    the entity that was named last. A name like no other of its label that is somebody's surname is
    that person's, whatever its label.

    An anaphor goes to an entity of its types in its own sentence or, failing that, in the nearest
    sentence before; of several in a sentence to the first, which tends to be the subject. One that
    the same exclusive group has referred to before counts as two sentences nearer.

    nlp (Language): The pipeline.
    name (str): The component's name.
    prefix (str): What the clusters' keys start with.
    anaphors (list[dict]): Groups of anaphors, each with `types` (entity types that they can refer
        to), `phrases` (in lower case) and `exclusive` (whether an entity that the group refers to
        can be referred to by no other exclusive group). Empty for none.
    max_sentences (int): How many sentences an anaphor may stand behind its entity.
    """

    def __init__(
        self,
        nlp: Language,
        name: str,
        *,
        prefix: str,
        anaphors: Sequence[dict[str, Any]],
        max_sentences: int,
    ) -> None:
        self.name = name
        self.prefix = prefix
        self.anaphors = list(anaphors)
        self.max_sentences = max_sentences
        self.matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
        for number, group in enumerate(self.anaphors):
            self.matcher.add(str(number), [nlp.make_doc(phrase) for phrase in group["phrases"]])

    def __call__(self, doc: Doc) -> Doc:
        """doc (Doc): A document with entities.
        RETURNS (Doc): The document, with clusters in the order of their first mentions.
        """
        entities: list[_Entity] = []
        # Full names first, so that a short form finds its entity wherever it stands.
        by_length = sorted(doc.ents, key=lambda ent: (-len(_name_of(ent)), ent.start))
        for ent in by_length:
            self._add(entities, ent)
        self._attach_anaphors(doc, entities)
        for entity in entities:
            entity.mentions.sort(key=lambda span: (span.start, span.end))
        entities.sort(key=lambda entity: entity.mentions[0].start)
        set_clusters(doc, (entity.mentions for entity in entities), self.prefix)
        return doc

    def _add(self, entities: list[_Entity], ent: Span) -> None:
        name = _name_of(ent)
        matches = [entity for entity in entities if _matches(entity, ent, name)]
        if not matches:
            matches = [entity for entity in entities if _is_surname(entity, ent, name)]
        if matches:
            entity = min(matches, key=lambda entity: _distance(entity, ent))
        else:
            entity = _Entity(ent.label_, [])
            entities.append(entity)
        entity.mentions.append(ent)
        entity.names.add(name)
        if ent.kb_id_:
            entity.kb_ids.add(ent.kb_id_)

    def _attach_anaphors(self, doc: Doc, entities: list[_Entity]) -> None:
        named = {i for ent in doc.ents for i in range(ent.start, ent.end)}
        matches = self.matcher(doc, as_spans=True)
        found = [span for span in matches if named.isdisjoint(range(span.start, span.end))]
        sentence_of = sentence_of_token(doc).tolist()
        for span in sorted(filter_spans(found), key=lambda span: span.start):
            number = int(span.label_)
            group = self.anaphors[number]
            candidates = [
                (self._rank(sentence_of, mention, entity, number), mention, entity)
                for entity in entities
                if entity.label in group["types"] and self._can_refer(number, entity)
                for mention in entity.mentions
                if mention.end <= span.start
            ]
            if not candidates:
                continue
            _, mention, entity = max(candidates, key=lambda candidate: candidate[0])
            if sentence_of[span.start] - sentence_of[mention.start] <= self.max_sentences:
                entity.mentions.append(Span(doc, span.start, span.end, label=entity.label))
                if group["exclusive"]:
                    entity.anaphor_group = number

    def _rank(
        self, sentence_of: list[int], mention: Span, entity: _Entity, number: int
    ) -> tuple[int, int]:
        is_familiar = entity.anaphor_group == number
        return sentence_of[mention.start] + FAMILIARITY * is_familiar, -mention.start

    def _can_refer(self, number: int, entity: _Entity) -> bool:
        is_exclusive = self.anaphors[number]["exclusive"]
        return not is_exclusive or entity.anaphor_group in (None, number)


def _matches(entity: _Entity, ent: Span, name: tuple[str, ...]) -> bool:
    if ent.kb_id_ and entity.kb_ids:
        return ent.kb_id_ in entity.kb_ids
    if ent.label_ != entity.label:
        return False
    return any(name == other or _is_short_form(name, other, ent) for other in entity.names)


def _is_surname(entity: _Entity, ent: Span, name: tuple[str, ...]) -> bool:
    # Recognisers often take a surname by itself for a place or an organisation.
    is_name = len(name) == 1 and ent.text[0].isupper()
    return is_name and entity.label in PERSON_TYPES and name in {n[-1:] for n in entity.names}


def _is_short_form(short: tuple[str, ...], full: tuple[str, ...], ent: Span) -> bool:
    if not short or len(short) >= len(full):
        return False
    if ent.label_ in PERSON_TYPES:
        return set(short) <= set(full)
    initials = "".join(word[0] for word in full if word not in ("of", "the", "for", "and", "in"))
    if len(short) == 1 and len(short[0]) > 1 and short[0] == initials and ent.text.isupper():
        return True
    return ent.label_ in ORGANISATION_TYPES and short == full[: len(short)]


def _name_of(ent: Span) -> tuple[str, ...]:
    words = re.findall(r"\w+", ent.text.casefold().removesuffix("'s").removesuffix("’s"))
    return tuple(words[1:] if words[:1] == ["the"] else words) or (ent.text,)


def _distance(entity: _Entity, ent: Span) -> tuple[bool, int]:
    """Entities named before come first, the last of them foremost."""
    before = [ent.start - span.start for span in entity.mentions if span.start <= ent.start]
    return (False, min(before)) if before else (True, entity.mentions[0].start - ent.start)


def english_anaphors() -> list[dict[str, Any]]:
    """The anaphors that the factory uses by default: English personal pronouns, and descriptions
    of organisations, places and works."""

    def group(types: Iterable[str], phrases: str, exclusive: bool) -> dict[str, Any]:
        return {"types": list(types), "phrases": phrases.split(", "), "exclusive": exclusive}

    organisations = (
        "it, its, itself, the company, the firm, the group, the institute, the university, "
        "the college, the school, the organisation, the organization, the agency, the museum, "
        "the laboratory, the publisher, the manufacturer, the studio, the label, the orchestra, "
        "the newspaper, the paper, the academy, the polytechnic, the observatory"
    )
    places = "the city, the town, the village, the country, the region, the island, the state"
    works = "the book, the novel, the memoir, the film, the album"
    return [
        group(PERSON_TYPES, "she, her, hers, herself", exclusive=True),
        group(PERSON_TYPES, "he, him, his, himself", exclusive=True),
        group(ORGANISATION_TYPES, organisations, exclusive=False),
        group(("GPE", "LOC"), places, exclusive=False),
        group(WORK_TYPES, works, exclusive=False),
    ]
