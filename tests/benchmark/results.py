"""Results that were not measured."""

from spacy_docre.benchmark import Point, Samples, Timing
from spacy_docre.benchmark.results import Results

MIB = 2**20


RUN = {
    "command": "python -m spacy_docre benchmark",
    "machine": "Linux",
    "cpu": "A CPU",
    "cores": 2,
    "gpu": None,
    "threads": 1,
    "load": 0.25,
    "seed": 7,
    "versions": {"python": "3.11", "torch": "2.13"},
}


def timing(bare, full, *, memory=MIB, docs=2):
    return Timing(Samples([bare] * 3, 9 * MIB), Samples([full] * 3, 9 * MIB + memory), docs, 600)


def make_results():
    methods = {
        "atlop": {"inference": timing(1.0, 1.5), "training": timing(2.0, 3.0)},
        "kmgre": {"inference": timing(1.0, 1250.0)},
    }
    growth = {
        "atlop": [
            Point("entities", size, "inference", timing(1.0, 1 + size**2 / 1e4, memory=size * MIB))
            for size in (10, 20, 50)
        ],
        "kmgre": [
            Point("entities", 10, "inference", timing(1.0, 1.5)),
            Point("entities", 20, "inference", None, "takes more than 5 s"),
            Point("entities", 50, "inference", None, "not tried: 20 takes more than 5 s"),
        ],
    }
    return Results(RUN, {"repeats": 3, "encoder": None}, methods, growth)
