"""The relations that a pipeline finds in real texts, judged by reading.

    python benchmarks/judge.py MODEL assets/example_texts.txt assets/box_texts.txt
    python benchmarks/judge.py MODEL TEXTS... --wrong 3,17 --output docs/data/box_judged.json

Both print every relation above the threshold, numbered, with its evidence. The second writes them
down as data for the documentation: those of the numbers as wrong, all others as right. A relation
is right if its text says so, or if what the text says makes it so. Without `--wrong`, the
judgements in the file hold for the relations that were judged before, and the others are open.
"""

import argparse
import shlex
import sys
from pathlib import Path

import spacy
import srsly

from spacy_docre.data.relation import Relation
from spacy_docre.files import replacing

TITLE = "Judged relations"
HEADER = ["Text", "Head", "Relation", "Tail", "Score", "Judgement"]
RIGHT, WRONG, OPEN = "right", "wrong", "?"
Key = tuple[str, ...]


def main() -> None:
    arguments = parse()
    texts = [line for path in arguments.texts for line in path.read_text("utf8").splitlines()]
    nlp = spacy.load(arguments.model)
    wrong = None if arguments.wrong is None else {int(n) for n in arguments.wrong.split(",") if n}
    known = read_judgements(arguments.output)
    rows: list[list[str]] = []
    for place, doc in enumerate(nlp.pipe(texts), 1):
        print(f"\n{place}. {doc.text}\n")
        for relation in sorted(doc._.relations, key=lambda relation: -relation.score):
            number, key = len(rows) + 1, describe(place, relation)
            if wrong is None:
                judgement = known.get(key, OPEN)
            else:
                judgement = WRONG if number in wrong else RIGHT
            rows.append([*key, f"{relation.score:.2f}", judgement])
            print(f"{number:4}  {relation.score:.2f}  {' | '.join(key[1:])}  ({judgement})")
            for sentence in relation.evidence:
                print(f"            {sentence.text}")
    judged = [row[-1] for row in rows if row[-1] != OPEN]
    summary = f"{judged.count(RIGHT)} of {len(judged)} judged relations are right"
    print(f"\n{len(rows)} relations in {len(texts)} texts; {summary}")
    if arguments.output:
        table = {"title": TITLE, "header": HEADER, "rows": rows}
        with replacing(arguments.output) as draft:
            srsly.write_json(draft, {"command": shlex.join(sys.argv), "tables": [table]})


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="the pipeline: a folder or the name of a package")
    parser.add_argument("texts", type=Path, nargs="+", help="files with a text in each line")
    parser.add_argument("--wrong", help="the numbers of the wrong relations, with commas between")
    parser.add_argument("--output", type=Path, help="the file of judgements")
    return parser.parse_args()


def describe(place: int, relation: Relation) -> Key:
    """What a relation is recognised by: the number of its text, head, type and tail."""
    return str(place), relation.head.text, relation.label, relation.tail.text


def read_judgements(path: Path | None) -> dict[Key, str]:
    """The judgements that a file has, if there is one."""
    if path is None or not path.exists():
        return {}
    (table,) = srsly.read_json(path)["tables"]
    return {tuple(row[:4]): row[-1] for row in table["rows"]}


if __name__ == "__main__":
    main()
