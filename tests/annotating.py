"""A fast pipeline with made-up relations, and texts for it."""

import random
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc

from spacy_docre import get_clusters
from spacy_docre.annotation import Annotation, Failure, Record, annotate
from spacy_docre.coref.anaphors import english_anaphors
from spacy_docre.corpora.jsonl import to_jsonl

from .methods import add_extractor
from .util import PEOPLE, PLACES, birth_examples

BREAK = "breakme"
HOSTILE_NAMES = [
    "../../etc/passwd",
    "..",
    "<script>alert(1)</script>",
    "quo\"te's \\ back",
    "line\nbreak\r\ttab",
    "emoji 🤖 𝔘𝔫𝔦",
    "next\x85line\u2028separator\u2029",
    "nul\x00bell\x07\ufffe",
    "per%20cent #hash ?query",
    "{braces} %s",
    "]]>&amp;",
    " ",
]


@Language.component("break_on_word")
def break_on_word(doc):
    """Fails on a document with a certain word."""
    if BREAK in doc.text:
        raise RuntimeError("this document broke the pipeline")
    return doc


def make_pipeline(*, breaking: bool = False) -> Language:
    """People and places by name, clusters by rules, relations by an untrained model."""
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("xx")
    add_extractor(nlp, "atlop", "cnn")
    examples = birth_examples(nlp.vocab)
    optimizer = nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=optimizer)
    extractor = nlp.get_pipe("doc_relation_extractor")
    extractor.cfg["threshold"] = 0.52
    before = {"before": "doc_relation_extractor"}
    nlp.add_pipe("sentencizer", **before)
    ruler = nlp.add_pipe("entity_ruler", **before)
    ruler.add_patterns(
        [{"label": "PERSON", "pattern": name} for name in PEOPLE]
        + [{"label": "GPE", "pattern": name, "id": f"Q/{name}"} for name in PLACES]
    )
    nlp.add_pipe("entity_clusters", config={"anaphors": english_anaphors()}, **before)
    if breaking:
        nlp.add_pipe("break_on_word", **before)
    return nlp


def make_texts(number: int, seed: int = 0) -> list[str]:
    """Short texts with people and places."""
    rng = random.Random(seed)
    words = [*PEOPLE, *PLACES, "went", "to", "and", "saw", "é", "🤖", "She"]
    texts = []
    for _ in range(number):
        sentences = (" ".join(rng.choices(words, k=rng.randint(2, 7))) for _ in range(3))
        texts.append(". ".join(sentences) + ".")
    return texts


def make_records(texts: list[str]) -> list[Record]:
    """Records of texts."""
    return [Record("made", n, f"made:{n}", text) for n, text in enumerate(texts, start=1)]


def annotate_hostile(nlp: Language) -> list[Annotation]:
    """Documents whose names, types, labels, ids and titles are all hostile."""
    annotations = []
    for number, name in enumerate(HOSTILE_NAMES):
        other = HOSTILE_NAMES[number - 1]
        ruler = nlp.get_pipe("entity_ruler")
        ruler.add_patterns([{"label": other, "pattern": name, "id": name}])
        record = Record(other, 1, name, f"{name} saw Ada in Oslo.", other, {"x": name})
        (annotation,) = annotate(nlp, [record])
        assert isinstance(annotation, Annotation)
        keys = [cluster.key for cluster in get_clusters(annotation.doc)]
        relation = {"head": keys[0], "label": name, "tail": keys[-1], "score": 0.25}
        annotation.doc._.relations = [relation | {"evidence": [(0, 2)]}]
        annotations.append(annotation_of(annotation.record, annotation.doc))
    return annotations


def annotation_of(record: Record, doc: Doc) -> Annotation:
    """An annotation with the row of a document that was changed by hand."""
    row = {"id": record.id, "source": record.source, **to_jsonl(doc), "meta": record.meta}
    for cluster in row["clusters"]:
        cluster["kb_id"] = record.id if cluster["name"] == "Oslo" else ""
    return Annotation(record, doc, row, "entity_clusters", "relations")


def read_folder(folder: Path) -> dict[str, bytes]:
    """The visible files of a folder, but for the timings."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".") and path.name != "annotate.json"
    }


def failures(items: list[Record | Failure]) -> list[Failure]:
    """The failures among records."""
    return [item for item in items if isinstance(item, Failure)]
