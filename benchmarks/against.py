"""Two states of the package, each in a process of its own, in turn:

    git worktree add ../before COMMIT
    python benchmarks/against.py ../before . --model MODEL --docs dev.spacy --limit 10
    python benchmarks/against.py ../before . --short 300
    python benchmarks/against.py ../before . --short 300 --model MODEL --docs dev.spacy

The first reads documents with gold clusters with a trained pipeline, the second short texts with a
small one (with `--encoder`, a transformer's), the third short pieces of documents with a trained
one. Printed is the processor time of a round after in that before, on one thread: of the head (or
the model), and of everything; at last the best rounds, and the model's share of everything.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable

WORDS = [
    *("the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "as", "was", "with", "by"),
    *("on", "he", "his", "at", "are", "this", "from", "or", "they"),
]
NAMES = {
    "PER": [f"{a} {b}" for a in ("Ada", "Cora", "Gus", "Ivo") for b in ("Berg", "Lind", "Weiss")],
    "LOC": ["Oslo", "Riga", "Bern", "Kyiv", "Rome"],
    "ORG": ["Acme Ltd", "Borealis Ltd", "Cirrus Ltd"],
}


def short_texts(n: int) -> list[str]:
    """n (int): The number of texts.
    RETURNS (list[str]): Texts of 30 to 60 words, five of which are names.
    """
    rng = random.Random(0)
    texts = []
    for _ in range(n):
        words = rng.choices(WORDS, k=rng.randint(30, 60))
        for place in rng.sample(range(0, len(words), 5), 5):
            words[place] = rng.choice(rng.choice(list(NAMES.values())))
        texts.append(" ".join(words) + ".")
    return texts


def pieces(path: str, n: int) -> list[str]:
    """path (str): A `.spacy` file.
    n (int): The number of texts.
    RETURNS (list[str]): Texts of 30 to 60 words: neighbouring sentences of its documents.
    """
    import spacy
    from spacy.tokens import DocBin

    found = []
    for doc in DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab):
        first = 0
        for sentence in doc.sents:
            if sentence.end - first >= 30:
                if sentence.end - first <= 60:
                    found.append(doc[first : sentence.end].text)
                first = sentence.end
    return found[:n]


def small_pipeline(encoder: str | None):
    """encoder (Optional[str]): A transformer; None for a tok2vec.
    RETURNS (Language): An entity ruler, clusters and an extractor that has not been trained.
    """
    import spacy
    from spacy.training import Example

    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler")
    nlp.add_pipe("entity_clusters")
    tok2vec = {
        "@architectures": "spacy.HashEmbedCNN.v2",
        **{"width": 32, "depth": 1, "embed_size": 200, "window_size": 1, "maxout_pieces": 2},
        **{"subword_features": True, "pretrained_vectors": None},
    }
    layer = {"@architectures": "spacy-docre.Tok2VecEncoder.v1", "tok2vec": tok2vec}
    if encoder:
        layer = {"@architectures": "spacy-docre.MarkedTransformer.v1", "name": encoder}
    model = {
        "@architectures": "spacy-docre.RelationModel.v1",
        "encoder": layer,
        "head": {"@architectures": "spacy-docre.ATLOP.v1", "hidden": 64, "block": 16},
    }
    nlp.add_pipe("doc_relation_extractor", config={"threshold": 0.6, "model": model})
    reference = nlp.make_doc("Ada Berg lives in Oslo")
    reference.spans["entity_clusters_1"] = [reference.char_span(0, 8, label="PER")]
    reference.spans["entity_clusters_2"] = [reference.char_span(18, 22, label="LOC")]
    reference._.relations = [
        {"head": "entity_clusters_1", "label": "lives", "tail": "entity_clusters_2"}
    ]
    predicted = reference.copy()
    spacy.util.fix_random_seed(0)
    nlp.initialize(lambda: [Example(predicted, reference)])
    patterns = [{"label": k, "pattern": name} for k, names in NAMES.items() for name in names]
    nlp.get_pipe("entity_ruler").add_patterns(patterns)
    return nlp


def work(args: argparse.Namespace) -> None:
    """Read all documents whenever a line comes in, and print the times."""
    import spacy
    import torch

    torch.set_num_threads(1)
    nlp = spacy.load(args.model) if args.model else small_pipeline(args.encoder)
    extractor = nlp.get_pipe("doc_relation_extractor")
    layer = extractor.model if args.short else extractor.model.get_ref("head")
    run: Callable[[], object]
    if args.short:
        texts = pieces(args.docs, args.short) if args.docs else short_texts(args.short)

        def run() -> object:
            return list(nlp.pipe(texts, batch_size=args.batch_size))
    else:
        from spacy_docre.evaluation.run import read_examples

        docs = [eg.predicted for eg in read_examples(nlp, args.docs, limit=args.limit)]

        def run() -> object:
            return extractor.predict(docs)

    spent, forward = [0.0], layer._func

    def timed(*inputs, **settings):
        start = time.process_time()
        result = forward(*inputs, **settings)
        spent[0] += time.process_time() - start
        return result

    layer._func = timed
    run()
    for _ in sys.stdin:
        spent[0], start = 0.0, time.process_time()
        run()
        print(json.dumps([spent[0], time.process_time() - start]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--model")
    parser.add_argument("--docs")
    parser.add_argument("--encoder")
    parser.add_argument("--limit", type=int, default=10)
    parser.add_argument("--short", type=int, default=0)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        return work(args)
    command = [sys.executable, os.path.abspath(__file__), *sys.argv[1:], "--work"]
    workers = [
        subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": os.path.abspath(path), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for path in (args.before, args.after)
    ]
    part_name = "model" if args.short else "head"
    best = [(float("inf"), float("inf"))] * 2
    for number in range(args.rounds):
        times = {}
        for i in (0, 1) if number % 2 else (1, 0):
            workers[i].stdin.write("\n")
            workers[i].stdin.flush()
            times[i] = tuple(json.loads(workers[i].stdout.readline()))
        (part, whole), (new_part, new_whole) = times[0], times[1]
        best = [min(best[i], times[i], key=lambda time: time[1]) for i in (0, 1)]
        print(
            f"{part_name} {new_part / part:.2f}, all {new_whole / whole:.2f}, "
            f"all but the {part_name} {(new_whole - new_part) / (whole - part):.2f}",
            flush=True,
        )
    (_, before), (part, whole) = best
    print(f"best: all {whole / before:.2f}, the {part_name} {part / whole:.2f} of all")


if __name__ == "__main__":
    main()
