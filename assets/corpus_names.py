"""Invented names: a stock of name parts for each split, and entities made of them."""

import random
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

# fmt: off
MONTHS = [
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
]
# fmt: on
OPPOSITE = {"f": "m", "m": "f"}
KIN = {
    "f": {"child": "daughter", "parent": "mother", "spouse": "wife", "wed": "bride"},
    "m": {"child": "son", "parent": "father", "spouse": "husband", "wed": "groom"},
}
SMALL_WORDS = {"of", "for", "and", "the", "in"}


@dataclass
class Entity:
    """An entity and everything a sentence can say of it.

    type (str): PERSON, ORG, GPE, WORK or DATE.
    name (str): The full name.
    shorts (list[str]): Short forms of the name, the usual one first.
    acronym (str): An acronym, usable as soon as the text has introduced it.
    gender (str): "f", "m", or "n" for what is no person.
    article (bool): Whether the name takes "the".
    nouns (list[str]): Nouns that describe it: "the company".
    attributes (dict[str, str | list[str]]): What `{X:key}` writes; of a list, one at random.
    """

    type: str
    name: str
    shorts: list[str] = field(default_factory=list)
    acronym: str = ""
    gender: str = "n"
    article: bool = False
    nouns: list[str] = field(default_factory=list)
    attributes: dict[str, str | list[str]] = field(default_factory=dict)


class Stock:
    """The name parts of one split. Parts are drawn in turn, so they recur as late as possible.

    parts (dict[str, list[str]]): The parts by kind.
    cultures (list[str]): The cultures that the names of people come from.
    drawn (Counter[str]): How many parts of each kind have been drawn.
    """

    def __init__(self, parts: dict[str, list[str]], cultures: list[str]) -> None:
        self.parts = parts
        self.cultures = cultures
        self.drawn: Counter[str] = Counter()

    def draw(self, key: str) -> str:
        part = self.parts[key][self.drawn[key] % len(self.parts[key])]
        self.drawn[key] += 1
        return part


def make_stocks(
    data: dict[str, Any], shares: dict[str, int], rng: random.Random
) -> dict[str, Stock]:
    """Divide all name parts among the splits, so that no two splits have a name in common.

    data (dict[str, Any]): The content of names.json.
    shares (dict[str, int]): The splits and their sizes in documents.
    rng (random.Random): The source of chance.
    RETURNS (dict[str, Stock]): The stock of each split.
    """
    lists: dict[str, list[str]] = {
        "country": _join(data["countries"]),
        "region": _join(data["regions"]),
        "coined": _join(data["coined"]),
        "image": [" ".join(pair) for pair in product(*data["images"])],
        "place": [],
    }
    for name, culture in data["cultures"].items():
        lists["place"] += _join(culture["place"])
        lists[f"surname {name}"] = _join(culture["surname"])
        lists[f"f {name}"] = culture["female"]
        lists[f"m {name}"] = culture["male"]
    parts: dict[str, dict[str, list[str]]] = {split: {} for split in shares}
    seen: set[str] = set()
    for key, names in lists.items():
        fresh = [name for name in dict.fromkeys(names) if name.casefold() not in seen]
        seen.update(name.casefold() for name in fresh)
        rng.shuffle(fresh)
        for split, portion in _divide(fresh, shares).items():
            parts[split][key] = portion
    cultures = list(data["cultures"])
    return {split: Stock(parts[split], cultures) for split in shares}


def _join(parts: list[list[str]]) -> list[str]:
    """All combinations of a beginning and an ending that do not repeat a letter between them."""
    return [a + b for a in parts[0] for b in parts[1] if a[-1].casefold() != b[0]]


def _divide(names: list[str], shares: dict[str, int]) -> dict[str, list[str]]:
    portions: dict[str, list[str]] = {}
    total, done, start = sum(shares.values()), 0, 0
    for split, share in shares.items():
        done += share
        end = len(names) * done // total
        portions[split] = names[start:end]
        start = end
    return portions


class EntityMaker:
    """Makes the entities of one document from a split's stock.

    data (dict[str, Any]): The content of names.json.
    stock (Stock): The split's name parts.
    taken (dict[str, str]): Titles and acronyms of the whole corpus and the split each belongs to.
    split (str): The split.
    first_year (int): The year from which dates are counted.
    rng (random.Random): The source of chance.
    """

    def __init__(
        self,
        data: dict[str, Any],
        stock: Stock,
        taken: dict[str, str],
        split: str,
        first_year: int,
        rng: random.Random,
    ) -> None:
        self.data = data
        self.stock = stock
        self.taken = taken
        self.split = split
        self.first_year = first_year
        self.rng = rng
        self.day_first = rng.random() < 0.65
        self.used: set[str] = set()

    def person(self, category: str, gender: str = "", surname: str = "") -> Entity:
        gender = gender or self.rng.choice("fm")
        culture = self.rng.choice(self.stock.cultures)
        first = self.stock.draw(f"{gender} {culture}")
        if self.rng.random() < 0.06:
            first += " " + self.stock.draw(f"{gender} {culture}")
        own_surname = self._surname(culture)
        job = self._unused(self.data["jobs"][category])
        return Entity(
            "PERSON",
            f"{first} {surname or own_surname}",
            shorts=[surname or own_surname, first.split()[0]],
            gender=gender,
            attributes={**KIN[gender], "job": job, "fame": self.data["fame"][category]},
        )

    def organisation(self, group: str, surname: str = "") -> Entity:
        family = self.data["organisations"][
            self.rng.choice(self.data["organisation_groups"][group])
        ]
        patterns = family["patterns"]
        if surname:
            patterns = [pattern for pattern in patterns if pattern.count("{surname}") == 1]
        name, stem = self._fill(self._unused(patterns), surname)
        own = [noun for noun in self.data["own_nouns"] if noun in name.casefold().split()]
        nouns = own or family["nouns"]
        is_of = family["article"] == "of"
        return Entity(
            "ORG",
            name,
            shorts=[stem] if stem and family["alias"] == "stem" and not surname else [],
            acronym=self._acronym(name) if family["alias"] == "acronym" else "",
            article=" of " in name if is_of else family["article"],
            nouns=nouns,
            attributes={
                "noun": nouns[0],
                "product": self.data["products"].get(name.split()[-1], ""),
                "head": self.rng.choice(family["heads"]),
                "post": family["posts"],
                "unit": family["units"],
                "subject": family.get("subjects", [""]),
                "workplace": family["workplace"],
            },
        )

    def place(self, group: str) -> Entity:
        kind = self.rng.choice(list(self.data["places"][group]))
        name = self.stock.draw(kind) if group == "country" else self._place()
        kinds = self.data["places"][group][kind]
        attributes = {"places": group, "kind": kind, "kinds": kinds}
        return Entity("GPE", name, nouns=[kind], attributes=attributes)

    def work(self, group: str) -> Entity:
        kind = self.rng.choice(self.data["work_groups"][group])
        data = self.data["works"][kind]
        title = self._title()
        while title.removeprefix("The ") in self.taken:
            title = self._title()
        self.taken[title.removeprefix("The ")] = self.split
        words = {key: data[key] for key in ("made", "done", "maker", "out")}
        return Entity("WORK", title, nouns=data["nouns"], attributes={"kind": kind, **words})

    def date(self, earliest: int, latest: int) -> Entity:
        """A date so many years after the first, in the document's style."""
        years = range(self.first_year + earliest, self.first_year + latest + 1)
        year = self._unused([str(year) for year in years])
        month, day = self.rng.choice(MONTHS), self.rng.randint(1, 28)
        chance = self.rng.random()
        if chance < 0.35:
            return Entity("DATE", year, attributes={"on": "in", "unit": "year"})
        if chance < 0.5:
            return Entity("DATE", f"{month} {year}", attributes={"on": "in", "unit": "month"})
        name = f"{day} {month} {year}" if self.day_first else f"{month} {day}, {year}"
        return Entity("DATE", name, attributes={"on": "on", "unit": "date"})

    def _surname(self, culture: str) -> str:
        surname = self.stock.draw(f"surname {culture}")
        if self.rng.random() < 0.04:
            surname += "-" + self.stock.draw(f"surname {culture}")
        return surname

    def _place(self) -> str:
        name = self.stock.draw("place")
        if " " not in name and self.rng.random() < 0.1:
            name = f"{self.rng.choice(self.data['place_prefixes'])} {name}"
        return name

    def _fill(self, pattern: str, surname: str) -> tuple[str, str]:
        """A name after the pattern, and its beginning if that can stand for the whole."""
        words: list[str] = []
        for word in pattern.split():
            while "{surname}" in word:
                culture = self.rng.choice(self.stock.cultures)
                drawn = surname or self.stock.draw(f"surname {culture}")
                word = word.replace("{surname}", drawn, 1)
            if "{place}" in word:
                word = word.replace("{place}", self._place())
            for key in ("coined", "image"):
                if key in word:
                    word = self.stock.draw(key)
            words.append(word)
        return " ".join(words), "" if pattern.startswith("{place}") else words[0]

    def _acronym(self, name: str) -> str:
        words = re.findall(r"\w+", name)
        acronym = "".join(word[0].upper() for word in words if word not in SMALL_WORDS)
        if len(acronym) < 3 or acronym in self.data["reserved_acronyms"]:
            return ""
        if self.taken.setdefault(acronym, self.split) != self.split:
            return ""
        return acronym

    def _title(self) -> str:
        titles = self.data["titles"]
        pattern = self.rng.choice(titles["patterns"])
        for key in ("adj", "noun", "noun", "number"):
            pattern = pattern.replace(f"{{{key}}}", self._unused(titles[key]), 1)
        if "{first}" in pattern:
            culture = self.rng.choice(self.stock.cultures)
            pattern = pattern.replace("{first}", self.stock.draw(f"f {culture}"))
        return pattern.replace("{place}", self._place()) if "{place}" in pattern else pattern

    def _unused(self, options: Iterable[str]) -> str:
        """One of the options that the document has not had, if there is one."""
        options = list(options)
        fresh = [option for option in options if option not in self.used]
        choice = self.rng.choice(fresh or options)
        self.used.add(choice)
        return choice
