"""Writes a document sentence by sentence and keeps track of who is mentioned where, and how."""

import random
import re
from dataclasses import dataclass
from typing import Any, Protocol

from corpus_names import Entity

CHOICE = re.compile(r"\[([^\[\]]*)\]")
SLOT = re.compile(r"\{([^{}]+)\}")
REFERENCE = re.compile(r"(\w+)(.*)")
PRONOUNS = {
    "f": {"": "she", "o": "her", "s": "her"},
    "m": {"": "he", "o": "him", "s": "his"},
    "n": {"": "it", "o": "it", "s": "its"},
}
SYMMETRIC = {"spouse"}


@dataclass
class Mention:
    """A stretch of the text that refers to an entity, and the sentence it stands in."""

    start: int
    end: int
    named: bool
    sentence: int


class Cast(Protocol):
    """The entities of a document by their roles."""

    def __getitem__(self, role: str) -> Entity: ...


class Narrator:
    """Writes one document.

    A template is a text with slots, a bar between its sentences and `[this|that]` for a choice. The
    slots, for a role X:
        {X}    a reference as subject: name, short name, "the company" or pronoun, as fits
        {X.o}  the same as object, {X.s} as possessive
        {X-}   no pronoun, {X+} a name or short name, {X!} the full name
        {X~}   the pronoun (with `o` or `s` as object or possessive), {X^} "the" and a noun
        {X:a}  an attribute such as the job, {on X} a date with its preposition
        {@a}   an entry of the word list `a`

    cast (Cast): The entities of the document.
    lists (dict[str, list[str]]): The word lists.
    rng (random.Random): The source of chance.
    """

    def __init__(self, cast: Cast, lists: dict[str, list[str]], rng: random.Random) -> None:
        self.cast = cast
        self.lists = lists
        self.rng = rng
        self.text = ""
        self.sentences: list[tuple[int, int]] = []
        self.mentions: dict[str, list[Mention]] = {}
        self.relations: dict[tuple[str, str, str], set[int]] = {}
        self.repeats_itself = False
        self.classified: set[str] = set()
        self.previous: list[str] = []
        self.current: list[str] = []
        self.subject = ""
        self.topic = ""

    def tell(self, template: str, facts: list[str], roles: dict[str, str]) -> None:
        """Write a template's sentences and note the relations that they express.

        template (str): The text with slots.
        facts (list[str]): Relations as "X label Y", with the sentences of the template that
            express them after "@" if not all do.
        roles (dict[str, str]): The document's role for each of the template's.
        """
        first = len(self.sentences)
        while match := CHOICE.search(template):
            option = self.rng.choice(match[1].split("|"))
            template = template[: match.start()] + option + template[match.end() :]
        for sentence in template.split(" | "):
            self._sentence(sentence, roles)
        for fact in facts:
            relation, _, where = fact.partition(" @")
            head, label, tail = relation.split()
            steps = where.split(",") if where else range(len(self.sentences) - first)
            evidence = {first + int(step) for step in steps}
            self._relate(roles[head], label, roles[tail], evidence)

    def to_row(self, title: str) -> dict[str, Any]:
        """The document in the schema of the corpus (see README.md), its entities in the order of
        their first mentions."""
        roles = sorted(self.mentions, key=lambda role: self.mentions[role][0].start)
        return {
            "title": title,
            "text": self.text,
            "sentences": [list(sentence) for sentence in self.sentences],
            "clusters": [
                {
                    "type": self.cast[role].type,
                    "mentions": [
                        {"start": mention.start, "end": mention.end, "named": mention.named}
                        for mention in self.mentions[role]
                    ],
                }
                for role in roles
            ],
            "relations": [
                {
                    "head": roles.index(head),
                    "label": label,
                    "tail": roles.index(tail),
                    "evidence": [list(self.sentences[i]) for i in sorted(evidence)],
                }
                for (head, label, tail), evidence in self.relations.items()
            ],
        }

    def _sentence(self, template: str, roles: dict[str, str]) -> None:
        self.text += " " if self.text else ""
        start = len(self.text)
        self.current, self.subject = [], ""
        for i, piece in enumerate(SLOT.split(template)):
            if i % 2:
                self._slot(piece, roles)
            else:
                self.text += piece
        self.text = self.text[:start] + self.text[start].upper() + self.text[start + 1 :]
        self.sentences.append((start, len(self.text)))
        self.previous, self.topic = self.current, self.subject

    def _slot(self, slot: str, roles: dict[str, str]) -> None:
        if slot.startswith("@"):
            self._word(self.rng.choice(self.lists[slot[1:]]))
        elif slot.startswith("on "):
            role = roles[slot[3:]]
            self.text += f"{self.cast[role].attributes['on']} "
            self._mention(role, self.cast[role].name)
        elif ":" in slot:
            name, _, key = slot.partition(":")
            self._attribute(roles[name], key)
        elif match := REFERENCE.fullmatch(slot):
            self._reference(roles[match[1]], match[2])

    def _attribute(self, role: str, key: str) -> None:
        entity = self.cast[role]
        value = entity.attributes[key]
        self._word(value if isinstance(value, str) else self.rng.choice(value))
        if key == "job":
            entity.nouns = [str(value)]
        elif key == "kind":
            self.classified.add(role)

    def _word(self, word: str) -> None:
        if re.search(r"\b[Aa] $", self.text) and re.match(r"(?!uni|eu)[aeiou]", word):
            self.text = f"{self.text[:-1]}n "
        self.text += word

    def _reference(self, role: str, mark: str) -> None:
        entity = self.cast[role]
        case = mark.strip(".~") if mark[:1] in {".", "~"} else ""
        if self.text.endswith(". ") or not self.text:
            self.subject = role if case != "s" else ""
        is_first = not any(mention.named for mention in self.mentions.get(role, []))
        if mark.startswith("~"):
            form = "pronoun"
        elif mark == "^":
            form = "noun"
        elif mark == "!" or is_first:
            form = "name"
        else:
            form = self._choose_form(role, mark, case)
        if form == "pronoun":
            self._mention(role, PRONOUNS[entity.gender][case], named=False)
            return
        if form == "noun":
            noun = self.rng.choice(self._nouns(role) or entity.nouns)
            self._mention(role, f"the {noun}", named=False)
        elif form == "short":
            self._mention(role, self._short(role))
        else:
            self.text += "the " if entity.article else ""
            self._mention(role, entity.name)
            if is_first and entity.acronym and case != "s" and self.rng.random() < 0.6:
                self._introduce_acronym(role)
        self.text += "'s" if case == "s" else ""

    def _introduce_acronym(self, role: str) -> None:
        entity = self.cast[role]
        self.text += " ("
        self._mention(role, entity.acronym)
        self.text += ")"
        entity.shorts = [entity.acronym]

    def _mention(self, role: str, text: str, named: bool = True) -> None:
        start = len(self.text)
        self.text += text
        mention = Mention(start, len(self.text), named, len(self.sentences))
        self.mentions.setdefault(role, []).append(mention)
        if self.cast[role].type != "DATE" and role not in self.current:
            self.current.append(role)

    def _choose_form(self, role: str, mark: str, case: str) -> str:
        """How to refer to an entity that the text has named before."""
        entity = self.cast[role]
        weights = {"name": 1}
        if self._short(role):
            weights["short"] = 4
        if mark != "+" and self._nouns(role):
            weights["noun"] = 1 if entity.type == "PERSON" else 5
        if mark not in {"+", "-"} and self._allows_pronoun(role, case):
            weights["pronoun"] = 40 if role in self.current else 12
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def _allows_pronoun(self, role: str, case: str) -> bool:
        """Whether a pronoun would be understood: no rival of the same gender stands near, or the
        entity is what the sentence is about, or it was and still is the subject."""
        if role not in self.previous + self.current:
            return False
        is_topic = role == (self.current[0] if self.current else self.topic)
        here, near = (
            any(self._are_rivals(role, other) for other in others)
            for others in (self.current, self.previous + self.current)
        )
        if self.cast[role].type == "PERSON":
            return not near or (is_topic and not here and case != "o")
        starts = self.text.endswith(". ")
        return is_topic and not here and case != "o" and (starts or role in self.current)

    def _are_rivals(self, role: str, other: str) -> bool:
        return other != role and self.cast[other].gender == self.cast[role].gender

    def _nouns(self, role: str) -> list[str]:
        """The nouns that describe this entity and no other in the text so far. A town has none
        when the text also names a village, unless it has called it a town."""
        entity = self.cast[role]
        others = [self.cast[other] for other in self.mentions if other != role]
        places = entity.attributes.get("places", "")
        if role not in self.classified and any(
            other.attributes.get("places") == places for other in others
        ):
            return []
        return [noun for noun in entity.nouns if all(noun not in other.nouns for other in others)]

    def _short(self, role: str) -> str:
        """The usual short name that nobody else in the text so far answers to, if there is one."""
        entity = self.cast[role]
        others = [self.cast[other] for other in self.mentions if other != role]
        taken = {
            word for other in others if other.type == entity.type for word in other.name.split()
        }
        return next((short for short in entity.shorts if short not in taken), "")

    def _relate(self, head: str, label: str, tail: str, evidence: set[int]) -> None:
        for role in (head, tail):
            evidence = evidence | self._antecedent(role, evidence)
        self.repeats_itself |= (head, label, tail) in self.relations
        self.relations[head, label, tail] = evidence
        if label in SYMMETRIC:
            self.relations[tail, label, head] = evidence

    def _antecedent(self, role: str, evidence: set[int]) -> set[int]:
        """The sentence that names an entity, if the evidence itself does not."""
        named = [mention.sentence for mention in self.mentions[role] if mention.named]
        if evidence.intersection(named):
            return set()
        return {max((n for n in named if n < max(evidence)), default=named[0])}
