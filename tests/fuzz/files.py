"""Small valid files of each format, to be mutated."""

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import spacy
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from spacy_docre import DocreError, Relation, get_clusters
from spacy_docre.corpora.folders import file_stem
from spacy_docre.corpora.formats import Format, all_formats
from spacy_docre.corpora.jsonl import read_jsonl
from spacy_docre.corpora.report import ConversionReport

from .documents import random_plan
from .texts import SURROGATES, random_name, random_text, random_word

LANGUAGE = spacy.blank("en")
LABELS = ["born", "died", "CID", "Association", "P1"]


@dataclass
class Counts:
    """What a valid file holds."""

    documents: int = 0
    mentions: int = 0
    relations: int = 0


@dataclass
class Case:
    """The files of an input by their names; `counts` is None once they are mutated."""

    format: str
    files: dict[str, bytes]
    counts: Counts | None = None
    # What was done to it.
    mutations: list[str] = field(default_factory=list)


@dataclass
class Annotated:
    """A text with entities (each a type and the offsets of its mentions) and relations."""

    id: str
    text: str
    entities: list[tuple[str, list[tuple[int, int]]]]
    relations: list[tuple[int, str, int]]


def random_annotated(rng: Random, number: int, *, forbidden: str = "") -> Annotated:
    """A text without some characters, and mentions that hold more than white space."""
    text = random_text(rng, rng.choice([1, 5, 10, 20, 40]))
    for character in forbidden:
        text = text.replace(character, " ")
    words = [match.span() for match in re.finditer(r"\S+", text)]
    entities = []
    for _ in range(rng.randint(0, 5) if words else 0):
        mentions = []
        for _ in range(rng.randint(1, 3)):
            first = rng.randrange(len(words))
            start, end = words[first][0], words[min(len(words) - 1, first + rng.randint(0, 2))][1]
            if rng.random() < 0.1:
                start = rng.randint(start, end - 1)
            # A part of a word may be nothing that is visible, but is no white space.
            if text[start:end].strip() and (start, end) not in mentions:
                mentions.append((start, end))
        if mentions:
            entities.append((rng.choice(["person", "Chemical", "Disease"]), mentions))
    numbers = range(len(entities))
    pairs = [(head, tail) for head in numbers for tail in numbers if head != tail]
    relations = [(h, rng.choice(LABELS), t) for h, t in pairs if rng.random() < 0.3]
    return Annotated(f"doc{number}", text, entities, relations)


def _counts(documents: list[Annotated]) -> Counts:
    return Counts(
        len(documents),
        sum(len(mentions) for doc in documents for _, mentions in doc.entities),
        sum(len(doc.relations) for doc in documents),
    )


def _to_json(value: Any, rng: Random) -> bytes:
    return json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf8")


def docred(rng: Random) -> Case:
    rows, counts = [], Counts()
    for number in range(rng.randint(1, 2)):
        sents = [
            [random_word(rng) for _ in range(rng.randint(1, 8))] for _ in range(rng.randint(1, 4))
        ]
        vertices = []
        for _ in range(rng.randint(0, 5)):
            mentions = []
            for _ in range(rng.randint(0, 3)):
                sent_id = rng.randrange(len(sents))
                start = rng.randrange(len(sents[sent_id]))
                end = rng.randint(start + 1, len(sents[sent_id]))
                name = " ".join(sents[sent_id][start:end])
                pos = [start, end]
                mentions.append({"name": name, "sent_id": sent_id, "pos": pos, "type": "PER"})
            vertices.append(mentions)
        triples = {
            (rng.randrange(len(vertices)), rng.choice(LABELS), rng.randrange(len(vertices)))
            for _ in range(rng.randint(0, 4) if vertices else 0)
        }
        labels = [
            {"h": h, "r": r, "t": t, "evidence": [rng.randrange(len(sents))]}
            for h, r, t in sorted(triples)
        ]
        rows.append(
            {"title": f"t{number}", "sents": sents, "vertexSet": vertices, "labels": labels}
        )
        counts.documents += 1
        counts.mentions += sum(map(len, vertices))
        counts.relations += len(labels)
    return Case("docred", {"in.json": _to_json(rows, rng)}, counts)


def dwie(rng: Random) -> Case:
    documents = [random_annotated(rng, i) for i in range(rng.randint(1, 2))]
    files = {}
    for doc in documents:
        row = {
            "id": doc.id,
            "content": doc.text,
            "tags": ["all"],
            "mentions": [
                {"begin": begin, "end": end, "text": doc.text[begin:end], "concept": number}
                for number, (_, mentions) in enumerate(doc.entities)
                for begin, end in mentions
            ],
            "concepts": [
                {
                    "concept": number,
                    "text": random_name(rng),
                    "link": rng.choice([None, "Oslo"]),
                    "tags": [f"type::{label}", "slot::keyword"],
                }
                for number, (label, _) in enumerate(doc.entities)
            ],
            "relations": [{"s": h, "p": label, "o": t} for h, label, t in doc.relations],
            "frames": [],
        }
        files[f"{doc.id}.json"] = _to_json(row, rng)
    return Case("dwie", files, _counts(documents))


def pubtator(rng: Random) -> Case:
    lines, documents = [], []
    for number in range(rng.randint(1, 3)):
        doc = random_annotated(rng, number, forbidden="\t\n\r")
        # Of a type in both directions only one is written.
        doc.relations = [row for row in doc.relations if row[1] != "Association"]
        documents.append(doc)
        cut = rng.choice([match.start() for match in re.finditer(" ", doc.text)] or [0])
        title, abstract = doc.text[:cut], doc.text[cut + 1 :]
        if doc.text[cut : cut + 1] == " ":
            lines += [f"{doc.id}|t|{title}", f"{doc.id}|a|{abstract}"]
        else:
            lines += [f"{doc.id}|t|{doc.text}"]
        for entity, (label, mentions) in enumerate(doc.entities):
            for start, end in mentions:
                columns = [doc.id, str(start), str(end), doc.text[start:end], label, f"D{entity}"]
                lines.append("\t".join(columns))
        lines += ["\t".join([doc.id, r, f"D{h}", f"D{t}"]) for h, r, t in doc.relations]
        lines.append("")
    return Case("pubtator", {"in.txt": "\n".join(lines).encode("utf8")}, _counts(documents))


def brat(rng: Random) -> Case:
    documents = [random_annotated(rng, i) for i in range(rng.randint(1, 2))]
    files = {}
    for doc in documents:
        lines, number_of = [], {}
        for entity, (label, mentions) in enumerate(doc.entities):
            names = []
            for start, end in mentions:
                name = f"T{len(number_of) + 1}"
                number_of[entity, len(names)] = name
                names.append(name)
                text = " ".join(doc.text[start:end].split())
                lines.append(f"{name}\t{label} {start} {end}\t{text}")
            if len(names) > 1:
                lines.append(f"*\tEquiv {' '.join(names)}")
            if rng.random() < 0.2:
                lines.append(f"N{len(lines)}\tReference {names[0]} KB:{entity}\tname")
                lines.append(f"#{len(lines)}\tAnnotatorNotes {names[0]}\ta note")
                lines.append(f"A{len(lines)}\tNegation {names[0]}")
        lines += [
            f"R{i}\t{label} Arg1:{number_of[h, 0]} Arg2:{number_of[t, 0]}"
            for i, (h, label, t) in enumerate(doc.relations)
        ]
        files[f"{file_stem(doc.id)}.txt"] = doc.text.encode("utf8")
        files[f"{file_stem(doc.id)}.ann"] = "".join(f"{line}\n" for line in lines).encode("utf8")
    return Case("brat", files, _counts(documents))


def edge_oriented(rng: Random) -> Case:
    lines, counts = [], Counts()
    for number in range(rng.randint(1, 3)):
        words = [re.sub(r"[\s|\x1c-\x1f]", "", random_word(rng)) or "x" for _ in range(20)]
        cuts = sorted(rng.sample(range(1, 20), rng.randint(0, 3)))
        bounds = [0, *cuts, 20]
        sentences = [words[a:b] for a, b in pairwise(bounds)]
        entities = []
        for entity in range(rng.randint(2, 5)):
            mentions = []
            for _ in range(rng.randint(1, 3)):
                sentence = rng.randrange(len(sentences))
                start = rng.randrange(bounds[sentence], bounds[sentence + 1])
                end = rng.randint(start + 1, bounds[sentence + 1])
                if (start, end, sentence) not in mentions:
                    mentions.append((start, end, sentence))
            names = "|".join(" ".join(words[start:end]) for start, end, _ in mentions)
            numbers = (":".join(str(m[i]) for m in mentions) for i in range(3))
            entities.append([f"D{entity}", names, "Chemical", *numbers])
            counts.mentions += len(mentions)
        columns = [f"doc{number}", "|".join(" ".join(sentence) for sentence in sentences)]
        # A chain of pairs names each entity.
        for head, tail in pairwise(entities):
            label = rng.choice(["1:CID:2", "1:NR:2", "not_include"])
            counts.relations += label == "1:CID:2"
            columns += [label, "L2R", "CROSS", "0-1", "1-2", *head, *tail]
        lines.append("\t".join(columns))
        counts.documents += 1
    return Case("edge-oriented", {"in.data": "\n".join(lines).encode("utf8")}, counts)


def jsonl(rng: Random) -> Case:
    documents = [random_annotated(rng, i) for i in range(rng.randint(1, 3))]
    rows = [
        {
            "title": doc.id,
            "text": doc.text,
            "clusters": [
                {
                    "type": label,
                    "mentions": [{"start": start, "end": end} for start, end in mentions],
                }
                for label, mentions in doc.entities
            ],
            "relations": [
                {"head": h, "label": label, "tail": t, "score": rng.random()}
                for h, label, t in doc.relations
            ],
        }
        for doc in documents
    ]
    content = b"".join(_to_json(row, rng) + b"\n" for row in rows)
    return Case("jsonl", {"in.jsonl": content}, _counts(documents))


def records(rng: Random) -> Case:
    """Texts for `annotate`."""
    suffix = rng.choice([".jsonl", ".jsonl", ".txt", ".csv", ".tsv"])
    texts = [random_text(rng, rng.randint(0, 15)) for _ in range(rng.randint(1, 4))]
    if suffix == ".txt":
        content = texts[0].encode("utf8")
    elif suffix == ".jsonl":
        rows = [{"text": text, "id": i, "more": random_name(rng)} for i, text in enumerate(texts)]
        if rng.random() < 0.1:
            rows[0]["text"] = rng.choice(SURROGATES)
        content = b"".join(_ascii_json(row) for row in rows)
    else:
        delimiter = "\t" if suffix == ".tsv" else ","
        rows = [f"id{delimiter}text"]
        rows += [f'{i}{delimiter}"' + text.replace('"', '""') + '"' for i, text in enumerate(texts)]
        content = "\n".join(rows).encode("utf8")
    return Case("records", {f"in{suffix}": content})


def _ascii_json(row: dict[str, Any]) -> bytes:
    return json.dumps(row).encode() + b"\n"


def spacy_file(rng: Random) -> Case:
    vocab, counts = Vocab(), Counts()
    doc_bin = DocBin(store_user_data=True)
    for _ in range(rng.randint(1, 3)):
        doc = random_plan(rng, small=True).build(vocab)
        keys = [c.key for c in get_clusters(doc) if all(len(span) for span in c.mentions)]
        for key in set(doc.spans) - set(keys):
            del doc.spans[key]
        pairs = [(head, tail) for head in keys for tail in keys if head != tail]
        chosen = [pair for pair in pairs if rng.random() < 0.3]
        doc._.relations = [Relation(head, rng.choice(LABELS), tail) for head, tail in chosen]
        doc_bin.add(doc)
        counts.documents += 1
        counts.mentions += sum(map(len, doc.spans.values()))
        counts.relations += len(chosen)
    return Case("spacy", {"in.spacy": doc_bin.to_bytes()}, counts)


def written(entry: Format, rng: Random) -> Case:
    """A file of a format that has no generator of its own: what its writer makes of others."""
    report = ConversionReport()
    case = jsonl(rng)
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name, "in.jsonl"), Path(name, "out")
        source.write_bytes(case.files["in.jsonl"])
        docs = list(read_jsonl(source, LANGUAGE))
        path = target if entry.is_folder else target / f"in{entry.suffix}"
        try:
            entry.write(docs, path, report=report, prefix="entity_clusters")
        except DocreError as error:
            if "XML has no character" not in str(error):
                raise
            return written(entry, rng)
        files = {str(path.relative_to(target)): path.read_bytes() for path in target.iterdir()}
    return Case(entry.name, files, None if report.counts else case.counts)


OWN: dict[str, Callable[[Random], Case]] = {
    "docred": docred,
    "dwie": dwie,
    "pubtator": pubtator,
    "brat": brat,
    "edge-oriented": edge_oriented,
    "jsonl": jsonl,
    "records": records,
    "spacy": spacy_file,
}


def generators() -> dict[str, Callable[[Random], Case]]:
    """What makes files of each format that the package knows, and of the two that it has beside."""
    others = {
        name: partial(written, entry)
        for name, entry in all_formats().items()
        if entry.write and entry.is_available and name not in OWN
    }
    return {**OWN, **others}


FORMATS = generators()
