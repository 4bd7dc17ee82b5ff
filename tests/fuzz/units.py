"""The campaign's inputs: each is made from the campaign's seed and its own number, so that any of
them can be made again."""

import json
import tempfile
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from .documents import Plan, random_plan
from .file_runs import run_case
from .files import FORMATS, Case, Counts
from .mutations import mutate
from .pipelines import EXTRACTORS, MANY_ENTITIES, TEXT_SHARE, pipeline
from .runs import run_documents, run_texts
from .texts import heavy_tailed, random_text

BATCH = 32
MANY_SHARE = 0.003
N_WORDS = (0.05, 0), (0.85, 30), (0.0995, 100), (0.0005, 1000)
MUTATED_SHARE = 0.9
# Where Linux has files that never reach a disk.
MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Unit:
    """One input: `BATCH` documents, or one file."""

    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.number}"


def units(n_documents: int, n_files: int) -> list[Unit]:
    """All units of a campaign, both kinds mixed, so that one that is stopped has tried both."""
    batches = -(-n_documents // BATCH)
    places = [(i / batches, Unit("documents", i)) for i in range(batches)]
    places += [(i / n_files, Unit("file", i)) for i in range(n_files)]
    return [unit for _, unit in sorted(places, key=lambda place: place[0])]


class Input:
    """What a unit does."""

    def run(self) -> Counter[str]:
        """RETURNS (Counter[str]): The outcomes of its documents or file."""
        raise NotImplementedError

    def parts(self) -> Iterator["Input"]:
        """Smaller inputs, of which one may fail as well."""
        yield from ()

    def to_dict(self) -> dict[str, Any]:
        raise NotImplementedError


@dataclass
class Documents(Input):
    model: str
    plans: list[Plan]
    seed: int = 0

    def run(self) -> Counter[str]:
        return run_documents(pipeline(self.model), self.plans, Random(self.seed))

    def parts(self) -> Iterator[Input]:
        if len(self.plans) > 1:
            yield from (Documents(self.model, [plan], self.seed) for plan in self.plans)

    def to_dict(self) -> dict[str, Any]:
        plans = [plan.to_dict() for plan in self.plans]
        return {"model": self.model, "plans": plans, "seed": self.seed}


@dataclass
class Texts(Input):
    texts: list[str]
    seed: int = 0
    model: str = "text"

    def run(self) -> Counter[str]:
        return run_texts(pipeline(self.model), self.texts, Random(self.seed))

    def parts(self) -> Iterator[Input]:
        if len(self.texts) > 1:
            yield from (Texts([text], self.seed, self.model) for text in self.texts)

    def to_dict(self) -> dict[str, Any]:
        return {"texts": self.texts, "seed": self.seed, "model": self.model}


@dataclass
class File(Input):
    case: Case

    def run(self) -> Counter[str]:
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
            return run_case(self.case, Path(folder))

    def to_dict(self) -> dict[str, Any]:
        files = {name: b64encode(data).decode() for name, data in self.case.files.items()}
        return {**asdict(self.case), "files": files}


def make_input(seed: int, unit: Unit, model: str | None = None) -> Input:
    """The input of a unit; given a pipeline, all its documents are texts for it."""
    rng = Random(f"{seed}:{unit}")
    if unit.kind == "file":
        # By turns, so that each format has its share.
        case = FORMATS[list(FORMATS)[unit.number % len(FORMATS)]](rng)
        return File(mutate(rng, case) if rng.random() < MUTATED_SHARE else case)
    if rng.random() < TEXT_SHARE or model:
        texts = [random_text(rng, heavy_tailed(rng, *N_WORDS)) for _ in range(BATCH)]
        return Texts(texts, unit.number, model or "text")
    many = rng.random() < MANY_SHARE
    shares = {name: share for name, (share, _) in EXTRACTORS.items()}
    names = MANY_ENTITIES if many else list(shares)
    (model,) = rng.choices(names, [shares[name] for name in names])
    plans = [random_plan(rng, many=many and i == 0) for i in range(BATCH)]
    return Documents(model, plans, unit.number)


def smallest_failing(given: Input) -> Input:
    """A part of an input that fails by itself, or else the input."""
    for part in given.parts():
        try:
            part.run()
        except Exception:
            return part
    return given


def read_input(path: Path) -> Input:
    """The input of a file that the campaign wrote."""
    values = json.loads(path.read_text(encoding="utf8"))["input"]
    if "texts" in values:
        return Texts(**values)
    if "plans" in values:
        return Documents(**{**values, "plans": [Plan.from_dict(p) for p in values["plans"]]})
    files = {name: b64decode(data) for name, data in values["files"].items()}
    counts = Counts(**values["counts"]) if values["counts"] else None
    return File(Case(values["format"], files, counts, values["mutations"]))
