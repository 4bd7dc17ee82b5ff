"""Generate the project's own training corpus: `python assets/make_corpus.py OUT_DIR`."""

import argparse
import json
import random
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from corpus_names import OPPOSITE, Entity, EntityMaker, Stock, make_stocks
from corpus_stats import format_stats
from corpus_text import Narrator

HERE = Path(__file__).parent
SIZES = {"train": 720, "dev": 80, "test": 100}
N_SENTENCES = range(4, 9)
N_WORDS = range(55, 116)
N_ENTITIES = range(5, 11)
# How often dev and test use phrasings that the training set never has.
HELD_OUT_SHARE = 0.2
# How much likelier phrasings are that spread a relation over two sentences.
BRIDGE_WEIGHT = 1.8
# An entity is the head (or the tail) of one such relation at most.
ONE_TAIL = {"born_in", "date_of_birth", "founded_on", "headquartered_in", "subsidiary_of"}
ONE_HEAD = {"author_of"}
STEP = re.compile(r"(\w+)\(([\w, ]+)\)")

Row = dict[str, Any]


class LazyCast:
    """The entities of a document, made when the text first needs them.

    specs (dict[str, str]): For each role the type, the kind or the years, and options: `family=X`
        (often with the surname of X), `named=X` (an organisation often named after X),
        `opposite=X` (a person of the other gender). What follows "#" in a role only tells
        entities of the same kind apart.
    maker (EntityMaker): What makes them.
    rng (random.Random): The source of chance.
    """

    def __init__(self, specs: dict[str, str], maker: EntityMaker, rng: random.Random) -> None:
        self.specs = specs
        self.maker = maker
        self.rng = rng
        self.entities: dict[str, Entity] = {}

    def __getitem__(self, role: str) -> Entity:
        if role not in self.entities:
            self.entities[role] = self._make(*self.specs[role.partition("#")[0]].split())
        return self.entities[role]

    def _make(self, label: str, kind: str, *rest: str) -> Entity:
        options = dict(option.split("=") for option in rest if "=" in option)
        if label == "DATE":
            return self.maker.date(int(kind), int(rest[0]))
        if label == "GPE":
            return self.maker.place(kind)
        if label == "WORK":
            return self.maker.work(kind)
        if label == "ORG":
            return self.maker.organisation(kind, self._surname_of(options.get("named"), 0.4))
        gender = OPPOSITE[self[options["opposite"]].gender] if "opposite" in options else ""
        return self.maker.person(kind, gender, self._surname_of(options.get("family"), 0.5))

    def _surname_of(self, role: str | None, chance: float) -> str:
        if role is None or self.rng.random() > chance:
            return ""
        return self[role].name.split()[-1]


class Generator:
    """Generates the documents of all splits.

    names (dict[str, Any]): The content of names.json.
    templates (dict[str, Any]): The content of templates.json.
    genres (dict[str, Any]): The content of genres.json.
    seed (int): The seed of chance.
    """

    def __init__(
        self, names: dict[str, Any], templates: dict[str, Any], genres: dict[str, Any], seed: int
    ) -> None:
        self.names = names
        self.templates = templates
        self.genres = genres
        self.rng = random.Random(seed)
        self.stocks = make_stocks(names, SIZES, self.rng)
        self.taken: dict[str, str] = {}
        self.titles: set[str] = set()

    def split(self, split: str) -> list[Row]:
        """The documents of a split, the genres in turn and then mixed."""
        genres = list(self.genres)
        rows = [self._document(genres[i % len(genres)], split) for i in range(SIZES[split])]
        self.rng.shuffle(rows)
        return rows

    def _document(self, genre: str, split: str) -> Row:
        """A document of the wanted size that neither contradicts nor repeats itself, by trial."""
        stock = self.stocks[split]
        drawn = stock.drawn
        while True:
            stock.drawn = drawn.copy()
            title, narrator = self._attempt(self.genres[genre], split, stock)
            if (
                len(narrator.sentences) in N_SENTENCES
                and len(narrator.text.split()) in N_WORDS
                and len(narrator.mentions) in N_ENTITIES
                and title not in self.titles
                and not narrator.repeats_itself
                and not contradicts(narrator.relations)
            ):
                self.titles.add(title)
                return narrator.to_row(title)

    def _attempt(self, genre: dict[str, Any], split: str, stock: Stock) -> tuple[str, Narrator]:
        first_year = self.rng.randint(*genre["years"])
        maker = EntityMaker(self.names, stock, self.taken, split, first_year, self.rng)
        cast = LazyCast(genre["cast"], maker, self.rng)
        narrator = Narrator(cast, self.templates["lists"], self.rng)
        told: set[str] = set()
        for number, step in enumerate(self._steps(genre["plan"])):
            match = STEP.fullmatch(step)
            if match is None:
                raise ValueError(f"not a step: {step}")
            pool = self.templates["pools"][match[1]]
            # Dates are new in each step.
            actual = [f"{r}#{number}" if r[0] == "D" else r for r in match[2].split(", ")]
            roles = dict(zip(pool["args"].split(), actual, strict=True))
            template, *facts = self._variant(pool, split, told)
            narrator.tell(template, facts, roles)
            told.add(template)
        return cast[genre["title"]].name, narrator

    def _steps(self, plan: Any) -> list[str]:
        """The steps of a plan: a list in its order, `one` of several, or several to `shuffle`."""
        if isinstance(plan, str):
            return [plan]
        if isinstance(plan, list):
            return [step for part in plan for step in self._steps(part)]
        if "one" in plan:
            return self._steps(self.rng.choice(plan["one"]))
        parts = plan["shuffle"]
        return self._steps(self.rng.sample(parts, len(parts)))

    def _variant(self, pool: dict[str, Any], split: str, told: set[str]) -> list[str]:
        """A phrasing that the document has not had yet."""
        is_held_out = split != "train" and self.rng.random() < HELD_OUT_SHARE
        preferred = pool["held_out"] if is_held_out else []
        for variants in (preferred, pool["variants"]):
            fresh = [variant for variant in variants if variant[0] not in told]
            if fresh:
                weights = [BRIDGE_WEIGHT if " | " in template else 1 for template, *_ in fresh]
                return self.rng.choices(fresh, weights)[0]
        raise ValueError("a document cannot use a pool this often")


def contradicts(relations: Iterable[tuple[str, str, str]]) -> bool:
    """Whether relations cannot be true together: two birthplaces, two authors of a book."""
    unique = [(head, label) for head, label, _ in relations if label in ONE_TAIL]
    unique += [(label, tail) for _, label, tail in relations if label in ONE_HEAD]
    return len(unique) != len(set(unique))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out_dir", type=Path, help="where train, dev and test.jsonl are written")
    parser.add_argument("--seed", type=int, default=0, help="the seed of chance")
    parser.add_argument("--stats", action="store_true", help="print the counts of README.md")
    args = parser.parse_args()
    names, templates, genres = (
        json.loads((HERE / f"{name}.json").read_text(encoding="utf8"))
        for name in ("names", "templates", "genres")
    )
    generator = Generator(names, templates, genres, args.seed)
    splits = {split: generator.split(split) for split in SIZES}
    args.out_dir.mkdir(parents=True, exist_ok=True)
    for split, rows in splits.items():
        lines = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
        (args.out_dir / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf8")
    if args.stats:
        print(format_stats(splits))


if __name__ == "__main__":
    main()
