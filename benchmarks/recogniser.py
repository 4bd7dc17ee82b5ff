"""Entities and sentences of a recogniser beside a pretrained pipeline's.

    python benchmarks/recogniser.py dev.spacy MODEL en_core_web_sm --output FILE

The corpus is one of `convert docred --detokenize`. An entity is right if its characters and type
are; OntoNotes' labels are mapped as `configs/pipeline.cfg` maps them. A sentence is right if it
begins where one begins. "Rules" are the sentences of spaCy's sentencizer.
"""

import argparse
import shlex
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import spacy
import srsly
from spacy.tokens import Doc, DocBin

from spacy_docre.files import replacing

ALL = "All"
MAPPING = Path(__file__).parent.parent / "configs" / "pipeline.cfg"
TYPES = ("PER", "ORG", "LOC", "TIME", "NUM", "MISC")
NEEDED = {"tok2vec", "transformer", "ner", "senter", "parser", "sentencizer"}
Items = set[tuple[int, int, str, int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path, help="a .spacy file")
    parser.add_argument("pipelines", nargs="+", help="folders or names of packages")
    parser.add_argument("--output", type=Path, help="the file of data for the documentation")
    arguments = parser.parse_args()
    gold = list(DocBin().from_disk(arguments.corpus).get_docs(spacy.blank("en").vocab))
    types = spacy.util.load_config(MAPPING)["components"]["entity_clusters"]["types"]
    entity_rows, sentence_rows = [], []
    rules = spacy.blank("en")
    rules.add_pipe("sentencizer")
    pipelines = {Path(name).name: spacy.load(name) for name in arguments.pipelines}
    for name, nlp in {**pipelines, "Rules": rules}.items():
        unneeded = [
            pipe for pipe in nlp.pipe_names if nlp.get_pipe_meta(pipe).factory not in NEEDED
        ]
        with nlp.select_pipes(disable=unneeded):
            docs = list(nlp.pipe([doc.text for doc in gold]))
        if "ner" in nlp.pipe_names:
            foreign = set(nlp.get_pipe("ner").labels) - set(TYPES)
            found = score(entities(docs, types if foreign else {}), entities(gold, {}))
            entity_rows += [[name, label, *found[label]] for label in (ALL, *TYPES)]
        sentence_rows.append([name, *score(sentences(docs), sentences(gold))[ALL]])
    figures = ["P", "R", "F1", "Gold"]
    tables = [
        {"title": "Entities", "header": ["Pipeline", "Type", *figures], "rows": entity_rows},
        {"title": "Sentences", "header": ["Pipeline", *figures], "rows": sentence_rows},
    ]
    for table in tables:
        for row in (table["header"], *table["rows"]):
            print("  ".join(f"{cell:>10}" for cell in row))
    if arguments.output:
        with replacing(arguments.output) as draft:
            srsly.write_json(draft, {"command": shlex.join(sys.argv), "tables": tables})


def entities(docs: list[Doc], types: Mapping[str, str]) -> Items:
    """The entities of documents, by document, characters and type."""
    return {
        (number, ent.start_char, label, ent.end_char)
        for number, doc in enumerate(docs)
        for ent in doc.ents
        if (label := types.get(ent.label_, ent.label_))
    }


def sentences(docs: list[Doc]) -> Items:
    """The first characters of the sentences of documents."""
    return {(n, sent.start_char, ALL, 0) for n, doc in enumerate(docs) for sent in doc.sents}


def score(predicted: Items, gold: Items) -> dict[str, list[str]]:
    """Precision, recall and F1 in percent and the number of gold items, of all and by label."""
    counts = [
        Counter(label for *_, label, _ in items) for items in (predicted & gold, predicted, gold)
    ]
    for counter in counts:
        counter[ALL] = counter[ALL] or counter.total()
    rows = {}
    for label in (ALL, *TYPES):
        n_correct, n_predicted, n_gold = (counter[label] for counter in counts)
        shares = (
            (n_correct, n_predicted),
            (n_correct, n_gold),
            (2 * n_correct, n_predicted + n_gold),
        )
        rows[label] = [f"{100 * a / b:.2f}" if b else "-" for a, b in shares] + [str(n_gold)]
    return rows


if __name__ == "__main__":
    main()
