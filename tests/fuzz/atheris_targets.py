"""Coverage-guided fuzzing with atheris, which is not among the project's requirements:

    pip install atheris
    python -m tests.fuzz.atheris_targets docred -max_total_time=600

The first argument is a format, "clusters" or "windows"; all others are libFuzzer's. It ends with
an error at the first finding, and writes its input to a file.
"""

import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import atheris
import numpy as np

with atheris.instrument_imports(include=["spacy_docre"]):
    from spacy_docre import DocreError
    from spacy_docre.models.batch import ClusterBatch
    from spacy_docre.models.encoders.windows import cut_windows

    from .checks import check
    from .documents import PREFIX, Group, Mention, Plan, has_empty_mentions
    from .file_runs import language, run_case
    from .files import FORMATS, Case

N_SEEDS = 40
# What stands between the files of a format that has several.
BETWEEN = b"\n===\n"


def pack(case: Case) -> bytes:
    """The files of an input as one. That of spaCy is unpacked, or its checksum would hide what is
    in it from the fuzzer."""
    if case.format == "spacy":
        return zlib.decompress(case.files["in.spacy"])
    return BETWEEN.join(case.files[name] for name in sorted(case.files))


def unpack(name: str, data: bytes) -> dict[str, bytes]:
    if name == "spacy":
        return {"in.spacy": zlib.compress(data)}
    if name == "brat":
        annotations, _, text = data.partition(BETWEEN)
        return {"doc0.ann": annotations, "doc0.txt": text}
    files = {"dwie": "doc0.json", "edge-oriented": "in.data", "docred": "in.json"}
    files |= {"pubtator": "in.txt", "jsonl": "in.jsonl"}
    return {files[name]: data.partition(BETWEEN)[0]}


def file_target(name: str) -> Callable[[bytes], None]:
    """Reads a file, checks what it becomes, and writes it again."""

    def target(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            run_case(Case(name, unpack(name, data)), Path(folder))

    return target


def clusters_target(data: bytes) -> None:
    """The index arrays of a batch against its documents, one by one."""
    source = atheris.FuzzedDataProvider(data)
    docs = [_document(source) for _ in range(source.ConsumeIntInRange(1, 3))]
    max_pairs = source.ConsumeIntInRange(1, 20) if source.ConsumeBool() else None
    try:
        batch = ClusterBatch.from_docs(docs, max_pairs=max_pairs)
    except DocreError:
        return check(any(map(has_empty_mentions, docs)) or _one_empty(docs), "refused")
    singles = [ClusterBatch.from_docs([doc], max_pairs=max_pairs) for doc in docs]
    check(batch.keys == [key for single in singles for key in single.keys], "keys")
    for name in ("mention_start", "mention_end", "entity_slot", "doc_length"):
        parts = np.concatenate([getattr(single, name) for single in singles])
        check(np.array_equal(getattr(batch, name), parts), name)
    first = np.cumsum([0, *(len(single.keys) for single in singles)])
    heads = np.concatenate([s.pair_head + n for s, n in zip(singles, first, strict=False)])
    check(np.array_equal(batch.pair_head, heads), "pairs")
    check((batch.pair_head != batch.pair_tail).all(), "a pair of one entity")
    check(np.array_equal(batch.find_pairs(batch.pair_head, batch.pair_tail), range(len(heads))), "")
    return None


def _one_empty(docs: list) -> bool:
    return any(not len(span) for doc in docs for group in doc.spans.values() for span in group)


def _document(source: atheris.FuzzedDataProvider):
    n_words = source.ConsumeIntInRange(0, 12)
    groups = []
    for _ in range(source.ConsumeIntInRange(0, 5)):
        key = f"{PREFIX}_{source.ConsumeUnicodeNoSurrogates(3)}"
        mentions = []
        for _ in range(source.ConsumeIntInRange(0, 3) if n_words else 0):
            start = source.ConsumeIntInRange(0, n_words)
            mentions.append(Mention(start, source.ConsumeIntInRange(start, n_words)))
        groups.append(Group(key, mentions))
    starts = [source.PickValueInList([True, False, None]) for _ in range(n_words)]
    plan = Plan(["w"] * n_words, [True] * n_words, starts or None, groups)
    return plan.build(language("spacy").vocab)


def windows_target(data: bytes) -> None:
    """Windows cover each document, from left to right, none longer than they may be."""
    source = atheris.FuzzedDataProvider(data)
    n_docs = source.ConsumeIntInRange(0, 4)
    lengths = np.array([source.ConsumeIntInRange(0, 300) for _ in range(n_docs)], dtype=np.int64)
    capacity, stride = source.ConsumeIntInRange(-2, 60), source.ConsumeIntInRange(-2, 60)
    try:
        windows = cut_windows(lengths, capacity, stride)
    except DocreError:
        return check(not 0 <= stride < capacity, "refused")
    for doc, length in enumerate(lengths):
        start, end = windows.start[windows.doc == doc], windows.end[windows.doc == doc]
        check(len(start) and start[0] == 0 and end[-1] == length, "not from start to end")
        check((end - start <= capacity).all() and (start[1:] > start[:-1]).all(), "their size")
        check((end[:-1] - start[1:] >= stride).all(), "their overlap")
    return None


def main() -> None:
    name = sys.argv.pop(1)
    others = {"clusters": clusters_target, "windows": windows_target}
    target = others[name] if name in others else file_target(name)
    if name in FORMATS:
        folder = tempfile.mkdtemp(prefix="fuzz-corpus-")
        for number in range(N_SEEDS):
            path = Path(folder, str(number))
            path.write_bytes(pack(FORMATS[name](Random(number))))
        sys.argv.append(folder)
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
