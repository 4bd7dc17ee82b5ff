"""Pronouns and definite descriptions, attached to entities by rules."""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Sequence
from operator import itemgetter
from typing import Any

from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from ..data.sentences import sentence_of_token
from .entities import Entities, Entity
from .names import ORGANISATION_TYPES, PERSON_TYPES, WORK_TYPES

# How many sentences nearer an entity counts that "she" has referred to before, for another "she".
FAMILIARITY = 2
# How many mentions before an anaphor are looked at. Sentences have far fewer; a text in which none
# are marked is one sentence, whatever its length.
MAX_CANDIDATES = 200
# A mention that an anaphor may refer to: its first token, the token after its last, the place of
# its entity among those of the document, and the entity.
Candidate = tuple[int, int, int, Entity]


class AnaphorRules:
    """Attaches pronouns and definite descriptions to entities.

    An anaphor goes to an entity of its types in its own sentence or, failing that, in the nearest
    sentence before; of several in a sentence to the first, which tends to be the subject. One that
    the same exclusive group has referred to before counts as two sentences nearer.

    nlp (Language): The pipeline.
    groups (Sequence[dict]): The groups of anaphors, as `EntityClusterer` takes them.
    max_sentences (int): How many sentences an anaphor may stand behind its entity.
    """

    def __init__(self, nlp: Language, groups: Sequence[dict[str, Any]], max_sentences: int) -> None:
        self.groups = list(groups)
        self.max_sentences = max_sentences
        self.matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
        self.groups_of_phrase: dict[str, list[int]] = {}
        for number, group in enumerate(self.groups):
            self.matcher.add(str(number), [nlp.make_doc(phrase) for phrase in group["phrases"]])
            for phrase in group["phrases"]:
                self.groups_of_phrase.setdefault(phrase, []).append(number)
        # Characters of a phrase.
        self.longest = max(map(len, self.groups_of_phrase), default=0)

    def attach(self, doc: Doc, entities: Entities, taken: Collection[int]) -> None:
        """Attach the anaphors of a document to its entities.

        doc (Doc): The document.
        entities (Entities): Its entities.
        taken (Collection[int]): The heads of the mentions that something else has attached.
        """
        matches = self.matcher(doc, as_spans=True)
        named = {i for ent in doc.ents for i in range(ent.start, ent.end)} if matches else set()
        found = [
            span
            for span in matches
            if named.isdisjoint(range(span.start, span.end)) and span.end - 1 not in taken
        ]
        if not found:
            return
        sentence_of = sentence_of_token(doc).tolist()
        candidates: list[Candidate] = [
            (mention.start, mention.end, place, entity)
            for place, entity in enumerate(entities)
            for mention in entity.mentions
        ]
        candidates.sort(key=itemgetter(0))
        for span in sorted(filter_spans(found), key=lambda span: span.start):
            self._attach(span, candidates, sentence_of)

    def may_refer(self, text: str, entity: Entity) -> bool:
        """Whether an expression may refer to an entity: always, if it is in no group.

        text (str): The expression.
        entity (Entity): The entity.
        RETURNS (bool): Whether its groups' types and exclusiveness allow it.
        """
        numbers = self.groups_of_phrase.get(text.lower(), [])
        return not numbers or any(self._allows(number, entity) for number in numbers)

    def note(self, text: str, entity: Entity) -> None:
        """Remember that an expression refers to an entity, for exclusive groups.

        text (str): The expression.
        entity (Entity): The entity.
        """
        for number in self.groups_of_phrase.get(text.lower(), []):
            if self.groups[number]["exclusive"] and entity.anaphor_group is None:
                entity.anaphor_group = number

    def _attach(self, span: Span, candidates: list[Candidate], sentence_of: list[int]) -> None:
        number = int(span.label_)
        sentence = sentence_of[span.start]
        last = bisect_left(candidates, span.start, key=itemgetter(0))
        best = None
        for start, end, place, entity in reversed(candidates[max(0, last - MAX_CANDIDATES) : last]):
            if sentence - sentence_of[start] > self.max_sentences + FAMILIARITY:
                break
            if end <= span.start and self._allows(number, entity):
                nearness = sentence_of[start] + FAMILIARITY * (entity.anaphor_group == number)
                rank = nearness, -start, -place
                if best is None or rank > best[0]:
                    best = rank, start, place, entity
        if best is None or sentence - sentence_of[best[1]] > self.max_sentences:
            return
        _, _, place, entity = best
        entity.mentions.append(Span(span.doc, span.start, span.end, label=entity.label))
        insort(candidates, (span.start, span.end, place, entity), key=itemgetter(0))
        self.note(span.text, entity)

    def _allows(self, number: int, entity: Entity) -> bool:
        group = self.groups[number]
        if entity.types.isdisjoint(group["types"]):
            return False
        return not group["exclusive"] or entity.anaphor_group in (None, number)


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
