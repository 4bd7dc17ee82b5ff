"""How many documents a second pipelines read, on one thread, one document at a time and in batches
of thirty-two: the faster counts.

    OMP_NUM_THREADS=1 python benchmarks/speed.py dev.spacy en_docre_sm en_core_web_sm --output FILE

The texts are those of a corpus; the first five are read before the clock starts, and the pipelines
take turns, so that a busy machine slows all alike. Quote figures of an idle machine.
"""

import argparse
import os
import time
from pathlib import Path

import spacy
import srsly
import torch
from spacy.language import Language
from spacy.tokens import DocBin

from spacy_docre.benchmark.machine import describe_run
from spacy_docre.files import replacing

WARM_UP, ROUNDS, BATCH = 5, 3, 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("corpus", type=Path, help="a .spacy file")
    parser.add_argument("pipelines", nargs="+", help="folders or names of packages")
    parser.add_argument("--n-docs", type=int, default=20)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    docs = DocBin().from_disk(arguments.corpus).get_docs(spacy.blank("xx").vocab)
    texts = [doc.text for doc in docs][: arguments.n_docs]
    pipelines = {Path(name).name: spacy.load(name) for name in arguments.pipelines}
    best = dict.fromkeys(pipelines, float("inf"))
    for nlp in pipelines.values():
        read(nlp, texts[:WARM_UP], BATCH)
    for _ in range(ROUNDS):
        for name, nlp in pipelines.items():
            for batch_size in (1, BATCH):
                best[name] = min(best[name], read(nlp, texts, batch_size))
    run = describe_run(gpu_id=-1, seed=0)
    machine = f"{run['cpu']}, {run['cores']} cores, load before: {os.getloadavg()[0]:.1f}"
    rows = [
        {"pipeline": name, "docs_per_second": len(texts) / seconds, "machine": machine}
        for name, seconds in best.items()
    ]
    for row in rows:
        print(f"{row['pipeline']:30} {row['docs_per_second']:8.2f} documents a second")
    if arguments.output:
        with replacing(arguments.output) as draft:
            srsly.write_json(draft, {"n_docs": len(texts), "pipelines": rows, **run})


def read(nlp: Language, texts: list[str], batch_size: int) -> float:
    start = time.perf_counter()
    for _ in nlp.pipe(texts, batch_size=batch_size):
        pass
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
